"""What an alarm says: which features, since when, which way, and how much in their own units.

Which: features are ranked by the evidence of their contrasts, a pair's evidence counting half for
each of the two; `confirmed` are those that e-d-BH would name on their own evidence.

Since when and how much: for the strongest contrast, either a step at an unknown window v or a
straight line that starts there and goes on until now, seen through the same whitening filter. For
each of them let h_t be what the filter makes of a change that is now of size 1; then

    size = sum z_t h_t / sum h_t^2,     gain = (sum z_t h_t)^2 / (2 s^2 sum h_t^2),
    p(kind, v) proportional to exp(gain) / sqrt(sum h_t^2),

the posterior under flat priors (Smith, Biometrika 62 (1975) 407). The onset is the mode of p over
v, its interval the smallest set of 95 %, from the first to the last window in it; the size is
that of the likeliest change, as it is now. `gradual` says that the line has 95 % of p.

Assumes one change. NOT guaranteed: an alarm is what makes us look, so sizes are a little too
large on average, the more the smaller they are; a line that has stopped looks like a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.calibration import MIN_ROWS
from bailiwick.monitoring.contrasts import Contrast
from bailiwick.monitoring.eprocess import Detector, DetectorState, Judgement, Sensitivity
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.shapes import Layout, NumericShape
from bailiwick.monitoring.summaries import CategoricalPart, NumericPart, Summary, sketch_of
from bailiwick.monitoring.whitening import advance, start

Cause = Literal["missing values", "new categories", "gradual change", "abrupt change"]

LONGEST_HISTORY = 1_000
_CREDIBLE = 0.95
_NORMAL_95 = 1.96
_TINY = 1e-300
_MOST_MOVES = 5
MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A feature, the evidence against it, and its contrast that moved most."""

    feature: str
    evidence: float
    confirmed: bool
    contrast: int
    direction: Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of one contrast: places in the history handed in, sizes in the contrast's unit.

    `onset`, `earliest`, `latest` are places; `size` with its 95 % interval [lower, upper].
    `worth_waking`: the interval reaches the smallest change worth waking somebody for.
    """

    onset: int
    earliest: int
    latest: int
    size: float
    lower: float
    upper: float
    gradual: bool
    worth_waking: bool


@dataclass(frozen=True, slots=True)
class Move:
    """One figure of a feature before and after."""

    name: str
    before: float
    after: float


def suspects(
    detector: Detector, contrasts: Sequence[Contrast], judgement: Judgement
) -> tuple[Suspect, ...]:
    """The features by evidence, strongest first; of one stream, not of a stack.

    `confirmed`: e-d-BH at the detector's threshold c. With F features in order of their own
    average evidence E_(1) >= ... >= E_(F), the first k are confirmed for the largest k with
    E_(k) >= F c / k.
    """
    singles = detector.singles
    weighted = judgement.of_contrast * detector.weights[:, None] / 2
    evidence: dict[str, float] = {}
    for contrast, of_contrast in zip(contrasts, weighted[:singles], strict=True):
        evidence[contrast.feature] = evidence.get(contrast.feature, 0.0) + of_contrast.sum()
    own = dict(evidence)
    pairs = detector.pairs
    strongest = weighted[:singles].copy()
    for first, second, sign, of_pair in zip(
        pairs.first, pairs.second, pairs.sign, weighted[singles:], strict=True
    ):
        for place, turn in ((first, 1.0), (second, sign)):
            feature = contrasts[place].feature
            evidence[feature] += of_pair.sum() / 2
            strongest[place] += (of_pair if turn > 0 else of_pair[::-1]) / 2
    part = dict.fromkeys(own, 0.0)  # of the mixture
    for contrast, weight in zip(contrasts, detector.weights[:singles], strict=True):
        part[contrast.feature] += weight
    named = _confirmed({feature: own[feature] / part[feature] for feature in own}, detector)
    return tuple(
        _suspect(feature, evidence[feature], feature in named, contrasts, strongest)
        for feature in sorted(evidence, key=lambda name: (-evidence[name], name))
    )


def shift_of(
    detector: Detector,
    contrast: Contrast,
    place: int,
    *,
    x: Array,
    rows: Array,
    expected: Array,
    sensitivity: Sensitivity,
) -> Shift:
    """The change in contrast `place` over the last windows, the newest one last.

    x, rows, expected: shape (H,), the contrast's values, rows and season; H at most 1,000. Take
    windows from well before the suspected onset. Costs O(H^2), at an alarm only.
    """
    if not 1 < x.size <= LONGEST_HISTORY:
        raise Invalid(f"An onset is sought in 2 to {LONGEST_HISTORY} windows.")
    spread = float(detector.model.spread[place])
    windows = x.size
    remaining = windows - np.arange(windows)
    line = np.maximum(np.arange(windows)[:, None] - np.arange(windows) + 1.0, 0.0) / remaining
    inputs = np.concatenate([(x - expected)[:, None], np.tri(windows), line], axis=1)
    outputs, response = _filtered(detector, place, inputs, rows)
    posterior, size, information = _posterior(outputs[:, 0], outputs[:, 1:], spread)
    of_onset = posterior.reshape(2, windows).sum(axis=0)
    best = int(posterior.argmax())
    inside = _smallest_set(of_onset)
    baseline = spread**2 / max(response**2 * float(detector.model.windows), _TINY)
    error = _NORMAL_95 * np.sqrt(spread**2 / information[best] + baseline)
    found = np.array([size[best], size[best] - error, size[best] + error]) / contrast.per_unit
    smallest = sensitivity.smallest(contrast) / contrast.per_unit
    return Shift(
        onset=int(of_onset.argmax()),
        earliest=int(inside.min()),
        latest=int(inside.max()),
        size=float(found[0]),
        lower=float(found[1]),
        upper=float(found[2]),
        gradual=bool(posterior[windows:].sum() > _CREDIBLE),
        worth_waking=bool(np.abs(found[1:]).max() >= smallest),
    )


def moves(layout: Layout, feature: str, before: Summary, after: Summary) -> tuple[Move, ...]:
    """What a person compares, before and after.

    Of a numeric feature mean, quartiles (of sketches: 2.6 % of rank off), range and the share of
    missing rows; of a categorical one the shares that moved most, "(other)" and "(missing)"
    among them; of others nothing.
    """
    shape = next(shape for shape in layout.features if shape.name == feature)
    old, new = before.parts[feature], after.parts[feature]
    if isinstance(old, CategoricalPart) and isinstance(new, CategoricalPart):
        names = (*getattr(shape, "known", ()), "(other)", "(missing)")
        was, now = np.array(old.counts, float), np.array(new.counts, float)
        was, now = was / max(was.sum(), 1), now / max(now.sum(), 1)
        order = np.argsort(-np.abs(now - was), kind="stable")[:_MOST_MOVES]
        return tuple(Move(names[k], float(was[k]), float(now[k])) for k in order)
    if isinstance(old, NumericPart) and isinstance(new, NumericPart):
        pivot = shape.pivot if isinstance(shape, NumericShape) else 0.0
        figures = [_figures(part, pivot) for part in (old, new)]
        both = [name for name in figures[0] if name in figures[1]]
        return tuple(Move(name, figures[0][name], figures[1][name]) for name in both)
    return ()


def likely_cause(contrast: Contrast, suspect: Suspect, shift: Shift) -> Cause:
    """A first guess from what moved most and how; segments and schema are for the caller to add.

    >>> other = Contrast("merchant", "other", "share", (), (), 0.0, 1.0)
    >>> step = Shift(5, 5, 5, 0.1, 0.05, 0.15, gradual=False, worth_waking=True)
    >>> likely_cause(other, Suspect("merchant", 9e3, True, 0, "up"), step)
    'new categories'
    """
    if contrast.name == "missing" and suspect.direction == "up":
        return "missing values"
    if contrast.name in ("other", "unknown") and suspect.direction == "up":
        return "new categories"
    return "gradual change" if shift.gradual else "abrupt change"


def onset_guess(state: DetectorState, suspect: Suspect) -> int:
    """Judged windows since the suspect's evidence was last below 1: a first, free estimate.

    Looks at the lambda with the most evidence, in the state at the alarm, before it is restarted.
    """
    column = 0 if suspect.direction == "up" else 1
    best = int(state.evidence[suspect.contrast, column].argmax())
    return int(state.windows - state.since[suspect.contrast, column, best])


def _confirmed(evidence: dict[str, float], detector: Detector) -> set[str]:
    order = sorted(evidence, key=lambda name: -evidence[name])
    passed = [
        rank
        for rank, name in enumerate(order, start=1)
        if evidence[name] >= len(order) * detector.threshold / rank
    ]
    return set(order[: max(passed, default=0)])


def _suspect(
    feature: str,
    evidence: float,
    confirmed: bool,  # noqa: FBT001 - private
    contrasts: Sequence[Contrast],
    strongest: Array,
) -> Suspect:
    places = [place for place, contrast in enumerate(contrasts) if contrast.feature == feature]
    row, column = np.unravel_index(strongest[places].argmax(), (len(places), 2))
    return Suspect(
        feature, float(evidence), confirmed, places[int(row)], "down" if column else "up"
    )


def _filtered(detector: Detector, place: int, inputs: Array, rows: Array) -> tuple[Array, float]:
    """Each column of `inputs` (H, columns) through the filter of contrast `place`, unclipped."""
    model = detector.model
    latent = replace(model.latent, a=model.a[place], phi=model.phi[place], v=model.v[place])
    columns = inputs.shape[1]
    state = start(latent)
    state = replace(state, mean=np.zeros(columns))
    outputs, response = np.zeros_like(inputs), 0.0
    enough = np.where(rows >= MIN_ROWS, rows, 0.0)
    for window in range(inputs.shape[0]):
        state, moved = advance(latent, state, inputs[window], enough[window], clip=np.inf)
        outputs[window] = moved.z
        response = float(moved.response)
    return outputs, response


def _posterior(z: Array, shapes: Array, spread: float) -> tuple[Array, Array, Array]:
    """(probability, size, sum of squares) for every candidate change, a column of `shapes`."""
    information = np.maximum((shapes**2).sum(axis=0), _TINY)
    along = z @ shapes
    gain = along**2 / (2 * spread**2 * information)
    height = np.where(information > _TINY, gain - np.log(information) / 2, -np.inf)
    posterior = np.exp(height - height.max())
    return posterior / posterior.sum(), along / information, information


def _smallest_set(posterior: Array) -> NDArray[np.intp]:
    order = np.argsort(-posterior, kind="stable")
    reached = int(np.searchsorted(np.cumsum(posterior[order]), _CREDIBLE))
    return order[: reached + 1]


def _figures(part: NumericPart, pivot: float) -> dict[str, float]:
    rows = sum(part.counts)
    sketch = sketch_of(part)
    if not len(sketch):
        return {"missing": 1.0}
    low, middle, high = sketch.quantiles([0.25, 0.5, 0.75])
    return {
        MEAN: pivot + part.total / len(sketch),
        "first quartile": low,
        "median": middle,
        "third quartile": high,
        "lowest": low if part.minimum is None else part.minimum,
        "highest": high if part.maximum is None else part.maximum,
        "missing": part.counts[-1] / max(rows, 1),
    }
