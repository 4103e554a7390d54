"""Retraining when what it brings is worth more than what it costs."""

from dataclasses import dataclass
from math import sqrt

from bailiwick.lifecycle.strategies.evidence import gain_of, growth_of
from bailiwick.lifecycle.strategies.known import TRIED_RATIO, Decision, Known

DEFAULT_PRICE_ANSWERS = 50.0
LEAST_GAIN = 0.01  # of accuracy: what a review and a rollout are worth at least
_MEASURED_WEIGHT = 0.35  # of the loss that is measured; the rest is what its age lets expect


@dataclass(frozen=True, slots=True)
class CostAware:
    """Retrains when a challenger's gain has reached what the next retraining must be worth.

    Each newest labelled period is put to a challenger that learned two thirds of it (`Trial`).
    Its gain over the serving model, and what it falls short of the challengers before it, is what
    not having retrained costs a period: the one is what newer labels have brought already, the
    other is new to both, and the labels of just that are known now. A new model would know the
    last third as well, which is worth a third of a period's usual loss more. It retrains if that

    - is no chance, however often one has looked (`gain_of`),
    - is a point or more: less is not worth the review of a new model,
    - is as large as the loss to which a plan of evenly spaced retrainings lets a model come.

    For the last, loss is assumed to grow by `g` (`growth_of`) with each period that the model has
    not learned, and a retraining sets it back to nothing. As `g` is known from few models, what is
    measured counts for a third and what a model of that age is expected to have lost for two
    thirds: where models age evenly that is a plan of even periods, whatever `g` is taken for, and
    an upheaval is still many times what is expected. A plan that retrains every L periods comes
    to g L; a model is due when it is nearer to that than it was a period ago:

        0.35 loss + 0.65 g age >= g (L - 1/2),
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
        if not known.behind or not _tried(known):
            return Decision(retrain=False, reason="no newer labels are known, or too few to try")
        if self.budget is not None and known.retrains >= self.budget:
            return Decision(retrain=False, reason=f"the budget of {self.budget} is spent")
        gain, growth = gain_of(known.trials), growth_of(known.trials)
        if gain.at_least <= 0:
            return Decision(
                retrain=False, reason=f"a gain of {_points(gain.estimate)} points may be chance"
            )
        loss = gain.estimate + growth * TRIED_RATIO
        worth = f"newer labels are worth {_points(gain.estimate)} points"
        if loss < LEAST_GAIN:
            return Decision(retrain=False, reason=f"{worth}, less than a new model is")
        expected = growth * known.behind
        length = self._length(known, growth, known.trials[-1].rows)
        weighed = _MEASURED_WEIGHT * loss + (1 - _MEASURED_WEIGHT) * expected
        needed = growth * (length - 0.5)
        return Decision(
            retrain=weighed >= needed,
            reason=f"{worth}, {_points(expected)} by age: together {_points(weighed)}, "
            f"{_points(needed)} needed (every {length:.1f} periods)",
        )

    def _length(self, known: Known, growth: float, rows: int) -> float:
        """Periods between two retrainings, as the budget and the price ask for."""
        worth = sqrt(2 * self.price_answers / (growth * max(rows, 1)))
        if self.budget is None or known.periods_left is None:
            return max(1.0, worth)
        return max(1.0, worth, known.periods_left / (self.budget - known.retrains))


def _tried(known: Known) -> bool:
    """Whether there is a trial of the serving model: one may be of those before it."""
    through = known.retrained[-1].through if known.retrained else -1
    return bool(known.trials) and known.trials[-1].period > through


def _points(accuracy: float) -> str:
    return f"{100 * accuracy:.1f}"
