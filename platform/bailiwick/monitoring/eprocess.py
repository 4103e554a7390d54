"""When to alarm: a mixture of Shiryaev-Roberts e-processes with a tolerance band.

For every contrast, and pair of contrasts, k, with innovation z_t of long-run deviation s_k, both
directions and each lambda in {1/4, 1/2, 1, 2}:

    y_t = clip(+-z_t / s_k - d_k, -5, 5)
    d_k = (tolerance, through the filter, + 2.5 standard errors of the baseline's mean) / s_k
    L_t = exp(lambda y_t - lambda^2 / 2 - charge_k),     R_t = (R_{t-1} + 1) L_t,     R_0 = 0
    M_t = sum of weight * R_t;                alarm when M_t >= c

If E[L_t | past] <= 1 without drift, R_t - t is a supermartingale and so is M_t - t, whatever the
dependence between features. Hence E[T] >= c for the alarm time T: with c = windows a year / N at
least that long on average between false alarms, at most N a year (Shin, Ramdas, Rinaldo,
"E-detectors", 2203.03532; the recursion is Shiryaev 1963, Roberts 1966). The band makes the null
composite: a constant offset inside it is not drift. The clip bounds what one window can say:
no single window, however strange or large, can alarm.

Which features: e-d-BH (Dandapanthula, Ramdas, 2501.04130) on the features' own averages.

NOT guaranteed: E[L_t | past] <= 1 holds for innovations with the calibrated long-run variance
and tails. Baselines of weeks estimate it, they do not know it; `benchmarks/drift.py` measures what
that is worth. The bound is on the mean time to a false alarm, not on the chance in one year: c
must be 20 times larger for 5 % a year. Drift inside the band never alarms; drift that was in the
baseline already is the baseline.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.calibration import CLIP, LAMBDAS, MIN_ROWS, Model, Pairs
from bailiwick.monitoring.contrasts import Contrast
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.shapes import is_cut
from bailiwick.monitoring.whitening import FilterState, advance, start

STANDARD_ERRORS = 2.5
TOLERATED = 0.2  # of the smallest change worth waking somebody for
PROVISIONAL_FACTOR = 2.0
HOURS_PER_YEAR = 8_760.0
EMPHASIS = MappingProxyType({"prediction": 3.0})

_MOST = 1e200  # evidence is kept finite: an alarm came long before
_LEVEL_PAIRS_WEIGHT, _SHARE_PAIRS_WEIGHT = 0.3, 0.1
_LEVEL_WEIGHT = 0.55
_CUT_WEIGHT = 0.25  # of a feature within one segment: there are many, and few of them move alone


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What users set.

    `false_alarms_per_year`: at most so many, on average, a deployment and year; fewer means
    later. `smallest_change_sd` and `smallest_change_share`: the smallest change worth waking
    somebody for, in standard deviations of a numeric feature and in shares of all rows. A fifth
    of it is never drift; what lies between alarms later than it would at the full size, or not
    in a year. `smallest_change_requests`: the same for their number, as a ratio less one.
    """

    false_alarms_per_year: float = 1.0
    smallest_change_sd: float = 0.1
    smallest_change_share: float = 0.05
    smallest_change_requests: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.false_alarms_per_year <= 12:  # noqa: PLR2004 - one a month
            raise Invalid("More than none and at most 12 false alarms a year can be asked for.")
        if not (0 < self.smallest_change_sd <= 5 and 0 < self.smallest_change_share < 1):  # noqa: PLR2004
            raise Invalid(
                "The smallest change must lie between 0 and 5 standard deviations, and between 0 "
                "and 1 of the share of rows."
            )
        if not 0 < self.smallest_change_requests <= 100:  # noqa: PLR2004
            raise Invalid(
                "The smallest change of the number of requests must lie between 0 and 100: 0.5 is "
                "half as many again."
            )

    def smallest(self, contrast: Contrast) -> float:
        """The smallest change in units of x."""
        sizes = {
            "share": self.smallest_change_share,
            "log": math.log1p(self.smallest_change_requests),
        }
        return sizes.get(contrast.unit, self.smallest_change_sd) * contrast.per_unit

    def threshold(self, window_hours: float, *, provisional: bool) -> float:
        """c: windows a year over false alarms a year, at least 1; doubled while provisional.

        >>> Sensitivity().threshold(1, provisional=False)
        8760.0
        """
        windows = HOURS_PER_YEAR / window_hours / self.false_alarms_per_year
        return max(windows, 1.0) * (PROVISIONAL_FACTOR if provisional else 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A calibrated model and what to do with it: everything that a step needs but the window."""

    model: Model
    pairs: Pairs
    tolerance: Array
    weights: Array
    threshold: float

    @property
    def singles(self) -> int:
        """Number of contrasts that are no pairs."""
        return int(self.tolerance.shape[-1])


@dataclass(frozen=True, slots=True, eq=False)
class DetectorState:
    """All that is carried from window to window: O(contrasts), nothing of the rows.

    `evidence` R, shape (..., K, 2, 4); `since`, same shape: the judged window after which that R
    was last below 1; `windows`: judged so far.
    """

    latent: FilterState
    evidence: Array
    since: NDArray[np.int64]
    windows: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "mean": self.latent.mean.tolist(),
            "variance": self.latent.variance.tolist(),
            "evidence": self.evidence.tolist(),
            "since": self.since.tolist(),
            "windows": self.windows,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "DetectorState":
        """The state that `to_json` wrote, to the last bit."""
        return cls(
            FilterState(np.array(value["mean"]), np.array(value["variance"])),
            np.array(value["evidence"]),
            np.array(value["since"], dtype=np.int64),
            value["windows"],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What one window came to: total evidence (...), and each R averaged over lambda (..., K, 2).

    `judged` is False where no contrast had enough rows: such a window says nothing.
    """

    evidence: Array
    threshold: float
    of_contrast: Array
    judged: bool

    @property
    def alarm(self) -> NDArray[np.bool_]:
        """Where the evidence reached the threshold, shape (...)."""
        found: NDArray[np.bool_] = np.asarray(self.evidence >= self.threshold)
        return found


def detector(
    model: Model,
    contrasts: Sequence[Contrast],
    pairs: Pairs,
    sensitivity: Sensitivity,
    *,
    window_hours: float,
    provisional: bool = False,
    emphasis: Mapping[str, float] = EMPHASIS,
) -> Detector:
    """Ready to judge windows against `model`.

    `emphasis`: how many times the usual part of the mixture a feature gets. It moves delays by a
    window or so and leaves the bound alone, as long as it is chosen before looking at the data.
    """
    tolerance = np.array([TOLERATED * sensitivity.smallest(contrast) for contrast in contrasts])
    threshold = sensitivity.threshold(window_hours, provisional=provisional)
    return Detector(model, pairs, tolerance, _weights(contrasts, pairs, emphasis), threshold)


def fresh(detector: Detector) -> DetectorState:
    """Before the first window, or after an incident was closed as fixed."""
    shape = (*detector.model.spread.shape, 2, LAMBDAS.size)
    nothing = np.zeros(shape, dtype=np.int64)
    return DetectorState(start(detector.model.latent), np.zeros(shape), nothing, 0)


def step(
    detector: Detector, state: DetectorState, design: Array, x: Array, rows: Array
) -> tuple[DetectorState, Judgement]:
    """Judge one window.

    `design`: its row of the season, shape (columns,); x, rows: shape (..., C) from
    `contrasts.observe`. Contrasts with fewer than 30 rows are skipped: the filter ages, the
    evidence stays. For a window that is missing altogether pass rows of 0.

    >>> from bailiwick.monitoring.calibration import pairs_of
    >>> one = Model(*(np.array(v, float) for v in ([[0]], [0], [0], [1], [1.1], [[0] * 4], 672)))
    >>> level = Contrast("words", "level", "sd", (), (), 1.0, 0.56)
    >>> watched = detector(one, [level], pairs_of([level]), Sensitivity(), window_hours=1)
    >>> random, state = np.random.default_rng(4), fresh(watched)
    >>> for hour in range(1_100):  # three standard errors off from hour 1,000 on
    ...     x = random.normal(loc=0.15 * (hour >= 1_000), scale=0.05, size=1)
    ...     state, found = step(watched, state, np.ones(1), x, np.array([400.0]))
    ...     if found.alarm:
    ...         print(hour)
    ...         break
    1005
    """
    enough = rows >= MIN_ROWS
    residual = x - detector.model.expected(design)
    latent, moved = advance(
        detector.model.latent, state.latent, residual, np.where(enough, rows, 0.0)
    )
    judged = bool(enough.any())
    if not judged:
        return replace(state, latent=latent), _judgement(detector, state.evidence, judged=False)
    spread, pairs = detector.model.spread, detector.pairs
    z = pairs.extend(moved.z) / spread
    error = STANDARD_ERRORS / np.sqrt(detector.model.windows)[..., None]
    band = pairs.widen(detector.tolerance * moved.response) / spread + error
    y = np.clip(np.stack([z - band, -z - band], axis=-1), -CLIP, CLIP)
    gain = np.exp(y[..., None] * LAMBDAS - LAMBDAS**2 / 2 - detector.model.charge[..., None, :])
    grown = np.minimum((state.evidence + 1) * gain, _MOST)
    both = np.concatenate([enough, enough[..., pairs.first] & enough[..., pairs.second]], axis=-1)
    evidence = np.where(both[..., None, None], grown, state.evidence)
    windows = state.windows + 1
    since = np.where(evidence < 1, windows, state.since)
    return (
        DetectorState(latent, evidence, since, windows),
        _judgement(detector, evidence, judged=True),
    )


def restarted(state: DetectorState) -> DetectorState:
    """After an alarm: evidence starts anew, the filter goes on."""
    since = np.full_like(state.since, state.windows)
    return replace(state, evidence=np.zeros_like(state.evidence), since=since)


def _judgement(detector: Detector, evidence: Array, *, judged: bool) -> Judgement:
    of_contrast = evidence.mean(axis=-1)
    total = np.einsum("...kd,k->...", of_contrast, detector.weights) / 2
    return Judgement(total, detector.threshold, of_contrast, judged)


def _weights(contrasts: Sequence[Contrast], pairs: Pairs, emphasis: Mapping[str, float]) -> Array:
    """The mixture, summing to 1: 30 % on pairs of levels, 10 % on pairs of shares.

    The rest is shared by features in proportion to their emphasis, levels first within each.
    """
    features: dict[str, list[int]] = {}
    for place, contrast in enumerate(contrasts):
        features.setdefault(contrast.feature, []).append(place)
    singles = np.zeros(len(contrasts))
    for feature, places in features.items():
        main = [place for place in places if contrasts[place].main]
        others = [place for place in places if not contrasts[place].main]
        on_main = _LEVEL_WEIGHT if main and others else float(bool(main))
        singles[main] = on_main / max(len(main), 1)
        singles[others] = (1 - on_main) / max(len(others), 1)
        singles[places] *= _CUT_WEIGHT if is_cut(feature) else emphasis.get(feature, 1.0)
    levels = np.array([float(contrasts[place].main) for place in pairs.first])
    names = [contrasts[place].feature for place in pairs.first]
    shares = (1 - levels) * np.array([emphasis.get(name, 1.0) for name in names])
    on_pairs = np.zeros(pairs.sign.size)
    for kind, weight in ((levels, _LEVEL_PAIRS_WEIGHT), (shares, _SHARE_PAIRS_WEIGHT)):
        if kind.any():
            on_pairs += weight * kind / kind.sum()
    return np.concatenate([singles / singles.sum() * (1 - on_pairs.sum()), on_pairs])
