"""Questions asked of a window's summary: whether level, spread, a tail or a share has moved.

A contrast of one feature is a ratio of weighted cells of its summary,

    x_t = sum_k f(k) c_tk / sum_k g(k) c_tk,   g(k) in {0, 1}, f(k) in [-1, 1] where g(k) = 1,

so it is a mean over rows of a bounded function, whatever the feature's tails. Its variance for N
rows is v / N with the multinomial v = sum p f^2 - (sum p f)^2, p the baseline's shares.

Numeric features have a level (2 rank - 1, as in Wilcoxon's test), a spread (distance of the rank
from the middle), shares of the low and the high tail and of missing rows; categories the shares of
their most frequent names, of all others, of names that are not known and of missing; embeddings
eight random directions; keys the share of rows that repeat another of the same window.

The number of requests may be watched beside these, as its logarithm: whoever calibrates it does so
apart, since what governs it (nights, holidays, senders) governs no feature.

Assumes that the rows of a window are drawn independently GIVEN that window; what windows share
is the business of `whitening`. NOT guaranteed: a change that moves none of these functions (for
instance of the dependence between two features) is invisible.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bailiwick.monitoring.embeddings import STEPS
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.shapes import (
    CategoricalShape,
    EmbeddingShape,
    Layout,
    NumericShape,
    RepeatShape,
    Shape,
)
from bailiwick.monitoring.summaries import (
    CategoricalPart,
    EmbeddingPart,
    NumericPart,
    Part,
    RepeatPart,
    Summary,
    cells,
)

Unit = Literal["sd", "log sd", "share", "log"]

REQUESTS = "requests"
_LEAST_REQUESTS = 30.0  # behind its logarithm, so that a window of few can be judged

MAX_SHARES = 8
LEVEL, REPEATED, SHARE_OF, DIRECTION = "level", "repeated", "share of ", "direction "
_TAIL_BINS = 2
_TAIL_BINS_NEED = 6  # below this many bins a tail is hardly a tail
_PROBE_SD = 0.1  # size of the shift at which a level's slope is measured
_LEAST_STRETCH = 0.05  # a tenth of a bell shape's: of mostly one value a stretch says nothing
_ONE_SD = 0.8413  # normal distribution function at +1
_HALF_RANK = 0.5
_EVEN_ODDS = 0.25
_ONE_VALUE = 1e-12  # relative: closer together, edges hold one value between them


@dataclass(frozen=True, slots=True)
class Contrast:
    """One question about one feature.

    `per_unit` is how far x moves when the feature moves by one unit: a standard deviation, a
    natural logarithm of it, or a share of all rows. `main` ones are also watched in pairs.
    """

    feature: str
    name: str
    unit: Unit
    weights: tuple[float, ...]
    counted: tuple[float, ...]
    variance: float
    per_unit: float
    main: bool = False


def contrasts_of(layout: Layout, reference: Summary) -> tuple[Contrast, ...]:
    """The contrasts of every feature that has rows in `reference`, in the layout's order.

    A feature never seen there has no contrasts: it is not watched until a new baseline.

    >>> from bailiwick.monitoring.shapes import CategoricalShape, Layout
    >>> from bailiwick.monitoring.summaries import summarize
    >>> layout = Layout((CategoricalShape("label", ("fuel", "food")),))
    >>> rows = summarize(layout, {"label": ["fuel"] * 60 + ["food"] * 40})
    >>> [(c.name, round(c.variance, 4)) for c in contrasts_of(layout, rows)]
    [('share of fuel', 0.24), ('share of food', 0.24), ('other', 0.0), ('missing', 0.0)]
    """
    return tuple(
        contrast
        for shape in layout.features
        for contrast in _contrasts(shape, reference.parts[shape.name])
    )


def requests_contrast() -> Contrast:
    """The number of requests of a window; Poisson's variance if nothing else governs it."""
    return Contrast(REQUESTS, "number", "log", (), (), 1.0, 1.0)


def observed_requests(requests: int) -> tuple[float, float]:
    """(x, rows) of that contrast for one window; without any it says nothing.

    >>> observed_requests(0), observed_requests(1)
    ((0.0, 0.0), (0.0, 30.0))
    """
    return (math.log(requests), requests + _LEAST_REQUESTS - 1) if requests else (0.0, 0.0)


