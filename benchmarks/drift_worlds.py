"""Simulated deployments: windows of traffic with known truth, drawn as counts, not row by row.

Fifteen features: ten numeric and five categorical, the predicted label among them. In window t
feature j has a location m_jt (standard deviations; log-odds slope for categories); a world says
what m does when nothing is wrong, how rows are distributed around it, and how many there are.
Given m, the counts in the bins are multinomial, which is what binning rows would give.

The size of the autocorrelated world was not chosen freely: 0.027 standard deviations is where the
detector as first prototyped (single contrasts, the long-run variance times 1.2) needs 90 windows
for 0.1 in 2 of 10 columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

from bailiwick.monitoring.contrasts import contrasts_of
from bailiwick.monitoring.shapes import CategoricalShape, Layout, NumericShape, numeric_shape
from bailiwick.monitoring.sketches import Sketch
from bailiwick.monitoring.summaries import (
    CategoricalPart,
    NumericPart,
    Part,
    Summary,
    summarize,
)

Array = NDArray[np.float64]

NUMERIC = tuple(f"numeric {place}" for place in range(10))
CATEGORIES = {
    "prediction": (0.30, 0.22, 0.18, 0.12, 0.10, 0.08),
    "channel": (0.6, 0.4),
    "region": (0.4, 0.3, 0.2, 0.1),
    "source": (0.35, 0.20, 0.15, 0.10, 0.08, 0.06, 0.04, 0.02),
    "language": (0.90, 0.07, 0.03),
}
FEATURES = (*NUMERIC, *CATEGORIES)
HOURS_PER_DAY, DAYS_PER_WEEK, HOURS_PER_WEEK = 24, 7, 168
_FRIDAY_MIDNIGHT = 120
_SAMPLED_ROWS = 4_000
_T2_ROBUST_SD = 1.3204  # half the distance of its quantiles at 0.1587 and 0.8413
_WARM_UP = 300


@dataclass(frozen=True, slots=True)
class World:
    """What goes on when nothing is wrong; amplitudes in standard deviations of a feature.

    season: daily and weekly rhythm; latent, phi: AR(1) of each feature; shared: AR(1) of one
    factor in all; shocks: windows that differ, Student t with 3 degrees of freedom; heavy: rows
    with 2 degrees of freedom; mixed: volumes with a rhythm and a random walk of their own;
    sharp: office hours that begin and end at once.
    """

    name: str
    season: float = 0.0
    latent: float = 0.0
    phi: float = 0.9
    shared: float = 0.0
    shocks: float = 0.0
    heavy: bool = False
    mixed: bool = False
    sharp: float = 0.0


IN_THE_BAR = (
    World("iid"),
    World("seasonal", season=0.15),
    World("autocorrelated", season=0.15, latent=0.027),
    World("heavy tails", season=0.15, shocks=0.01, heavy=True),
    World("mixed volumes", season=0.15, latent=0.01, phi=0.6, mixed=True),
)
BEYOND = (
    World("shared factor", season=0.15, latent=0.01, shared=0.05),
    World("office hours", season=0.05, sharp=0.2),
    World("slow wander", season=0.15, latent=0.03, phi=0.98),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A shift of `size`: sd in two of the ten numeric features, or points of predicted labels.

    It begins at `onset` and is complete after `ramp` windows. A label's points come from one
    other label, or from all others in proportion if `spread`.
    """

    kind: str
    size: float
    onset: int
    ramp: int = 0
    spread: bool = False

    def course(self, windows: int) -> Array:
        """Its size in every window."""
        since = np.arange(windows) - self.onset + 1
        return self.size * np.clip(since / max(self.ramp, 1), 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What happened in every window of every stream.

    `rows`: (streams, windows). `moved`: for each stream the features that the change moves.
    `x`, `counted`: (streams, windows, contrasts). `counts`: of each feature, (streams, windows,
    cells). `location`: (streams, windows, features), with the change for numeric ones.
    """

    world: World
    layout: Layout
    rows: NDArray[np.int64]
    moved: tuple[frozenset[str], ...]
    references: tuple[Summary, ...]
    x: Array
    counted: Array
    counts: dict[str, NDArray[np.int64]]
    location: Array


def simulate(
    world: World,
    *,
    seed: int,
    streams: int,
    windows: int,
    rows: int,
    baseline: int,
    window_hours: int = 1,
    change: Change | None = None,
) -> Traffic:
    """`streams` independent deployments of `windows` windows, the first `baseline` quiet.

    Each has a season of its own. The contrasts of each come from its own baseline's counts, by
    the product's code.
    """
    random = np.random.default_rng(seed)
    location = _locations(world, random, streams, windows, window_hours)
    volumes = _volumes(world, random, streams, windows, rows, window_hours)
    moved = _moved(random, streams, change)
    counts = dict(_counts(world, random, location, volumes, moved, change))
    layout = layout_of(heavy=world.heavy)
    references, x, counted = [], [], []
    for stream in range(streams):
        reference = _reference(world, random, layout, location[stream], baseline, counts, stream)
        asked = contrasts_of(layout, reference)
        weights = [np.array(contrast.weights) for contrast in asked]
        places = [np.array(contrast.counted) for contrast in asked]
        own = [counts[contrast.feature][stream] for contrast in asked]
        below = np.stack([c @ w for c, w in zip(own, places, strict=True)], axis=-1)
        above = np.stack([c @ w for c, w in zip(own, weights, strict=True)], axis=-1)
        references.append(reference)
        counted.append(below)
        x.append(above / np.maximum(below, 1))
    return Traffic(
        world=world,
        layout=layout,
        rows=volumes,
        moved=moved,
        references=tuple(references),
        x=np.stack(x),
        counted=np.stack(counted),
        counts=counts,
        location=location,
    )


@cache
def layout_of(*, heavy: bool) -> Layout:
    """Bins from a sketch of 20,000 rows, as a deployment would have them."""
    random = np.random.default_rng(12)
    numeric = [
        numeric_shape(name, Sketch.of(_rows(random, 20_000, heavy=heavy), k=200))
        for name in NUMERIC
    ]
    categorical = [
        CategoricalShape(name, tuple(f"{name} {k}" for k in range(len(shares))))
        for name, shares in CATEGORIES.items()
    ]
    return Layout((*numeric, *categorical))


def columns_of(random: np.random.Generator, rows: int) -> dict[str, Array | NDArray[np.str_]]:
    """Real rows of the quiet world without a season, for measuring what summarising costs."""
    columns: dict[str, Array | NDArray[np.str_]] = {
        name: random.normal(size=rows) for name in NUMERIC
    }
    for name, shares in CATEGORIES.items():
        names = np.array([f"{name} {k}" for k in range(len(shares))])
        columns[name] = random.choice(names, size=rows, p=shares)
    return columns


def _rows(random: np.random.Generator, size: int, *, heavy: bool) -> Array:
    return random.standard_t(2, size) / _T2_ROBUST_SD if heavy else random.normal(size=size)


def distribution(edges: Array, *, heavy: bool) -> Array:
    """Distribution function of a row, in units of the (robust) standard deviation."""
    if not heavy:
        found: Array = ndtr(edges)
        return found
    scaled = edges * _T2_ROBUST_SD
    return 0.5 + scaled / (2 * np.sqrt(2 + scaled**2))


def quantiles(below: Array, *, heavy: bool) -> Array:
    """The inverse of `distribution`, elementwise, for numbers strictly between 0 and 1."""
    if not heavy:
        found: Array = ndtri(below)
        return found
    return (2 * below - 1) / np.sqrt(2 * below * (1 - below)) / _T2_ROBUST_SD


def _ar(random: np.random.Generator, shape: tuple[int, ...], phi: float, sd: float) -> Array:
    """Stationary AR(1) along axis 1."""
    steps = random.normal(size=(shape[0], shape[1] + _WARM_UP, *shape[2:]))
    found: Array = lfilter([1.0], [1.0, -phi], steps * sd * np.sqrt(1 - phi**2), axis=1)
    return found[:, _WARM_UP:]


def _locations(
    world: World, random: np.random.Generator, streams: int, windows: int, window_hours: int
) -> Array:
    shape = (streams, windows, len(FEATURES))
    one = (streams, 1, len(FEATURES))
    hours = (np.arange(windows) + 0.5) * window_hours
    weekend = (hours % HOURS_PER_WEEK >= _FRIDAY_MIDNIGHT)[None, :, None]
    found = np.zeros(shape)
    for cycles in range(1, 5):
        size = world.season / cycles * random.normal(size=one)
        at_weekends = 1 + 0.5 * random.normal(size=one) * weekend
        phase = random.uniform(0, 2 * np.pi, one)
        angle = 2 * np.pi * cycles * hours[None, :, None] / HOURS_PER_DAY
        found += size * at_weekends * np.cos(angle + phase)
    found += 0.7 * world.season * random.normal(size=one) * weekend
    angle = 2 * np.pi * hours[None, :, None] / HOURS_PER_WEEK
    phase = random.uniform(0, 2 * np.pi, one)
    found += 0.3 * world.season * random.normal(size=one) * np.cos(angle + phase)
    found += _ar(random, shape, world.phi, world.latent)
    if world.shared:
        factor = _ar(random, (streams, windows, 1), 0.9, world.shared)
        found += factor * random.choice([-1.0, 1.0], one) * random.uniform(0.5, 1.0, one)
    if world.shocks:
        found += world.shocks * random.standard_t(3, size=shape)
    if world.sharp:
        clock = hours % HOURS_PER_DAY
        office = ((clock >= 8) & (clock < 18))[None, :, None] & ~weekend  # noqa: PLR2004 - eight to six
        found += world.sharp * random.normal(size=one) * office
    return found


def _volumes(
    world: World,
    random: np.random.Generator,
    streams: int,
    windows: int,
    rows: int,
    window_hours: int,
) -> NDArray[np.int64]:
    if not world.mixed:
        return np.full((streams, windows), rows, dtype=np.int64)
    hours = (np.arange(windows) + 0.5) * window_hours
    weekend = hours % HOURS_PER_WEEK >= _FRIDAY_MIDNIGHT
    rhythm = 1.2 * np.cos(2 * np.pi * (hours - 14) / HOURS_PER_DAY) - 0.7 * weekend
    wander = _ar(random, (streams, windows, 1), 0.8, 0.4)[..., 0]
    burst = np.where(random.random((streams, windows)) < 0.002, np.log(20.0), 0.0)  # noqa: PLR2004
    return random.poisson(rows * np.exp(rhythm + wander + burst))


def _moved(
    random: np.random.Generator, streams: int, change: Change | None
) -> tuple[frozenset[str], ...]:
    if change is None:
        return (frozenset(),) * streams
    if change.kind == "label":
        return (frozenset({"prediction"}),) * streams
    drawn = [random.choice(len(NUMERIC), 2, replace=False) for _ in range(streams)]
    return tuple(frozenset(NUMERIC[place] for place in places) for places in drawn)


def _counts(
    world: World,
    random: np.random.Generator,
    location: Array,
    volumes: NDArray[np.int64],
    moved: tuple[frozenset[str], ...],
    change: Change | None,
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    windows = volumes.shape[1]
    course = change.course(windows) if change else np.zeros(windows)
    shapes = {shape.name: shape for shape in layout_of(heavy=world.heavy).features}
    for place, name in enumerate(FEATURES):
        where, shape = location[..., place], shapes[name]  # a view: the change is kept in it
        touched = np.array([name in features for features in moved], dtype=np.float64)
        shift = touched[:, None] * course
        if isinstance(shape, NumericShape):
            where += shift
            below = distribution(np.array(shape.edges) - where[..., None], heavy=world.heavy)
            shares = np.diff(below, axis=-1, prepend=0.0, append=1.0)
            empty = 1
        else:
            shares = _mixed(np.array(CATEGORIES[name]), where)
            if touched.any():
                shares = _relabelled(random, shares, shift, spread=change and change.spread)
            empty = 2
        drawn = random.multinomial(volumes, shares / shares.sum(axis=-1, keepdims=True))
        yield name, np.pad(drawn, ((0, 0), (0, 0), (0, empty)))


def _mixed(shares: Array, where: Array) -> Array:
    tilted = shares * np.exp(where[..., None] * np.linspace(-1, 1, shares.size))
    found: Array = tilted / tilted.sum(axis=-1, keepdims=True)
    return found


def _relabelled(
    random: np.random.Generator, shares: Array, points: Array, *, spread: bool | None
) -> Array:
    """`points` more of one label (drawn for every stream), taken from one other or from all."""
    found = shares.copy()
    for stream in range(shares.shape[0]):
        to, source = random.choice(3, 2, replace=False)
        own, more = found[stream], points[stream]
        if spread:
            own *= (1 - more / (1 - own[:, to]))[:, None]
            own[:, to] = 1 - np.delete(own, to, axis=1).sum(axis=1)
        else:
            own[:, to] += more
            own[:, source] -= more
    return found


def _reference(
    world: World,
    random: np.random.Generator,
    layout: Layout,
    location: Array,
    baseline: int,
    counts: dict[str, NDArray[np.int64]],
    stream: int,
) -> Summary:
    """The baseline's windows as one summary: exact counts, sketches of a sample of its rows."""
    drawn = random.integers(0, baseline, _SAMPLED_ROWS)
    columns = {
        name: location[drawn, place] + _rows(random, _SAMPLED_ROWS, heavy=world.heavy)
        for place, name in enumerate(NUMERIC)
    }
    sample = summarize(layout, columns)
    parts: dict[str, Part] = {}
    for name, part in sample.parts.items():
        total = tuple(counts[name][stream, :baseline].sum(axis=0).tolist())
        if isinstance(part, NumericPart):
            parts[name] = NumericPart(
                total, part.total, part.squares, part.minimum, part.maximum, part.sketch
            )
        else:
            parts[name] = CategoricalPart(total)
    return Summary(sample.layout, sum(total), parts, {})
