"""Bets against the null: seldom won when it holds, soon won when it does not."""

import math

import numpy as np
import pytest

from bailiwick.monitoring.betting import Wager, bet, differences, exceeds, group_size

ALPHA = 0.05


def crossing(chance: np.random.Generator, rates: tuple[float, float], rows: int) -> int | None:
    """After how many pairs the difference of two rates is found to exceed 2 points."""
    wager = Wager()
    for row in range(1, rows + 1):
        champion, other = (float(chance.random() < rate) for rate in rates)
        wager = bet(wager, [other - champion], tolerated=0.02, low=-1.0)
        if exceeds(wager, alpha=ALPHA):
            return row
    return None


@pytest.mark.parametrize("rates", [(0.05, 0.05), (0.05, 0.07), (0.9, 0.9), (0.0, 0.02)])
def test_looking_after_every_pair_seldom_alarms_within_what_is_tolerated(
    rates: tuple[float, float],
) -> None:
    chance = np.random.default_rng(11)
    alarms = sum(crossing(chance, rates, 400) is not None for _ in range(60))
    assert alarms <= 7  # of 60; 3 are expected at most, 8 or more have a chance of 0.8 %


def test_what_is_much_worse_is_found_within_dozens_of_pairs() -> None:
    chance = np.random.default_rng(12)
    found = [crossing(chance, (0.01, 0.4), 400) for _ in range(40)]
    assert None not in found
    assert sorted(one or 0 for one in found)[36] < 60  # nine of ten


def test_pairs_in_one_go_and_one_by_one_come_to_the_same() -> None:
    chance = np.random.default_rng(13)
    values = [chance.uniform(-1, 1) for _ in range(300)]
    together = bet(Wager(), values, tolerated=0.1, low=-1.0)
    single = Wager()
    for value in values:
        single = bet(Wager.from_json(single.to_json()), [value], tolerated=0.1, low=-1.0)
    assert single == together


def test_evidence_stays_finite_whatever_comes() -> None:
    for value in (1.0, -1.0):
        wager = bet(Wager(), [value] * 5_000, tolerated=0.0, low=-1.0)
        assert math.isfinite(wager.log_evidence)


def test_groups_average_the_larger_arm_and_keep_what_changed_for_both_out() -> None:
    assert differences([0, 1, 0, 1, 1], [1, 1]) == [0.5, 0.5]
    assert differences([1], [0, 0, 1, 1]) == [-0.5]
    assert differences([], [1]) == []
    assert group_size(0, 7) == 0
    assert differences([1.0] * 8, [1.0] * 8) == [0.0] * 8
