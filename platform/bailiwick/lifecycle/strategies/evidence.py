"""What trials have shown: a gain that is no chance, however often one looks, and how models age."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, log, pi, sqrt
from statistics import NormalDist, median

from bailiwick.lifecycle.strategies.known import TRIED_RATIO, Trial

_CHANCE_OF_ERROR = 0.1  # of taking chance for a gain, once in a model's life
_USUAL_TRIALS = 8
_USUAL_GROWTH = 0.015  # of accuracy a period, assumed beforehand of one model
_LEAST_GROWTH = 1e-5  # a model that does not age at all would never be due
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
    serving = by_model(trials)[-1]
    errors = standard_errors_at(len(serving))
    newest_first = [(_precision(trial), trial.gain) for trial in reversed(serving)]
    precisions = accumulate(precision for precision, _ in newest_first)
    weighted = accumulate(precision * gain for precision, gain in newest_first)
    best = max(
        (
            Gain(total / precision, total / precision - errors / sqrt(precision))
            for precision, total in zip(precisions, weighted, strict=True)
        ),
        key=lambda pool: pool.at_least,
    )
    short = shortfall_of(trials, errors)
    return Gain(best.estimate + short, best.at_least + short)


def growth_of(trials: Sequence[Trial]) -> float:
    """Accuracy that a model is going to lose with each period that it has not learned (above 0).

    Of each model so far the slope of its gains over its age, by least squares through the origin;
    of these slopes the geometric median, as they differ by factors and not by amounts. A young
    model gains much by any newer row, and upheavals are rare: neither is the rule for the periods
    to come. A model that lost a point and a half a period is assumed beforehand, so that the
    first one that is measured is not taken for all.

    >>> first = Trial(0, 3000, 1000, age=1, accuracy=0.8, gain=0.16, standard_error=0.01)
    >>> round(growth_of([first]), 3)  # its slope is 0.16 / (2/3) of a period
    0.06
    """
    slopes = [_USUAL_GROWTH, *map(_slope, by_model(trials))]
    return exp(median(log(max(slope, _LEAST_GROWTH)) for slope in slopes))


def by_model(trials: Sequence[Trial]) -> list[list[Trial]]:
    """The trials of each serving model, in order: over them it grew older."""
    models: list[list[Trial]] = []
    for trial in trials:
        if not models or trial.age <= models[-1][-1].age:
            models.append([])
        models[-1].append(trial)
    return models


def standard_errors_at(look: int) -> float:
    """How many standard errors rule out chance at the `look`-th look at a model's trials.

    A model's looks and the pools of each share one chance of error: 6 / (pi look)^2 of it for a
    look, spread evenly over its `look` pools. All shares add up to no more than 1, so that rows
    taken by the day, week or quarter lead to a mistake alike rarely (a union bound; spending of
    alpha as in Lan and DeMets, 1983).

    >>> [round(standard_errors_at(look), 1) for look in (1, 2, 12, 365)]
    [1.5, 2.4, 4.0, 6.0]
    """
    share = 6 / (pi * look) ** 2 / look
    return -NormalDist().inv_cdf(_CHANCE_OF_ERROR * share)


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


def _precision(trial: Trial) -> float:
    """Of its gain; rows that were all answered alike are as one that was not."""
    return max(trial.standard_error, 1 / trial.tried_rows) ** -2


def _slope(model: Sequence[Trial]) -> float:
    """Gain by period of age; a challenger lacks the labels that it is put to."""
    weighted = [(_precision(trial), trial.age - TRIED_RATIO, trial.gain) for trial in model]
    together = sum(weight * age * gain for weight, age, gain in weighted)
    return together / sum(weight * age**2 for weight, age, _ in weighted)