def observe(layout: Layout, contrasts: Sequence[Contrast], summary: Summary) -> tuple[Array, Array]:
    """(x, rows) of one window, each of shape (contrasts,); x is 0 where there are no rows.

    Takes the same time for any number of rows.
    """
    found = {shape.name: cells(summary.parts[shape.name]) for shape in layout.features}
    x, rows = np.zeros(len(contrasts)), np.zeros(len(contrasts))
    for place, contrast in enumerate(contrasts):
        if contrast.feature == REQUESTS:
            x[place], rows[place] = observed_requests(summary.rows)
            continue
        counts = found[contrast.feature]
        rows[place] = counts @ np.array(contrast.counted)
        x[place] = counts @ np.array(contrast.weights) / max(rows[place], 1.0)
    return x, rows


def multinomial_variance(shares: Array, weights: Array) -> float:
    """Variance of f(K) for one row whose cell K has probabilities `shares`.

    >>> multinomial_variance(np.array([0.5, 0.5]), np.array([-1.0, 1.0]))
    1.0
    """
    mean = shares @ weights
    return float(shares @ weights**2 - mean**2)


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of a numeric feature, straight between the edges of its bins.

    Made of counts and the range alone, which merge exactly: the same rows give the same numbers,
    whatever the order they came in. `places` ascend, `below` are the shares of rows below each.
    """

    places: Array
    below: Array
    spacing: float

    @classmethod
    def of(cls, shape: NumericShape, part: NumericPart) -> "Spread":
        """Of the rows that have a value; at least one."""
        edges = np.array(shape.edges)
        counts = np.array(part.counts[:-1], dtype=np.float64)
        low = edges[0] if part.minimum is None else min(part.minimum, edges[0])
        high = edges[-1] if part.maximum is None else max(part.maximum, edges[-1])
        places = np.array([low, *edges, np.nextafter(high, np.inf)])
        apart = np.diff(edges)
        tied = apart < np.abs(edges[:-1]) * _ONE_VALUE + np.finfo(np.float64).tiny
        spacing = float(apart[~tied].min()) if tied.any() and not tied.all() else 0.0
        below = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
        return cls(places, below, spacing)

    def shares(self, edges: Array) -> Array:
        """Share of the rows in each bin between ascending `edges`: one bin more."""
        below = np.interp(edges, self.places, self.below, left=0.0, right=1.0)
        return np.diff(below, prepend=0.0, append=1.0)

    def quantile(self, rank: float) -> float:
        """The value below which that share of the rows lies."""
        return float(np.interp(rank, self.below, self.places))


def robust_sd(shape: NumericShape, part: NumericPart) -> float:
    """Half the distance between the quantiles one normal standard deviation off the median.

    For bell shapes the standard deviation; for heavy tails not governed by a few rows. Falls
    back to the moments where more than two thirds of the rows are one value; 0 for a constant.
    """
    rows = sum(part.counts[:-1])
    if not rows:
        return 0.0
    spread = Spread.of(shape, part)
    wide = (spread.quantile(_ONE_SD) - spread.quantile(1 - _ONE_SD)) / 2
    moments = np.sqrt(max(part.squares / rows - (part.total / rows) ** 2, 0.0))
    return wide if wide > moments * _ONE_VALUE else float(moments)


def _contrasts(shape: Shape, part: Part) -> Iterator[Contrast]:
    if isinstance(shape, NumericShape) and isinstance(part, NumericPart):
        yield from _numeric(shape, part)
    elif isinstance(shape, CategoricalShape) and isinstance(part, CategoricalPart):
        yield from _categorical(shape, part)
    elif isinstance(shape, EmbeddingShape) and isinstance(part, EmbeddingPart):
        yield from _embedding(shape, part)
    elif isinstance(shape, RepeatShape) and isinstance(part, RepeatPart):
        yield from _repeats(shape, part)


def _numeric(shape: NumericShape, part: NumericPart) -> Iterator[Contrast]:
    counts = cells(part)
    present, bins = counts[:-1].sum(), shape.cells - 1
    if not present:
        return
    shares = counts[:-1] / present
    ranks = np.cumsum(shares) - shares / 2
    level, spread = 2 * ranks - 1, 2 * np.abs(2 * ranks - 1) - 1
    there = (1.0,) * bins + (0.0,)
    slope, stretch = _slopes(shape, part, np.stack([level, spread]))

    def contrast(name: str, unit: Unit, weights: Array, per_unit: float, main: bool) -> Contrast:  # noqa: FBT001 - private
        variance = multinomial_variance(shares, weights)
        kept = (*weights.tolist(), 0.0)
        return Contrast(shape.name, name, unit, kept, there, variance, per_unit, main)

    if slope > 0:
        yield contrast(LEVEL, "sd", level, slope, main=shape.cut is None)
    else:  # a constant: what moves is the share of rows that are something else
        yield contrast(LEVEL, "share", level, 1.0, main=shape.cut is None)
    if stretch >= _LEAST_STRETCH:
        yield contrast("spread", "log sd", spread, stretch, main=False)
    if bins >= _TAIL_BINS_NEED:
        place = np.arange(bins)
        low = (place < _TAIL_BINS).astype(np.float64)
        yield contrast("low tail", "share", low, 1.0, main=False)
        yield contrast("high tail", "share", low[::-1], 1.0, main=False)
    yield _share(shape.name, "missing", shape.cells - 1, counts)


def _slopes(shape: NumericShape, part: NumericPart, weights: Array) -> tuple[float, float]:
    """How far the level moves per sd of a shift, and the spread per logarithm of a stretch.

    Both by moving the baseline's own distribution by a tenth of an sd each way: bins of the
    shifted rows are the unshifted distribution between shifted edges. Whole numbers move by one
    at least: a fraction would move each of them past its edge, as one does.
    """
    sd = robust_sd(shape, part)
    if sd == 0:
        return 0.0, 0.0
    edges, spread = np.array(shape.edges), Spread.of(shape, part)
    middle = spread.quantile(_HALF_RANK)

    def mean(row: int, moved: Array) -> float:
        return float(weights[row] @ spread.shares(moved))

    shift, factor = max(_PROBE_SD * sd, spread.spacing), np.exp(_PROBE_SD)
    slope = mean(0, edges - shift) - mean(0, edges + shift)
    stretch = mean(1, middle + (edges - middle) / factor) - mean(
        1, middle + (edges - middle) * factor
    )
    return slope * sd / (2 * shift), stretch / (2 * _PROBE_SD)


def _categorical(shape: CategoricalShape, part: CategoricalPart) -> Iterator[Contrast]:
    counts = cells(part)
    if not counts[:-1].sum():
        return
    for place, name in enumerate(shape.known[:MAX_SHARES]):
        yield _share(shape.name, f"{SHARE_OF}{name}", place, counts)
    rest = (*range(MAX_SHARES, len(shape.known)), shape.cells - 2)
    yield _share(shape.name, "other", rest, counts)
    if len(rest) > 1:
        yield _share(shape.name, "unknown", shape.cells - 2, counts)
    yield _share(shape.name, "missing", shape.cells - 1, counts)


def _share(feature: str, name: str, places: int | Sequence[int], counts: Array) -> Contrast:
    weights = np.zeros(counts.size)
    weights[np.array(places)] = 1.0
    variance = multinomial_variance(counts / counts.sum(), weights)
    everything = (1.0,) * counts.size
    return Contrast(feature, name, "share", tuple(weights.tolist()), everything, variance, 1.0)


def _embedding(shape: EmbeddingShape, part: EmbeddingPart) -> Iterator[Contrast]:
    if not part.rows:
        return
    totals = cells(part)
    for place, squares in enumerate(part.squares):
        mean = totals[place] / part.rows
        variance = max(squares / STEPS**2 / part.rows - mean**2, 0.0)
        sd = float(np.sqrt(variance))
        yield _ratio(shape, f"{DIRECTION}{place + 1}", "sd", place, variance, sd or 1.0)
    yield _absent(shape, part)


def _repeats(shape: RepeatShape, part: RepeatPart) -> Iterator[Contrast]:
    """The share is one of each window, not of the baseline's windows together, where more repeat.

    So its variance is not known from there: it is that of even odds, and what windows show.
    """
    if not part.rows:
        return
    yield _ratio(shape, REPEATED, "share", 0, _EVEN_ODDS, 1.0)
    yield _absent(shape, part)


def _ratio(
    shape: EmbeddingShape | RepeatShape,
    name: str,
    unit: Unit,
    place: int,
    variance: float,
    per_unit: float,
) -> Contrast:
    """One cell as a share or mean of the rows that are there, which are the last cell but one."""
    weights, present = np.zeros(shape.cells), np.zeros(shape.cells)
    weights[place] = present[-2] = 1.0
    return Contrast(shape.name, name, unit, tuple(weights), tuple(present), variance, per_unit)


def _absent(shape: EmbeddingShape | RepeatShape, part: EmbeddingPart | RepeatPart) -> Contrast:
    absent = np.zeros(shape.cells)
    absent[-1] = 1.0
    either = absent.copy()
    either[-2] = 1.0
    lost = part.missing / (part.rows + part.missing)
    return Contrast(
        shape.name, "missing", "share", tuple(absent), tuple(either), lost * (1 - lost), 1.0
    )
