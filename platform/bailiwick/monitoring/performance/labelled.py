"""Has the model become worse? A bet on labels as they arrive, with a bound on false alarms.

Null: rows of window t are wrong with a chance p_t, drawn for the window from a Beta law of mean at
most m and intraclass correlation rho, whatever came before:

    m = b + a fifth of the smallest drop worth waking for + 2.5 standard errors of b

The bet on mean m' > m is the ratio of two beta-binomial likelihoods, K = 1 / rho - 1,

    L(k, n) = B(K m' + k, K (1 - m') + n - k) B(K m, K (1 - m))
            / B(K m + k, K (1 - m) + n - k) B(K m', K (1 - m')),

and what k', n' late labels of a window add is L(k + k', n + n') / L(k, n): its mean given all that
was known is at most 1 under the null (for smaller means because the ratio grows with k). So
labels can come in any order and in any number of parts, and each is used once. With m' above m by
0.5, 1, 2 and 4 times the smallest drop, but at least by 1 / K,

    R = (R + 1) * product over the windows that labels came for of L,    M = mean of these R;

alarm when M >= c = steps a year / N. M_T - T is a supermartingale: E[T] >= c, at most N false
alarms a year, as in `eprocess`. Betting on a mean: Podkopaev, Ramdas, "Tracking the risk of a
deployed model", 2110.06177; Timans et al., 2506.16416; Shiryaev-Roberts: 2203.03532.

For many rows L is a power K (m' - m) of the odds. From 1 on it is convex, so that windows which
differ less than rho allows make its mean smaller; below, quiet windows would look like a drop.
Hence 1 / K: where losses wander much, only larger drops are bet on. No step multiplies evidence by
more than c / 2, so that no single step can alarm by itself.

Take one step per window of time, with the labels that ARRIVED in it: c counts steps.

NOT guaranteed: the null for losses that wander over many windows; `expected` charges their long-run
variance to rho and `benchmarks/estimated_accuracy.py` measures what that is worth. Labels that come
first for the harder rows look like a worse model. Drops inside the tolerance never alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import lgamma
from types import MappingProxyType
from typing import Any

import numpy as np

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.eprocess import STANDARD_ERRORS, TOLERATED, Sensitivity
from bailiwick.monitoring.performance.expected import Expected, LabelledWindow
from bailiwick.monitoring.seasons import Array

BETS = (0.5, 1.0, 2.0, 4.0)
MOST_OPEN_WINDOWS = 2_000
_WORST = 0.98
_MOST = 1e200


@dataclass(frozen=True, slots=True)
class LabelledTest:
    """The null's mean, the means that are bet on, K and the threshold c."""

    mean: float
    bets: tuple[float, ...]
    concentration: float
    threshold: float


@dataclass(frozen=True, slots=True)
class LabelledState:
    """All that is carried from step to step.

    `evidence`, `since`: of each bet, R and the step after which it was last below 1. `counted`:
    (wrong, rows) of windows that may get more labels, at most `MOST_OPEN_WINDOWS`; labels for a
    window before `forgotten` count as a window of their own.
    """

    evidence: tuple[float, ...]
    since: tuple[int, ...]
    steps: int = 0
    counted: Mapping[int, tuple[int, int]] = field(default_factory=lambda: MappingProxyType({}))
    forgotten: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "evidence": list(self.evidence),
            "since": list(self.since),
            "steps": self.steps,
            "counted": [[window, *counts] for window, counts in sorted(self.counted.items())],
            "forgotten": self.forgotten,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "LabelledState":
        """The state that `to_json` wrote, to the last bit."""
        return cls(
            tuple(value["evidence"]),
            tuple(value["since"]),
            value["steps"],
            {window: (wrong, rows) for window, wrong, rows in value["counted"]},
            value["forgotten"],
        )


@dataclass(frozen=True, slots=True)
class LabelledJudgement:
    """Evidence after a step; `judged` is False where no label came."""

    evidence: float
    threshold: float
    judged: bool

    @property
    def alarm(self) -> bool:
        """Whether the evidence reached the threshold."""
        return self.judged and self.evidence >= self.threshold


