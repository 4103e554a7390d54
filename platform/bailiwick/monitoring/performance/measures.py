"""Accuracy, macro F1, cost and calibration error of labelled rows, each with a 95 % interval.

Confusion counts are those of `summaries.Summary`: (place of the predicted label, place of the true
one), the place after the last label for any other. Two labels in that last place need not be the
same, so that they count as wrong.

Accuracy has Wilson's interval (JASA 22 (1927) 209); the others percentile intervals of the
bootstrap: counts are drawn again from the multinomial (for calibration: right rows from each bin's
binomial), seeded (Efron, Annals of Statistics 7 (1979) 1).

NOT guaranteed: intervals assume independent rows; windows that differ by more than sampling make
them too narrow (`expected` measures that). Percentile intervals are rough below some 100 rows and
for labels with few rows each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.performance.confidences import Tally
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.statistics import wilson_interval

Confusion = Mapping[tuple[int, int], int]
Figure = Callable[[Array], Array]

DRAWS = 1_000
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its 95 % interval, from so many labelled rows."""

    value: float
    lower: float
    upper: float
    rows: int


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Expected calibration error; `by_chance`: what as many rows of a calibrated model show."""

    error: Measured
    by_chance: float


def accuracy(confusion: Confusion, *, labels: int) -> Measured:
    """Share of rows on the diagonal; raises `Invalid` without rows, as all measures do.

    >>> accuracy({(0, 0): 60, (1, 1): 20, (0, 1): 15, (2, 2): 5}, labels=2)
    Measured(value=0.8, lower=0.711..., upper=0.866..., rows=100)
    """
    rows = _rows(confusion)
    right = sum(count for (said, true), count in confusion.items() if said == true < labels)
    return Measured(right / rows, *wilson_interval(right, rows, 0.95), rows)


def macro_f1(confusion: Confusion, *, labels: int, seed: int = 0) -> Measured:
    """Mean over labels of 2 tp / (said + true): labels neither said nor true are left out.

    >>> found = macro_f1({(0, 0): 60, (1, 1): 20, (0, 1): 20}, labels=2)
    >>> round(found.value, 3), found.lower < found.value < found.upper
    (0.762, True)
    """
    said, true = _places(confusion)

    def f1(counts: Array) -> Array:
        hit = np.zeros((*counts.shape[:-1], labels + 1))
        seen = np.zeros_like(hit)
        for place, (first, second) in enumerate(zip(said, true, strict=True)):
            seen[..., first] += counts[..., place]
            seen[..., second] += counts[..., place]
            hit[..., first] += 2 * counts[..., place] * (first == second < labels)
        there = seen > 0
        found: Array = (hit / np.where(there, seen, 1)).sum(axis=-1) / there.sum(axis=-1)
        return found

    return _bootstrapped(confusion, f1, seed)


def mean_cost(confusion: Confusion, costs: Array, *, seed: int = 0) -> Measured:
    """Mean cost of a row; `costs`[said, true], shape (labels + 1, labels + 1), in the user's unit.

    >>> costs = np.array([[0.0, 10.0, 10.0], [1.0, 0.0, 10.0], [1.0, 1.0, 10.0]])
    >>> mean_cost({(0, 0): 60, (1, 1): 20, (0, 1): 20}, costs).value
    2.0
    """
    said, true = _places(confusion)
    if costs.ndim != 2 or costs.shape[0] != costs.shape[1]:  # noqa: PLR2004 - a matrix
        raise Invalid("Costs are a square matrix: predicted labels down, true labels across.")
    if not np.isfinite(costs).all():
        raise Invalid("Every cost must be a finite number.")
    if max(said.max(), true.max()) >= costs.shape[0]:
        raise Invalid("The cost matrix needs a row and column for each label, and one for others.")
    each = costs[said, true]

    def cost(counts: Array) -> Array:
        found: Array = counts @ each / counts.sum(axis=-1)
        return found

    return _bootstrapped(confusion, cost, seed)


def calibration_error(window: Tally, *, seed: int = 0) -> CalibrationError:
    """Sum over bins of share * |accuracy - mean confidence| (Naeini et al., AAAI 2015).

    The plug-in is too large in few rows; `by_chance` says by how much.
    """
    rows = window.labelled.sum(axis=(0, 1))
    if not rows.any():
        raise Invalid("There are no labelled rows with a confidence yet.")
    there = rows > 0
    right = window.correct.sum(axis=(0, 1))[there]
    return calibration_of(rows[there], right, window.confidence[there] / rows[there], seed=seed)


def calibration_of(
    count: NDArray[np.int64], right: NDArray[np.int64], sure: Array, *, seed: int = 0
) -> CalibrationError:
    """The same of bins that have rows: rows, right ones and mean confidence, shape (bins,)."""
    total = int(count.sum())
    random = np.random.default_rng(seed)

    def error(hits: Array) -> Array:
        found: Array = np.abs(hits / count - sure) @ (count / total)
        return found

    draws = error(random.binomial(count, right / count, (DRAWS, count.size)).astype(np.float64))
    chance = random.binomial(count, np.clip(sure, 0, 1), (DRAWS, count.size)).astype(np.float64)
    value = float(error(right.astype(np.float64)))
    bias = float(draws.mean()) - value  # drawing again adds the noise once more
    low, high = np.quantile(draws - bias, _ENDS)
    found = Measured(value, max(float(low), 0.0), float(high), total)
    return CalibrationError(found, float(error(chance).mean()))


def _bootstrapped(confusion: Confusion, figure: Figure, seed: int) -> Measured:
    rows = _rows(confusion)
    counts = np.array([confusion[place] for place in sorted(confusion)], dtype=np.float64)
    draws = np.random.default_rng(seed).multinomial(rows, counts / rows, DRAWS)
    low, high = np.quantile(figure(draws.astype(np.float64)), _ENDS)
    return Measured(float(figure(counts)), float(low), float(high), rows)


def _rows(confusion: Confusion) -> int:
    rows = sum(confusion.values())
    if not rows:
        raise Invalid("There are no labelled rows yet, so that nothing can be measured.")
    return rows


def _places(confusion: Confusion) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    _rows(confusion)
    pairs = np.array(sorted(confusion), dtype=np.intp)
    return pairs[:, 0], pairs[:, 1]
