"""The schedule one would have chosen, had one known everything: a yardstick, not a strategy."""

import numpy as np
from numpy.typing import NDArray

Accuracies = NDArray[np.float64]


def best_schedule(accuracies: Accuracies, newest: list[int], retrains: int) -> list[int]:
    """Which model answers each period, so that the sum of accuracies is largest.

    `accuracies` (models, periods): of each once-trained model in each period. `newest` (periods,):
    the newest model that exists when the period begins; the first period is answered by its
    newest. At most `retrains` moves, each to the newest. Dynamic programming over (period,
    serving model, retrainings left), in O(periods x models x retrains); of equals it stays.

    >>> best_schedule(np.array([[0.9, 0.5, 0.5], [0, 0.6, 0.5], [0, 0, 0.9]]), [0, 1, 2], 1)
    [0, 0, 2]
    """
    models, periods = accuracies.shape
    ahead = np.zeros((retrains + 1, models))  # best sum from here on, by retrainings left
    moves = np.zeros((periods, retrains + 1, models), np.bool_)
    for period in range(periods - 1, -1, -1):
        stay = accuracies[:, period] + ahead
        move = np.full_like(stay, -np.inf)
        new = newest[period]
        if period:
            move[1:, :new] = accuracies[new, period] + ahead[:-1, new, None]
        moves[period] = move > stay
        ahead = np.maximum(stay, move)
    serving, left, schedule = newest[0], retrains, []
    for period in range(periods):
        if moves[period, left, serving]:
            serving, left = newest[period], left - 1
        schedule.append(serving)
    return schedule