def labelled_test(
    expected: Expected, sensitivity: Sensitivity, *, smallest_drop: float
) -> LabelledTest:
    """`smallest_drop`: of accuracy, worth waking somebody for; 0.05 is five points.

    Raises `Invalid` where the model is wrong so often already that no worse can be bet on.
    """
    if not 0 < smallest_drop < 1:
        raise Invalid("The smallest drop of accuracy worth waking for lies between 0 and 1.")
    mean = expected.loss + TOLERATED * smallest_drop + STANDARD_ERRORS * expected.error
    concentration = 1 / expected.rho - 1
    steps = {max(times * smallest_drop, 1 / concentration) for times in BETS}
    possible = tuple(mean + step for step in sorted(steps) if mean + step <= _WORST)
    if not possible:
        raise Invalid(
            f"The model is wrong in {expected.loss:.0%} of the baseline's rows, and windows differ "
            "too much, for a further drop to be tested. Use longer windows or a longer baseline."
        )
    threshold = sensitivity.threshold(expected.window_hours, provisional=False)
    return LabelledTest(mean, possible, concentration, threshold)


def fresh_labels(test: LabelledTest) -> LabelledState:
    """Before the first label."""
    return LabelledState((0.0,) * len(test.bets), (0,) * len(test.bets))


def take_labels(
    test: LabelledTest, state: LabelledState, arrived: Sequence[LabelledWindow]
) -> tuple[LabelledState, LabelledJudgement]:
    """One step: labels that came since the last one, added up by window of their predictions.

    A step without labels leaves the evidence alone. `arrivals.count_once` makes `arrived`.

    >>> from bailiwick.monitoring.performance.expected import Expected
    >>> usual = Expected(0.2, 0.001, 0.002, 672, 300_000, window_hours=1)
    >>> test = labelled_test(usual, Sensitivity(), smallest_drop=0.05)
    >>> random, state = np.random.default_rng(2), fresh_labels(test)
    >>> for hour in range(600):  # 5 points worse from hour 500 on
    ...     wrong = int(random.binomial(400, 0.2 + 0.05 * (hour >= 500)))
    ...     state, found = take_labels(test, state, [LabelledWindow(hour, wrong, 400)])
    ...     if found.alarm:
    ...         print(hour)
    ...         break
    510
    """
    there = [window for window in arrived if window.rows]
    if not there:
        return replace(state, steps=state.steps + 1), _judged(test, state.evidence, judged=False)
    gain = np.zeros(len(test.bets))
    counted = dict(state.counted)
    for window in there:
        open_still = state.forgotten is None or window.window >= state.forgotten
        wrong, rows = counted.get(window.window, (0, 0)) if open_still else (0, 0)
        after = wrong + window.wrong, rows + window.rows
        gain += _log_ratio(test, *after) - _log_ratio(test, wrong, rows)
        if open_still:
            counted[window.window] = after
    factor = np.exp(np.minimum(gain, np.log(max(test.threshold, 2.0) / 2)))
    evidence = np.minimum((np.array(state.evidence) + 1) * factor, _MOST)
    steps = state.steps + 1
    since = np.where(evidence < 1, steps, np.array(state.since))
    kept, forgotten = _newest(counted, state.forgotten)
    new = LabelledState(tuple(evidence.tolist()), tuple(since.tolist()), steps, kept, forgotten)
    return new, _judged(test, new.evidence, judged=True)


def restarted_labels(state: LabelledState) -> LabelledState:
    """After an alarm: evidence starts anew; labels that were counted stay counted."""
    bets = len(state.evidence)
    return replace(state, evidence=(0.0,) * bets, since=(state.steps,) * bets)


def steps_since(state: LabelledState) -> int:
    """Steps since the strongest bet was last below 1: a first, free guess of the onset."""
    best = int(np.argmax(state.evidence))
    return state.steps - state.since[best]


def _newest(
    counted: dict[int, tuple[int, int]], forgotten: int | None
) -> tuple[dict[int, tuple[int, int]], int | None]:
    """A quarter is dropped at a time, so that sorting is rare."""
    if len(counted) <= MOST_OPEN_WINDOWS:
        return counted, forgotten
    kept = sorted(counted)[MOST_OPEN_WINDOWS // 4 :]
    return {window: counted[window] for window in kept}, kept[0]


def _judged(test: LabelledTest, evidence: Sequence[float], *, judged: bool) -> LabelledJudgement:
    return LabelledJudgement(sum(evidence) / len(evidence), test.threshold, judged)


def _log_ratio(test: LabelledTest, wrong: int, rows: int) -> Array:
    """Of every bet to the null, up to a constant that goes when two of them are subtracted."""
    null = _log_chance(test.concentration, test.mean, wrong, rows)
    return np.array([_log_chance(test.concentration, bet, wrong, rows) - null for bet in test.bets])


def _log_chance(concentration: float, mean: float, wrong: int, rows: int) -> float:
    """Log of B(a + k, b + n - k) with a = K m, b = K (1 - m), less what is the same for all m."""
    return lgamma(concentration * mean + wrong) + lgamma(concentration * (1 - mean) + rows - wrong)
