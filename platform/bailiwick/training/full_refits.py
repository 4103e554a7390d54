"""Transformers of a stream of rows: `python -m bailiwick.training.full_refits SPEC.json`.

As `refits`, which says what is asked and answered; apart from it because transformers take
seconds to load, and heads need none.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from bailiwick.core.errors import Invalid
from bailiwick.serving.engine import Engine
from bailiwick.serving.ngrams import Indices
from bailiwick.training.classifier import train_classifier
from bailiwick.training.export import write_artifact
from bailiwick.training.recipes import Recipe, SmallClassifierRecipe
from bailiwick.training.refits import Answering, Stream, main


def transformer_of(
    stream: Stream, start: int, stop: int, recipe: Recipe, seed: int
) -> tuple[Answering, Indices]:
    """A transformer, trained from nothing on the rows from `start` to `stop`."""
    if not isinstance(recipe, SmallClassifierRecipe):
        raise Invalid(f"A {recipe.kind} recipe is no transformer: run bailiwick.training.refits.")
    rows = stream.frame.rows(start, stop)
    trained = train_classifier(rows, recipe, base=None, seed=seed, progress=lambda *_: None)
    with TemporaryDirectory() as folder:  # judged by the code that would serve it
        write_artifact(trained, recipe, seed=seed, directory=Path(folder))
        engine = Engine.load(Path(folder))
    number = {label: place for place, label in enumerate(stream.labels)}

    def answering(texts: Indices) -> torch.Tensor:
        asked = [stream.texts[text] for text in texts]
        return torch.from_numpy(engine.probabilities(asked)).log()

    return answering, np.array([number[label] for label in engine.labels])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], transformer_of))
