"""What a check measures: distances between two sets of rows, and accuracy from late feedback.

Pure. A monitor stores its `StatisticSpec`s whole, so a check says which test with which
threshold decided. The functions here define the distances; `monitoring.reports` computes the
same ones with Evidently, and a test holds the two equal to the last digits.

What is NOT guaranteed: a fixed threshold has no stated rate of false alarms. The same distance
comes from a small change in many rows or from chance in few (hence `min_rows`), and a check
repeated every day has its chance every day. The default thresholds were set by measurement
(docs/decisions/0005-what-a-check-measures.md), not derived.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid

Kind = Literal["numeric", "categorical"]
Test = Literal["wasserstein", "jensenshannon"]

_TEST_OF_KIND = {"numeric": "wasserstein", "categorical": "jensenshannon"}
_SMALLEST_NORM = 0.001  # as in Evidently: a constant reference must not divide by zero


@dataclass(frozen=True, slots=True)
class StatisticSpec:
    """One statistic of a monitor: the current window has drifted if it reaches `threshold`.

    Lower thresholds see smaller changes and chance. A `harmful` one pages, others are a note.
    Raises `Invalid` if the test does not fit the kind of column.
    """

    column: str
    kind: Kind
    test: Test
    threshold: float
    direction: Literal["greater"] = "greater"
    harmful: bool = False

    def __post_init__(self) -> None:
        if _TEST_OF_KIND.get(self.kind) != self.test or self.direction != "greater":
            raise Invalid(
                f"A {self.kind} column cannot be tested with {self.test} ({self.direction}): use "
                "wasserstein for numeric and jensenshannon for categorical ones, greater."
            )
        if not 0 < self.threshold < float("inf"):
            raise Invalid(f"The threshold of {self.column} must be a positive number.")


DEFAULT_STATISTICS = (
    StatisticSpec("prediction", "categorical", "jensenshannon", 0.15),
    StatisticSpec("confidence", "numeric", "wasserstein", 0.15),
    StatisticSpec("characters", "numeric", "wasserstein", 0.15),
    StatisticSpec("words", "numeric", "wasserstein", 0.15),
    StatisticSpec("unseen_words_ratio", "numeric", "wasserstein", 0.15),
)


@dataclass(frozen=True, slots=True)
class Mover:
    """A category and its share of the rows, before and now."""

    category: str
    reference_share: float
    current_share: float


@dataclass(frozen=True, slots=True)
class StatisticResult:
    """What one statistic came to; means for numeric columns, movers for categorical ones."""

    column: str
    kind: Kind
    test: Test
    statistic: float
    direction: Literal["greater"]
    threshold: float
    reference_rows: int
    current_rows: int
    drifted: bool
    library: str
    harmful: bool = False
    reference_mean: float | None = None
    current_mean: float | None = None
    movers: tuple[Mover, ...] = ()


def wasserstein_normed(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """First Wasserstein distance in units of the reference's standard deviation.

    W = integral |F_ref(x) - F_cur(x)| dx / max(sd(ref), 0.001), F the empirical distribution
    functions: how far, on average, values moved. 0 for equal samples, no upper bound. Chance
    alone gives about 1.3 sqrt(1/n + 1/m) for bell-shaped values, more for heavy tails. Arrays
    of shape (n,) and (m,), not empty.
    Ramdas, Garcia Trillos, Cuturi, "On Wasserstein two-sample testing", Entropy 19 (2017) 47.

    >>> rng = np.random.default_rng(7)
    >>> before = rng.normal(size=2_000)
    >>> round(wasserstein_normed(before, rng.normal(size=2_000)), 2)
    0.05
    >>> round(wasserstein_normed(before, rng.normal(loc=0.5, size=2_000)), 2)
    0.54
    """
    values = np.sort(np.concatenate([reference, current]))
    below_reference = np.searchsorted(np.sort(reference), values[:-1], "right") / reference.size
    below_current = np.searchsorted(np.sort(current), values[:-1], "right") / current.size
    area = np.sum(np.abs(below_reference - below_current) * np.diff(values))
    return float(area / max(float(np.std(reference)), _SMALLEST_NORM))


def jensen_shannon(reference: Sequence[str], current: Sequence[str]) -> float:
    """Jensen-Shannon distance (natural logarithm) between two shares of categories.

    d = sqrt((KL(p || m) + KL(q || m)) / 2), m = (p + q) / 2: 0 for equal shares, sqrt(ln 2) =
    0.833 for no category in common. k categories give about sqrt((k - 1) (1/n + 1/m) / 8) by
    chance alone. Sequences of n and m values, not empty.
    Endres, Schindelin, "A new metric for probability distributions", IEEE TIT 49 (2003) 1858.

    >>> round(jensen_shannon(["fuel"] * 90 + ["food"] * 10, ["fuel"] * 50 + ["food"] * 50), 3)
    0.319
    >>> round(jensen_shannon(["fuel"], ["food"]), 3)
    0.833
    """
    before, now = Counter(reference), Counter(current)
    categories = sorted(before | now)
    p = np.array([before[category] for category in categories]) / len(reference)
    q = np.array([now[category] for category in categories]) / len(current)
    middle = (p + q) / 2
    divergence = (_kullback_leibler(p, middle) + _kullback_leibler(q, middle)) / 2
    return sqrt(max(divergence, 0.0))


def _kullback_leibler(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log(p[there] / q[there])))


def top_movers(
    reference: Sequence[str], current: Sequence[str], most: int = 5
) -> tuple[Mover, ...]:
    """The `most` categories whose share changed, the largest change first.

    >>> top_movers(["fuel", "food"], ["fuel", "fuel"], most=1)
    (Mover(category='food', reference_share=0.5, current_share=0.0),)
    """
    before, now = Counter(reference), Counter(current)
    movers = (
        Mover(category, before[category] / len(reference), now[category] / len(current))
        for category in before | now
        if before[category] * len(current) != now[category] * len(reference)
    )
    return tuple(sorted(movers, key=_by_move)[:most])


def _by_move(mover: Mover) -> tuple[float, str]:
    return -abs(mover.current_share - mover.reference_share), mover.category


@dataclass(frozen=True, slots=True)
class AccuracySpec:
    """How far accuracy may fall below the baseline's, and how sure one must be that it did.

    A larger `confidence` asks for more labelled rows before a drop counts: to see a drop of 10
    points from 80 % past an allowed 5 takes about 300 at 0.95.
    """

    max_drop: float
    confidence: float = 0.95
    min_rows: int = 30

    def __post_init__(self) -> None:
        if not (0 < self.max_drop < 1 and 0 < self.confidence < 1 and self.min_rows > 0):
            raise Invalid("max_drop and confidence lie between 0 and 1, min_rows is at least 1.")


@dataclass(frozen=True, slots=True)
class AccuracyResult:
    """Accuracy on `rows` labelled rows with its interval; None if there were too few."""

    baseline: float
    max_drop: float
    rows: int
    accuracy: float | None
    lower: float | None
    upper: float | None
    dropped: bool


def wilson_interval(correct: int, rows: int, confidence: float) -> tuple[float, float]:
    """Two-sided score interval for a share (Wilson, JASA 22 (1927) 209).

    Centre (p + z^2/2n) / (1 + z^2/n), half width z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n):
    never outside [0, 1] and sound for shares near its ends. Assumes independent rows: labels
    that arrive in runs (one card holder's month) make it too narrow.

    >>> [round(bound, 4) for bound in wilson_interval(80, 100, 0.95)]
    [0.7112, 0.8666]
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = correct / rows, 1 + z * z / rows
    centre = (share + z * z / (2 * rows)) / scale
    half = z * sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / scale
    return max(centre - half, 0.0), min(centre + half, 1.0)


def measure_accuracy(
    spec: AccuracySpec, *, baseline: float, correct: int, rows: int
) -> AccuracyResult:
    """Accuracy now against `baseline`; it dropped if the whole interval lies below the bound.

    >>> spec = AccuracySpec(max_drop=0.05)
    >>> measure_accuracy(spec, baseline=0.8, correct=70, rows=100).dropped
    False
    >>> measure_accuracy(spec, baseline=0.8, correct=700, rows=1000).dropped
    True
    """
    if rows < spec.min_rows:
        return AccuracyResult(baseline, spec.max_drop, rows, None, None, None, dropped=False)
    lower, upper = wilson_interval(correct, rows, spec.confidence)
    dropped = upper < baseline - spec.max_drop
    return AccuracyResult(baseline, spec.max_drop, rows, correct / rows, lower, upper, dropped)


def onset(history: Sequence[tuple[datetime, frozenset[str]]]) -> dict[str, datetime]:
    """Since when each column that drifted in the newest window has done so without a break.

    `history`: start of each window with the columns that drifted in it, oldest first. Windows
    without enough rows should be left out: they say nothing about a break.
    """
    since: dict[str, datetime] = {}
    for start, drifted in history:
        since = {column: since.get(column, start) for column in sorted(drifted)}
    return since
