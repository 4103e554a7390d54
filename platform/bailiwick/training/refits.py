"""Heads of one stream of rows, on request: `python -m bailiwick.training.refits SPEC.json`.

For backtests (of other recipes: `full_refits`). Reads a frame once; then each line on standard
input asks for a model of some of its rows, and for how that model answers others; each is answered
by one line on standard output:

    {"recipe": {"kind": "head"}, "learn": [0, 5000], "judge": [[5000, 7500]]}
    {"train_seconds": 0.4, "judged": [{"rows": 2500, "accuracy": 0.81, "macro_f1": 0.62,
     "confidence": 0.77, "unseen_ratio": 0.18, "right": "base64 of a bit for each row"}]}

The newest models are kept. A model is the one that a training job would make of the same rows,
recipe and seed, but for a head's calibration, which changes no answer, and for the rows that a
membership test withholds. It ends at once with its standard input, and with 2 and
`{"error": ...}` where rows cannot be learned from.
"""

import base64
import json
import os
import queue
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.monitoring.descriptors import KnownWords
from bailiwick.serving.ngrams import Indices, Ngrams, hashed_ngrams
from bailiwick.training.data import Frame, newest_tenth, read_frame
from bailiwick.training.evaluation import macro_f1_of
from bailiwick.training.head import (
    ages_in_days,
    distinct_of,
    lessons_of,
    numbered,
    refit_ngrams,
)
from bailiwick.training.progress import print_line
from bailiwick.training.recipes import HeadRecipe, Recipe, recipe_of
from bailiwick.training.spec import frame_file
from bailiwick.training.threads import keep_freed_memory, use_threads

_INPUT_FAULT, _ORPHANED = 2, 3


class Answering(Protocol):
    """A model that answers distinct texts of the stream by their numbers."""

    def __call__(self, texts: Indices) -> torch.Tensor:
        """Logits (rows, labels learned)."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model with the columns of the stream's labels that it can answer, and the words it knows.

    `train_seconds` are of the processor, so that they say the same on a busy machine.
    """

    answering: Answering
    columns: Indices
    known_words: frozenset[int]  # as `KnownWords` hashes them
    train_seconds: float


class Stream:
    """A frame whose texts and labels are numbered, and its n-grams once they are asked for."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.texts, self.text_of = numbered(frame.texts)
        self.labels, self.label_of = numbered(frame.labels)
        self._ngrams: dict[tuple[int, int], Ngrams] = {}
        self._words: dict[int, frozenset[int]] = {}

    def ngrams(self, recipe: HeadRecipe) -> Ngrams:
        """The n-grams of the distinct texts, hashed once for all models."""
        hashing = recipe.buckets, recipe.max_characters
        if hashing not in self._ngrams:
            self._ngrams[hashing] = hashed_ngrams(
                self.texts, buckets=recipe.buckets, max_characters=recipe.max_characters
            )
        return self._ngrams[hashing]

    def words(self, text: int) -> frozenset[int]:
        """The words of a distinct text, hashed once for all models."""
        if text not in self._words:
            self._words[text] = KnownWords.of([self.texts[text]]).hashes
        return self._words[text]

    def learn(self, start: int, stop: int, recipe: Recipe, seed: int, teach: "Teach") -> Model:
        """A model of the rows from `start` to `stop`. Raises `Invalid` where they cannot be."""
        rows = self.frame.rows(start, stop)
        newest_tenth(rows)  # refuses what a training job would
        started = time.process_time()
        torch.manual_seed(seed)
        answering, columns = teach(self, start, stop, recipe, seed)
        seconds = time.process_time() - started
        texts, _ = distinct_of(self.text_of[start:stop])
        words = frozenset[int]().union(*(self.words(text) for text in texts))
        return Model(answering, columns, words, seconds)

    def judge(self, model: Model, start: int, stop: int) -> dict[str, Any]:
        """How `model` answers the rows from `start` to `stop`; at least one row."""
        distinct, place = distinct_of(self.text_of[start:stop])
        probabilities = model.answering(distinct).softmax(dim=1)
        confidence, best = (part.numpy()[place] for part in probabilities.max(dim=1))
        answers, truth = model.columns[best], self.label_of[start:stop]
        unseen = np.array([not self.words(text) <= model.known_words for text in distinct])
        right: NDArray[np.bool_] = answers == truth
        return {
            "rows": stop - start,
            "accuracy": float(right.mean()),
            "macro_f1": macro_f1_of(answers, truth),
            "confidence": float(confidence.mean()),
            "unseen_ratio": float(unseen[place].mean()),
            "right": base64.b64encode(np.packbits(right).tobytes()).decode(),
        }


# (stream, first row, last row + 1, recipe, seed) -> a model and its columns of the stream's labels.
Teach = Callable[[Stream, int, int, Recipe, int], tuple[Answering, Indices]]


def head_of(
    stream: Stream, start: int, stop: int, recipe: Recipe, seed: int
) -> tuple[Answering, Indices]:
    """A head on n-grams, refit on the rows from `start` to `stop`."""
    if not isinstance(recipe, HeadRecipe):
        raise Invalid(f"A {recipe.kind} recipe is no head: run bailiwick.training.full_refits.")
    ngrams, label_of = stream.ngrams(recipe), stream.label_of[start:stop]
    columns, column_of = distinct_of(label_of)
    lessons = lessons_of(
        stream.text_of[start:stop],
        column_of,
        ages_in_days(stream.frame.times[start:stop]),
        recipe,
        labels=len(columns),
    )
    generator = torch.Generator().manual_seed(seed)
    network, _ = refit_ngrams(ngrams, lessons, recipe, generator=generator)
    return lambda texts: network.logits_of(ngrams.rows(texts)), columns


def serve(
    spec: dict[str, Any], requests: Iterator[str], teach: Teach = head_of
) -> Iterator[dict[str, Any]]:
    """The answer to each request, in order. Raises `Invalid` kinds."""
    stream = Stream(read_frame(frame_file(spec["frame"])))
    models: OrderedDict[tuple[Recipe, int, int], Model] = OrderedDict()
    for line in requests:
        request = json.loads(line)
        start, stop = request["learn"]
        asked = recipe_of(request["recipe"]), start, stop
        if asked not in models:
            models[asked] = stream.learn(start, stop, asked[0], int(spec["seed"]), teach)
        models.move_to_end(asked)
        model = models[asked]
        if len(models) > int(spec["models_kept"]):
            models.popitem(last=False)
        yield {
            "train_seconds": model.train_seconds,
            "judged": [stream.judge(model, *rows) for rows in request["judge"]],
        }


def main(arguments: list[str], teach: Teach = head_of) -> int:
    """Serve the spec named by the one argument until standard input ends; the exit code."""
    try:
        if len(arguments) != 1:
            raise Invalid("Give one file: python -m bailiwick.training.refits SPEC.json")
        spec = json.loads(Path(arguments[0]).read_bytes())
        use_threads(int(spec["threads"]))
        keep_freed_memory()
        for answer in serve(spec, _while_the_parent_lives(), teach):
            print_line(answer)
    except BailiwickError as error:
        print_line({"error": {"code": error.code, "message": error.message}})
        return _INPUT_FAULT
    return 0


def _while_the_parent_lives() -> Iterator[str]:
    """Lines of standard input, whose end is the end of this process, whatever it is doing."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(_ORPHANED)

    threading.Thread(target=read, name="requests", daemon=True).start()
    while True:
        yield lines.get()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
