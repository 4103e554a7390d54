"""How strongly a head is regularised: chosen once, on the first period, for the whole walk."""

from dataclasses import replace

from bailiwick.lifecycle.backtest.periods import Span
from bailiwick.lifecycle.backtest.refits import Refits
from bailiwick.lifecycle.backtest.stream import LEAST_ROWS
from bailiwick.lifecycle.backtest.walk import trial_rows
from bailiwick.training import HeadRecipe

_WEIGHT_DECAYS = (0.0, 0.5, 2.0)


def regularised(refits: Refits, recipe: HeadRecipe, first: Span) -> HeadRecipe:
    """`recipe` with the weight decay that does best on the newest third of the `first` rows.

    As given where they are too few to say; of equals the weakest.
    """
    tried = trial_rows(first)
    if tried is None or tried[0] < LEAST_ROWS:
        return recipe
    candidates = [replace(recipe, weight_decay=decay) for decay in _WEIGHT_DECAYS]
    accuracies = [refits.tried(candidate, tried[0], tried).accuracy for candidate in candidates]
    return candidates[accuracies.index(max(accuracies))]
