"""A classifier from a frame and a head recipe: a frozen encoder, a head, its calibration."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from bailiwick.monitoring.descriptors import KnownWords
from bailiwick.serving.artifact import HASHED_NGRAMS, KNOWN_WORDS, Artifact
from bailiwick.serving.ngrams import Indices
from bailiwick.training.calibration import best_temperature, measured
from bailiwick.training.data import Frame, newest_tenth
from bailiwick.training.encoders import BaseEncoder, Encoder, NgramEncoder
from bailiwick.training.head import Lessons, ages_in_days, lessons_of, numbered
from bailiwick.training.loop import Validation
from bailiwick.training.progress import Progress
from bailiwick.training.recipes import HeadRecipe
from bailiwick.training.trained import Trained


def train_head(
    frame: Frame, recipe: HeadRecipe, *, base: Artifact | None, seed: int, progress: Progress
) -> Trained:
    """Fit a head on `frame`: on the encoder of `base` where it is a transformer, else on n-grams.

    A first head, of the older nine tenths, says by the newest tenth how far confidence is to be
    softened; the head that is kept learned from all rows. Raises `Invalid` kinds for bad input.
    """
    older, _ = newest_tenth(frame)
    torch.manual_seed(seed)
    texts, rows = numbered(frame.texts)
    labels = tuple(sorted(set(frame.labels)))
    column = {label: index for index, label in enumerate(labels)}
    columns = np.array([column[label] for label in frame.labels])
    known_words = KnownWords.of(texts)
    progress("encode", 0, 1, {})
    encoder: Encoder
    if base and base.model_type != HASHED_NGRAMS:
        encoder = BaseEncoder(texts, recipe, base)
        known_words |= KnownWords.load(base.directory / KNOWN_WORDS)
    else:
        encoder = NgramEncoder(texts, recipe)
    progress("encode", 1, 1, {})

    def lessons(count: int) -> Lessons:
        ages = ages_in_days(frame.times[:count])
        return lessons_of(rows[:count], columns[:count], ages, recipe, labels=len(labels))

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    encoder.refit(lessons(len(older)), generator=generator(), watch=None)
    temperature, validation, right = _calibration(encoder, rows, columns, len(older))
    history = encoder.refit(
        lessons(len(frame)), generator=generator(), watch=partial(_watch, progress)
    )
    encoder.soften(temperature)
    network, config_json = encoder.finished(labels)
    return Trained(
        network,
        config_json,
        encoder.tokenizer,
        encoder.max_tokens,
        labels,
        known_words,
        losses=history.losses,
        metrics={
            "validation_accuracy": validation.accuracy,
            "validation_loss": validation.loss,
            "epochs": len(history.losses),
            "temperature": temperature,
            "distinct_texts": len(texts),
        },
        rows_per_second=history.rows_per_second,
        newest_right=right,
    )


def _calibration(
    encoder: Encoder, texts: Indices, columns: Indices, older: int
) -> tuple[float, Validation, NDArray[np.bool_]]:
    """The best temperature for rows newer than what the head learned from, and how it did there.

    The last part says which of these rows it has right.

    A label that it never learned cannot become likelier by a temperature: such rows count for
    the accuracy alone.
    """
    logits = encoder.logits(texts[older:])
    targets = torch.from_numpy(columns[older:])
    learned = torch.from_numpy(np.isin(columns[older:], columns[:older]))
    right = logits.argmax(dim=1) == targets
    if not learned.any():
        nothing = Validation(accuracy=0.0, loss=float(np.log(logits.shape[1])))
        return 1.0, nothing, right.numpy()
    known, wanted = logits[learned], targets[learned]
    validation = Validation(right.float().mean().item(), measured(known, wanted).loss)
    return best_temperature(known, wanted), validation, right.numpy()


def _watch(
    progress: Progress, step: int, steps: int, loss: float, validation: Validation | None
) -> None:
    del validation
    progress("train", step, steps, {"loss": round(loss, 4)})
