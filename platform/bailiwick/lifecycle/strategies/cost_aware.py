"""Retraining when what it brings is worth more than what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from bailiwick.lifecycle.strategies.evidence import Gain, gain_of
from bailiwick.lifecycle.strategies.known import TRIED_RATIO, Decision, Known, Trial

DEFAULT_PRICE_ANSWERS = 50.0
LEAST_GAIN = 0.01  # of accuracy: what a review and a rollout are worth at least
_LEAST_GROWTH = 1e-6  # of accuracy a period: a model that does not age at all would never be due


@dataclass(frozen=True, slots=True)
class CostAware:
    """Retrains when a challenger's gain has reached what the next retraining must be worth.

    Each newest labelled period is put to a challenger that learned two thirds of it (`Trial`).
    Its gain over the serving model, and what it falls short of the challengers before it, is what
    not having retrained costs a period: the one is what newer labels have brought already, the
    other is new to both, and the labels of just that are known now. It retrains if the gain is

    - no chance, however often one has looked (`gain_of`),
    - a point or more: less is not worth the review of a new model,
    - as large as the loss to which a plan of evenly spaced retrainings lets a model come.

    For the last, loss is assumed to grow by `g` with each period that the model has not learned,
    and a retraining sets it back to nothing. A plan that retrains every L periods comes to g L;
    a model is due when it is nearer to that than the period before, at g (L - 1/2). A challenger
    lacks the labels of the last third of a period, so that the gain that it shows is g / 3 less:

        gain >= g (L - 1/2 - 1/3),
        L = max(periods left / retrainings left, sqrt(2 price / (g rows)), 1).

    The first term spreads a `budget` of retrainings over the plan, to be spent sooner where more
    is lost than usual; the second is the length whose loss, g L^2 / 2 for each of `rows`, equals
    the price of one retraining, counted in right answers: what training, labelling and rollout
    cost, over what a right answer is worth (the marginal value theorem, Charnov, 1976).
    Expected-gain rules of this kind: CARA (arXiv:2310.04216), UPF (arXiv:2505.14903).
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
        gain = gain_of(known.trials)
        if too_little := _too_little(gain):
            return Decision(retrain=False, reason=too_little)
        growth = growth_of(known.trials)
        length = self._length(known, growth, known.trials[-1].rows)
        needed = growth * (length - 0.5 - TRIED_RATIO)
        return Decision(
            retrain=gain.estimate >= needed,
            reason=f"newer labels are worth {100 * gain.estimate:.1f} points, "
            f"{100 * max(needed, LEAST_GAIN):.1f} are needed to retrain "
            f"(every {length:.1f} periods)",
        )

    def _length(self, known: Known, growth: float, rows: int) -> float:
        """Periods between two retrainings, as the budget and the price ask for."""
        worth = sqrt(2 * self.price_answers / (growth * max(rows, 1)))
        if self.budget is None or known.periods_left is None:
            return max(1.0, worth)
        return max(1.0, worth, known.periods_left / (self.budget - known.retrains))


def growth_of(trials: Sequence[Trial]) -> float:
    """Accuracy lost with each period that a model has not learned: the median over `trials`.

    One trial without loss is assumed beforehand: a first model has seen little, gains much by
    any newer row, and is not to be taken for the rule.
    """
    lost = [trial.gain / (trial.age - TRIED_RATIO) for trial in trials]
    return max(_LEAST_GROWTH, median([0.0, *lost]))


def _too_little(gain: Gain) -> str | None:
    """Why a gain is none that anybody should retrain for, if so."""
    points = f"{100 * gain.estimate:.1f} points"
    if gain.at_least <= 0:
        return f"a gain of {points} may be chance"
    if gain.estimate < LEAST_GAIN:
        return f"a gain of {points} is not worth a new model, which takes {100 * LEAST_GAIN:g}"
    return None
