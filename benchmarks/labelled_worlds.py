"""Quiet years of labelled windows, and drops, for the test on labels: hourly, labels late."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bailiwick.monitoring.eprocess import Sensitivity
from bailiwick.monitoring.performance import (
    Expected,
    LabelledWindow,
    expect,
    fresh_labels,
    labelled_test,
    restarted_labels,
    take_labels,
)

Array = NDArray[np.float64]

WORLDS = ("iid", "uneven", "daily rhythm", "autocorrelated")
BEYOND = "slow wander"  # memory of days; measured, not in the bar
CELLS = (*((world, 1_000) for world in (*WORLDS, BEYOND)), ("iid", 200), ("autocorrelated", 200))
WANDER = {"autocorrelated": (0.9, 0.01), BEYOND: (0.99, 0.015)}  # AR(1): phi, deviation
FOUR_WEEKS, YEAR, PATIENCE = 672, 8_760, 500
LATE = 24  # hours until a window's second half of labels comes
LOSS, SMALLEST, DROP = 0.2, 0.05, 0.05
SEED = 20_290_000


def chances(random: np.random.Generator, world: str, windows: int) -> Array:
    """Chance that a row is wrong, by window."""
    moves = np.zeros(windows)
    if world == "uneven":
        moves = random.normal(scale=0.02, size=windows)
    elif world == "daily rhythm":
        moves = 0.02 * np.sin(2 * np.pi * np.arange(windows) / 24)
    elif world in WANDER:
        phi, deviation = WANDER[world]
        pushes = random.normal(scale=deviation * np.sqrt(1 - phi**2), size=windows)
        moves[0] = random.normal(scale=deviation)
        for window in range(1, windows):
            moves[window] = phi * moves[window - 1] + pushes[window]
    return np.clip(LOSS + moves, 0, 1)


def arriving(
    random: np.random.Generator, wrong: NDArray[np.int64], rows: int
) -> Iterator[list[LabelledWindow]]:
    """Each hour: half of its own labels, and the other half of the hour a day before."""
    first = random.hypergeometric(wrong, rows - wrong, rows // 2)
    for window, early in enumerate(first.tolist()):
        before = window - LATE
        late = []
        if before >= 0:
            rest = int(wrong[before] - first[before])
            late = [LabelledWindow(before, rest, rows - rows // 2)]
        yield [*late, LabelledWindow(window, early, rows // 2)]


def watched(world: str, rows: int, years: int, drop: float = DROP) -> dict[str, Any]:
    """False alarms in `years` quiet years, and the delay of a drop that comes after each."""
    alarms, delays, worst = 0, [], 0
    for year in range(years):
        random = np.random.default_rng([SEED, rows, (*WORLDS, BEYOND).index(world), year])
        chance = chances(random, world, FOUR_WEEKS + YEAR + PATIENCE)
        chance[FOUR_WEEKS + YEAR :] += drop
        wrong = random.binomial(rows, chance)
        quiet = [LabelledWindow(t, int(wrong[t]), rows) for t in range(FOUR_WEEKS)]
        expected = expect(quiet, window_hours=1)
        false, delay = _one(expected, arriving(random, wrong[FOUR_WEEKS:], rows))
        alarms, worst = alarms + false, max(worst, false)
        delays.append(delay)
    low, middle, high = np.quantile(delays, [0.1, 0.5, 0.9], method="higher")
    return {
        "world": world,
        "labelled rows an hour": rows,
        "years": years,
        "false alarms a year": alarms / years,
        "most in a year": worst,
        f"delay of {drop * 100:g} points, hours": f"{middle:g} ({low:g} to {high:g})",
    }


def _one(expected: Expected, hours: Iterator[list[LabelledWindow]]) -> tuple[int, float]:
    test = labelled_test(expected, Sensitivity(), smallest_drop=SMALLEST)
    state, false = fresh_labels(test), 0
    for hour, labels in enumerate(hours):
        state, found = take_labels(test, state, labels)
        if found.alarm and hour >= YEAR:
            return false, hour - YEAR + 1
        if found.alarm:
            false, state = false + 1, restarted_labels(state)
    return false, float("inf")
