"""Retraining when what it brings is worth more than what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from bailiwick.lifecycle.strategies.known import Decision, Known, Trial

DEFAULT_PRICE_ANSWERS = 50.0
_STANDARD_ERRORS = 2.0
_USUAL_TRIALS = 8
_DEVIATIONS = 1.4826  # standard deviations in a median absolute deviation, if normal
_LEAST_GROWTH = 1e-6  # of accuracy a period: a model that does not age at all would never be due


@dataclass(frozen=True, slots=True)
class CostAware:
    """Retrains when a challenger's gain has reached what the next retraining must be worth.

    Each newest labelled period is put to a challenger that learned two thirds of it (`Trial`).
    Its gain over the serving model, and what it falls short of the challengers before it, is what
    not having retrained costs a period: the one is what newer labels have brought already, the
    other (`shortfall_of`) is new to both, and the labels of just that are known now.
    Assumptions: this loss grows by `g` with each period that the model has not learned (the
    median of gain / age over all trials, so that one upheaval does not count as the rule), and a
    retraining sets it back to nothing.

    A plan that retrains every L periods then loses g (1 + ... + (L - 1)), and one period more
    between two retrainings adds g (L - 1/2). So it is time when the measured gain is at least

        g (L - 1/2),    L = max(periods left / retrainings left, sqrt(2 price / (g rows)), 1):

    the marginal value theorem (Charnov, 1976). The first term spreads a `budget` of retrainings
    over the plan, to be spent sooner where more is lost than usual; the second is the length
    whose loss, g L^2 / 2 for each of `rows`, equals the price of one retraining, counted in
    right answers: what training, labelling and rollout cost, over what a right answer is worth.
    A gain or a shortfall below two standard errors is none. Expected-gain rules of this kind: CARA
    (arXiv:2310.04216), UPF (arXiv:2505.14903).
    """

    budget: int | None = None
    price_answers: float = DEFAULT_PRICE_ANSWERS
    tries: bool = True
    measures: bool = True

    @property
    def name(self) -> str:
        """`cost-aware`."""
        return "cost-aware"

    def decide(self, known: Known) -> Decision:
        """By the trials so far, the newest of which is of the newest labelled period."""
        if not known.behind or not known.trials:
            return Decision(retrain=False, reason="no newer labels are known")
        if self.budget is not None and known.retrains >= self.budget:
            return Decision(retrain=False, reason=f"the budget of {self.budget} is spent")
        newest = known.trials[-1]
        gain = newest.gain + shortfall_of(known.trials)
        if gain < _STANDARD_ERRORS * newest.standard_error:
            return Decision(
                retrain=False, reason=f"a gain of {100 * gain:.1f} points may be chance"
            )
        growth = growth_of(known.trials)
        length = self._length(known, growth, newest.rows)
        needed = growth * (length - 0.5)
        return Decision(
            retrain=gain >= needed,
            reason=f"newer labels are worth {100 * gain:.1f} points, "
            f"{100 * needed:.1f} are needed to retrain (every {length:.1f} periods)",
        )

    def _length(self, known: Known, growth: float, rows: int) -> float:
        """Periods between two retrainings, as the budget and the price ask for."""
        worth = sqrt(2 * self.price_answers / (growth * max(rows, 1)))
        if self.budget is None or known.periods_left is None:
            return max(1.0, worth)
        return max(1.0, worth, known.periods_left / (self.budget - known.retrains))


def shortfall_of(trials: Sequence[Trial]) -> float:
    """How far the newest challenger is below the usual ones (the median of eight before it).

    Counts beyond two standard errors, of its rows and of how much the usual ones differ (by their
    median absolute deviation), else 0: periods differ.
    """
    newest, usual = trials[-1], [trial.accuracy for trial in trials[:-1][-_USUAL_TRIALS:]]
    if not usual:
        return 0.0
    middle = median(usual)
    spread = _DEVIATIONS * median(abs(accuracy - middle) for accuracy in usual)
    variance = newest.accuracy * (1 - newest.accuracy) / newest.tried_rows + spread**2
    short = middle - newest.accuracy
    return short if short > _STANDARD_ERRORS * sqrt(variance) else 0.0


def growth_of(trials: Sequence[Trial]) -> float:
    """Accuracy lost with each period that a model has not learned: the median over `trials`.

    One trial without loss is assumed beforehand: a first model has seen little, gains much by
    any newer row, and is not to be taken for the rule.
    """
    return max(_LEAST_GROWTH, median([0.0, *(trial.gain / trial.age for trial in trials)]))
