"""What trials have shown of the serving model, held against chance however often one looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt
from statistics import NormalDist, median

from bailiwick.lifecycle.strategies.known import Trial

_CHANCE_OF_ERROR = 0.05  # of taking chance for a gain, once in a model's life
_USUAL_TRIALS = 8
_DEVIATIONS = 1.4826  # standard deviations in a median absolute deviation, if normal


@dataclass(frozen=True, slots=True)
class Gain:
    """What newer labels are worth, in accuracy (-1 to 1), and what they are worth at least."""

    estimate: float
    at_least: float


def gain_of(trials: Sequence[Trial]) -> Gain:
    """What newer labels are worth to the serving model, by its trials so far.

    Trials are pooled, each by its precision: of the newest one, two, ... up to all since the last
    retraining, the pool that proves most. As gains grow with age, an older trial does not promise
    more than there is. With many rows a period the newest trial is enough, with few a month of
    days says what one month would. What the challenger falls short of earlier ones is added.
    """
    since = trials_since(trials)
    errors = standard_errors_at(len(since))
    precision, weighted = 0.0, 0.0
    pools = []
    for trial in reversed(since):
        weight = max(trial.standard_error, 1 / trial.tried_rows) ** -2
        precision, weighted = precision + weight, weighted + weight * trial.gain
        estimate = weighted / precision
        pools.append(Gain(estimate, estimate - errors / sqrt(precision)))
    best = max(pools, key=lambda pool: pool.at_least)
    short = shortfall_of(trials, errors)
    return Gain(best.estimate + short, best.at_least + short)


def trials_since(trials: Sequence[Trial]) -> list[Trial]:
    """The newest trials, back to the last retraining: those over which the model grew older."""
    since = [trials[-1]]
    for trial in reversed(trials[:-1]):
        if trial.age >= since[-1].age:
            break
        since.append(trial)
    return since[::-1]


def standard_errors_at(look: int) -> float:
    """How many standard errors rule out chance at the `look`-th look at a model's trials.

    A model's looks and the pools of each share one chance of error: 6 / (pi look)^2 of it for a
    look, spread evenly over its `look` pools. All shares add up to no more than 1, so that rows
    taken by the day, week or quarter lead to a mistake alike rarely (a union bound; spending of
    alpha as in Lan and DeMets, 1983).

    >>> [round(standard_errors_at(look), 1) for look in (1, 2, 12, 365)]
    [1.9, 2.7, 4.1, 6.0]
    """
    share = 6 / (pi * look) ** 2 / look
    return NormalDist().inv_cdf(1 - _CHANCE_OF_ERROR * share)


def shortfall_of(trials: Sequence[Trial], standard_errors: float) -> float:
    """How far the newest challenger is below the usual ones (the median of eight before it).

    Counts beyond so many standard errors, and two at least, of its rows and of how much the usual
    ones differ (by their median absolute deviation), else 0: periods differ.
    """
    newest, usual = trials[-1], [trial.accuracy for trial in trials[:-1][-_USUAL_TRIALS:]]
    if not usual:
        return 0.0
    middle = median(usual)
    spread = _DEVIATIONS * median(abs(accuracy - middle) for accuracy in usual)
    variance = newest.accuracy * (1 - newest.accuracy) / newest.tried_rows + spread**2
    short = middle - newest.accuracy
    return short if short > max(2.0, standard_errors) * sqrt(variance) else 0.0
