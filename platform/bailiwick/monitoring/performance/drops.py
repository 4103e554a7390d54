"""How far accuracy fell and since when, and whether that is worth waking somebody.

For losses x_t of labelled windows with variance v_t = b (1 - b) (1 / n_t + rho), and every window u
as the start of a step, or of a straight line that goes on until now, h_t its height at t:

    size = sum (x_t - b) h_t / v_t / I,    I = sum h_t^2 / v_t,
    p(kind, u) proportional to exp(size^2 I / 2) / sqrt(I),

the posterior under flat priors, as in `explanations` (Smith, Biometrika 62 (1975) 407). The size
is that of the likeliest change, as it is now; its interval adds the baseline's own error.

Assumes one change. NOT guaranteed: after an alarm sizes are a little too large, the more the
smaller they are. Labels that are still missing are taken to be like those that came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.performance.estimates import Estimate
from bailiwick.monitoring.performance.expected import Expected, LabelledWindow
from bailiwick.monitoring.seasons import Array

LONGEST_HISTORY = 1_000
_CREDIBLE, _NORMAL_95 = 0.95, 1.96
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Drop:
    """A fall of accuracy since window `onset`, between `earliest` and `latest` (95 %).

    `size` and its 95 % interval [lower, upper] are of 1; below 0 accuracy rose.
    """

    onset: int
    earliest: int
    latest: int
    size: float
    lower: float
    upper: float
    gradual: bool


@dataclass(frozen=True, slots=True)
class Loss:
    """What performance says to whoever decides on severity, and why."""

    worth_waking: bool
    source: str
    size: float | None
    sentence: str


def drop_of(expected: Expected, windows: Sequence[LabelledWindow]) -> Drop:
    """The change in `windows`, which start well before it and end now, with labels as they stand.

    Raises `Invalid` below 2 or above 1,000 windows with labels.
    """
    labelled = sorted((own for own in windows if own.rows), key=lambda own: own.window)
    count = len(labelled)
    if not 1 < count <= LONGEST_HISTORY:
        raise Invalid(f"An onset is sought in 2 to {LONGEST_HISTORY} windows that have labels.")
    rows = np.array([own.rows for own in labelled], dtype=np.float64)
    off = np.array([own.wrong for own in labelled]) / rows - expected.loss
    weight = 1 / expected.variance(rows)
    line = np.maximum(np.arange(count)[:, None] - np.arange(count) + 1.0, 0.0)
    shapes = np.concatenate([np.tri(count), line / (count - np.arange(count))], axis=1)
    posterior, sizes, information = _posterior(off, weight, shapes)
    of_onset = posterior.reshape(2, count).sum(axis=0)
    order = np.argsort(-of_onset, kind="stable")
    inside = order[: int(np.searchsorted(np.cumsum(of_onset[order]), _CREDIBLE)) + 1]
    best = int(posterior.argmax())
    half = _NORMAL_95 * sqrt(1 / information[best] + expected.error**2)
    return Drop(
        onset=labelled[int(of_onset.argmax())].window,
        earliest=labelled[int(inside.min())].window,
        latest=labelled[int(inside.max())].window,
        size=float(sizes[best]),
        lower=float(sizes[best]) - half,
        upper=float(sizes[best]) + half,
        gradual=bool(posterior[count:].sum() > _CREDIBLE),
    )


def loss_of(
    expected_accuracy: float,
    *,
    smallest_drop: float,
    drop: Drop | None = None,
    estimate: Estimate | None = None,
) -> Loss:
    """Whether performance is worth waking somebody for: labels first, then a trusted estimate.

    `drop`: of labels, after the test alarmed. `expected_accuracy`: of the baseline, for the
    estimate. An estimate that is not trusted wakes nobody and calms nobody: the sentence says so.

    >>> found = loss_of(0.8, smallest_drop=0.05, drop=Drop(9, 8, 9, 0.07, 0.04, 0.1, gradual=False))
    >>> found.worth_waking, found.sentence
    (True, 'Labels: 7.0 points less accurate.')
    """
    if drop is not None:
        size, source, said = drop.size, "labels", "Labels"
    elif estimate is None:
        return Loss(worth_waking=False, source="nothing", size=None, sentence="No labels yet.")
    elif not estimate.trusted:
        why = " ".join(doubt.sentence for doubt in estimate.doubts)
        sentence = f"Accuracy cannot be estimated. {why}"
        return Loss(worth_waking=False, source="untrusted estimate", size=None, sentence=sentence)
    else:
        size, source, said = expected_accuracy - estimate.accuracy, "estimate", "Estimated"
    way = "less" if size >= 0 else "more"
    sentence = f"{said}: {abs(size) * 100:.1f} points {way} accurate."
    return Loss(size >= smallest_drop, source, size, sentence)


def _posterior(off: Array, weight: Array, shapes: Array) -> tuple[Array, Array, Array]:
    information = np.maximum((shapes**2 * weight[:, None]).sum(axis=0), _TINY)
    sizes = (shapes * (weight * off)[:, None]).sum(axis=0) / information
    height = sizes**2 * information / 2 - np.log(information) / 2
    posterior = np.exp(height - height.max())
    return posterior / posterior.sum(), sizes, information
