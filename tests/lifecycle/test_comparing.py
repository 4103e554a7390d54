"""Comparing two models on the same rows: intervals that hold, tests that keep their level."""

from itertools import product
from math import comb

import numpy as np
import pytest

from bailiwick.lifecycle.comparing import Paired, holm


def drawn(rows: int, won: float, lost: float, times: int, seed: int) -> list[Paired]:
    """`times` comparisons of `rows` rows, of which so large a share is won and lost."""
    chance = np.random.default_rng(seed)
    counts = chance.multinomial(rows, [0.6, won, lost, 0.4 - won - lost], size=times)
    return [Paired(*map(int, one)) for one in counts]


@pytest.mark.parametrize(
    ("rows", "won", "lost"), [(50, 0.04, 0.04), (200, 0.1, 0.05), (1000, 0, 0)]
)
def test_the_cautious_interval_holds_the_true_gain_where_few_rows_differ(
    rows: int, won: float, lost: float
) -> None:
    held = [
        low <= won - lost <= high
        for low, high in (one.cautious_interval() for one in drawn(rows, won, lost, 2_000, 1))
    ]
    assert np.mean(held) >= 0.94


def test_intervals_for_many_slices_hold_all_at_once() -> None:
    comparisons = drawn(200, 0.08, 0.08, 20 * 500, 2)
    held = [
        low <= 0 <= high
        for low, high in (one.cautious_interval(intervals=20) for one in comparisons)
    ]
    assert np.mean(np.reshape(held, (500, 20)).all(axis=1)) >= 0.94


def test_the_exact_test_counts_what_one_counts_by_hand() -> None:
    for won, lost in product(range(6), range(6)):
        n = won + lost
        by_hand = sum(comb(n, k) for k in range(lost, n + 1)) / 2**n
        found = Paired(10, won, lost, 3).chance_of_so_many_lost()
        assert found == pytest.approx(by_hand)


def test_with_many_rows_that_differ_the_normal_distribution_gives_nearly_the_same() -> None:
    exact = Paired(0, 480, 520, 0).chance_of_so_many_lost()
    assert Paired(0, 481, 521, 0).chance_of_so_many_lost() == pytest.approx(exact, abs=0.002)
    assert Paired(0, 40_000, 60_000, 0).chance_of_so_many_lost() < 1e-12


def test_holm_adjusts_as_in_his_paper_and_keeps_the_order() -> None:
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    assert holm([0.005, 0.5, 0.011, 0.02]) == pytest.approx([0.02, 0.5, 0.033, 0.04])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
