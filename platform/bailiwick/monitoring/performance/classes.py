"""Per class: support, precision, recall, F1; the weighted F1, and the Brier score of confidences.

Precision and recall are shares and have Wilson's interval; F1 and the weighted F1, which is the
mean of the classes' F1 by true rows, percentile intervals of the bootstrap over confusion counts,
seeded, like `measures`. Brier: mean of (confidence - right)^2 of the answer given (Brier, Monthly
Weather Review 78 (1950) 1, of the predicted class); its interval is the normal one of a mean,
its variance that between bins of confidence and outcomes.

NOT guaranteed: the same as in `measures`; for classes of few rows F1's interval is rough.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from bailiwick.monitoring.performance.measures import DRAWS, Confusion, Measured
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.statistics import wilson_interval

_LEVEL = 0.95
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One label: `support` rows are of it, `said` rows were answered so. None: no such rows."""

    place: int
    support: int
    said: int
    precision: Measured | None
    recall: Measured | None
    f1: Measured


@dataclass(frozen=True, slots=True)
class SureBin:
    """Labelled rows whose confidence fell in one bin: sums of confidence and of its square."""

    rows: int
    correct: int
    confidence: float
    square: float
    confidence_of_correct: float


def by_class(confusion: Confusion, *, labels: int, seed: int = 0) -> list[ClassFigures]:
    """Figures of every label that was said or true, most rows first.

    >>> found = by_class({(0, 0): 60, (1, 1): 20, (0, 1): 20}, labels=2)
    >>> [(one.place, one.support, round(one.f1.value, 2)) for one in found]
    [(0, 60, 0.86), (1, 40, 0.67)]
    >>> found[1].recall
    Measured(value=0.5, lower=0.351..., upper=0.648..., rows=40)
    """
    rows = sum(confusion.values())
    f1, drawn, _ = _f1(confusion, labels, seed)
    low, high = np.quantile(drawn, _ENDS, axis=0)
    found = []
    for place in range(labels + 1):
        support = sum(n for (_, true), n in confusion.items() if true == place)
        said = sum(n for (predicted, _), n in confusion.items() if predicted == place)
        if not support + said:
            continue
        hits = confusion.get((place, place), 0) if place < labels else 0
        own = Measured(float(f1[place]), float(low[place]), float(high[place]), rows)
        precision, recall = _share(hits, said), _share(hits, support)
        found.append(ClassFigures(place, support, said, precision, recall, own))
    return sorted(found, key=lambda one: (-one.support, one.place))


def weighted_f1(confusion: Confusion, *, labels: int, seed: int = 0) -> Measured:
    """Mean of the labels' F1, each by its true rows.

    >>> round(weighted_f1({(0, 0): 60, (1, 1): 20, (0, 1): 20}, labels=2).value, 3)
    0.781
    """
    f1, drawn, support = _f1(confusion, labels, seed)
    drawn_support = support[1]
    value = float((f1 * support[0]).sum() / support[0].sum())
    draws = (drawn * drawn_support).sum(axis=1) / drawn_support.sum(axis=1)
    low, high = np.quantile(draws, _ENDS)
    return Measured(value, float(low), float(high), sum(confusion.values()))


def brier(bins: Mapping[int, SureBin]) -> Measured | None:
    """Of rows with a confidence; None without any. 0 is perfect, 0.25 is what 50 % sure gets.

    >>> brier({18: SureBin(100, 90, 90.0, 81.0, 81.0)})
    Measured(value=0.09, lower=0.042..., upper=0.137..., rows=100)
    """
    rows = sum(one.rows for one in bins.values())
    if not rows:
        return None
    right = sum(one.correct for one in bins.values())
    value = (
        sum(one.square - 2 * one.confidence_of_correct for one in bins.values()) + right
    ) / rows
    second = sum(_fourth(one) for one in bins.values()) / rows
    half = NormalDist().inv_cdf((1 + _LEVEL) / 2) * sqrt(max(second - value**2, 0.0) / rows)
    return Measured(value, max(value - half, 0.0), value + half, rows)


def _fourth(one: SureBin) -> float:
    """Sum of the squared scores of a bin, as if its right and wrong rows had one confidence each.

    Bins are narrow, so that what is lost is small beside the spread of outcomes.
    """
    wrong = one.rows - one.correct
    sure_right = one.confidence_of_correct / one.correct if one.correct else 0.0
    sure_wrong = (one.confidence - one.confidence_of_correct) / wrong if wrong else 0.0
    return one.correct * float((1 - sure_right) ** 4) + wrong * float(sure_wrong**4)


def _share(hits: int, rows: int) -> Measured | None:
    return Measured(hits / rows, *wilson_interval(hits, rows, _LEVEL), rows) if rows else None


def _f1(confusion: Confusion, labels: int, seed: int) -> tuple[Array, Array, tuple[Array, Array]]:
    """F1 by label, shape (labels + 1,), drawn again (DRAWS, labels + 1), and true rows of both."""
    cells = sorted(confusion)
    counts = np.array([confusion[cell] for cell in cells], dtype=np.float64)
    said, true = np.array(cells, dtype=np.intp).T
    random = np.random.default_rng(seed)
    drawn = random.multinomial(int(counts.sum()), counts / counts.sum(), DRAWS)
    every = np.concatenate([counts[None, :], drawn])
    onto = np.eye(labels + 1)
    hit = every @ (onto[true] * ((said == true) & (true < labels))[:, None])
    support, predicted = every @ onto[true], every @ onto[said]
    f1 = 2 * hit / np.maximum(support + predicted, 1)
    return f1[0], f1[1:], (support[0], support[1:])
