"""A candidate beside its champion on the same rows: golden rows, slices, changed texts, speed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.serving.engine import Engine
from bailiwick.training.data import Frame
from bailiwick.training.evaluation import PairedCounts, calibration_error
from bailiwick.training.measures.perturbations import CHANGES, changed
from bailiwick.training.spec import SEGMENT

MOST_SLICES = 500
_CHANGED_ROWS, _TIMED_TEXTS, _TIMED_TURNS = 1_000, 60, 3


@dataclass(frozen=True, slots=True)
class Pair:
    """The candidate and, where there is one, its champion."""

    candidate: Engine
    champion: Engine | None


@dataclass(frozen=True, slots=True)
class Answered:
    """How a model answered rows: what, whether it was right and how sure it was, each (rows,)."""

    answers: Sequence[str]
    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]

    @property
    def accuracy(self) -> float:
        """The share of rows that were answered right."""
        return float(self.right.mean())


def answered(engine: Engine, texts: Sequence[str], truth: Sequence[str]) -> Answered:
    """Answer `texts`, whose true labels are `truth`; at least one row."""
    probabilities = engine.probabilities(texts)
    answers = [engine.labels[best] for best in probabilities.argmax(axis=1).tolist()]
    right = [answer == label for answer, label in zip(answers, truth, strict=True)]
    return Answered(answers, np.array(right), probabilities.max(axis=1).astype(np.float64))


def golden_set(pair: Pair, golden: Frame) -> dict[str, Any]:
    """{rows, accuracy, champion_accuracy, paired} on the golden rows; at least one."""
    if not len(golden):
        raise Invalid("the golden set has no rows")
    return _compared(pair, golden.texts, golden.labels)


def slices(
    own: Answered, champion: Answered | None, holdout: Frame, segments: Sequence[str]
) -> dict[str, Any]:
    """Paired counts for each class and each value of the declared segments.

    {slices: [{by, value, rows, accuracy, paired}], missing, largest_left_out}: the 500 slices
    with most rows. Of a class are the rows that carry its label or that either model answers with
    it: by the first alone, a model that answers with it too often would never be worse. A row
    without a value is in no slice of that segment.
    """
    columns: dict[str, list[Sequence[str | None]]] = {
        "class": [holdout.labels, own.answers, *([champion.answers] if champion else [])]
    }
    missing = []
    for name in segments:
        values = holdout.marks.get(SEGMENT + name, ())
        if any(value is not None for value in values):
            columns[f"segment {name}"] = [values]
        else:
            missing.append(name)
    places = _places(columns)
    largest = sorted(places, key=lambda one: (-len(places[one]), one))
    found = [
        {
            "by": by,
            "value": value,
            "rows": len(rows),
            "accuracy": float(own.right[rows].mean()),
            "paired": _paired(own.right[rows], champion.right[rows]) if champion else None,
        }
        for (by, value), rows in ((one, places[one]) for one in largest[:MOST_SLICES])
    ]
    left_out = [len(places[one]) for one in largest[MOST_SLICES:]]
    return {"slices": found, "missing": missing, "largest_left_out": max(left_out, default=0)}


def calibration(own: Answered, champion: Answered | None) -> dict[str, Any]:
    """{rows, error, champion_error}: expected calibration errors over 15 bins."""
    return {
        "rows": len(own.right),
        "error": calibration_error(own.confidence, own.right),
        "champion_error": (
            calibration_error(champion.confidence, champion.right) if champion else None
        ),
    }


def robustness(pair: Pair, own: Answered, holdout: Frame, *, seed: int) -> dict[str, Any]:
    """{rows, accuracy, changes: [{change, rows, accuracy, champion_accuracy, paired}]}.

    Of at most 1,000 rows, drawn by `seed`; the first accuracy is that on the texts as they are.
    """
    count = min(_CHANGED_ROWS, len(holdout))
    drawn = np.sort(np.random.default_rng(seed).choice(len(holdout), count, replace=False))
    sample = holdout.take(drawn)
    changes = [
        {
            "change": name,
            **_compared(pair, changed(sample.texts, change, seed=seed), sample.labels),
        }
        for name, change in CHANGES.items()
    ]
    return {"rows": count, "accuracy": float(own.right[drawn].mean()), "changes": changes}


def latency(pair: Pair, holdout: Frame, *, seed: int) -> dict[str, Any]:
    """{requests, p95_ms, champion_p95_ms}: one text a request, in turns with the champion.

    The best of three turns counts for each text, so that the machine's own pauses do not.
    """
    texts = list(dict.fromkeys(holdout.texts))
    chosen = np.random.default_rng(seed).permutation(len(texts))[:_TIMED_TEXTS]
    engines = [pair.candidate, *([pair.champion] if pair.champion else [])]
    taken = np.empty((_TIMED_TURNS, len(chosen), len(engines)))
    for engine in engines:
        engine.classify(texts[:1])  # what is done once is not the request's
    for turn in range(_TIMED_TURNS):
        for row, place in enumerate(chosen):
            for column, engine in enumerate(engines):
                started = time.perf_counter()
                engine.classify([texts[place]])
                taken[turn, row, column] = time.perf_counter() - started
    p95 = np.quantile(taken.min(axis=0), 0.95, axis=0) * 1_000
    return {
        "requests": len(chosen),
        "p95_ms": round(float(p95[0]), 3),
        "champion_p95_ms": round(float(p95[1]), 3) if pair.champion else None,
    }


def _compared(pair: Pair, texts: Sequence[str], truth: Sequence[str]) -> dict[str, Any]:
    own = answered(pair.candidate, texts, truth)
    champion = answered(pair.champion, texts, truth) if pair.champion else None
    return {
        "rows": len(texts),
        "accuracy": own.accuracy,
        "champion_accuracy": champion.accuracy if champion else None,
        "paired": _paired(own.right, champion.right) if champion else None,
    }


def _paired(own: NDArray[np.bool_], champion: NDArray[np.bool_]) -> dict[str, int]:
    return asdict(
        PairedCounts(
            both=int((own & champion).sum()),
            only_candidate=int((own & ~champion).sum()),
            only_champion=int((~own & champion).sum()),
            neither=int((~own & ~champion).sum()),
        )
    )


def _places(
    columns: Mapping[str, Sequence[Sequence[str | None]]],
) -> dict[tuple[str, str], NDArray[np.int64]]:
    """The places of the rows of each slice: those that have its value in one of its columns."""
    places: dict[tuple[str, str], list[int]] = {}
    for by, together in columns.items():
        for place, values in enumerate(zip(*together, strict=True)):
            for value in dict.fromkeys(values):
                if value is not None:
                    places.setdefault((by, value), []).append(place)
    return {one: np.array(rows, dtype=np.int64) for one, rows in places.items()}
