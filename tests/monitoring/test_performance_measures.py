"""Figures of labelled rows, and how often their intervals hold the truth."""

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.performance import (
    Grid,
    accuracy,
    calibration_error,
    empty,
    macro_f1,
    mean_cost,
    tally,
)

CONFUSION = {(0, 0): 50, (0, 1): 10, (1, 1): 30, (1, 0): 5, (1, 2): 5}


def test_figures_are_what_one_computes_by_hand() -> None:
    assert accuracy(CONFUSION, labels=2).value == 0.8
    first, second, other = 100 / 115, 60 / 80, 0.0
    assert macro_f1(CONFUSION, labels=2).value == pytest.approx((first + second + other) / 3)
    costs = np.array([[0.0, 4.0, 0.0], [2.0, 0.0, 6.0], [0.0, 0.0, 0.0]])
    assert mean_cost(CONFUSION, costs).value == pytest.approx((40 + 10 + 30) / 100)


def test_two_labels_beyond_the_known_ones_are_not_taken_for_equal() -> None:
    assert accuracy({(0, 0): 1, (2, 2): 1}, labels=2).value == 0.5
    assert macro_f1({(0, 0): 1, (2, 2): 1}, labels=2).value == 0.5


def test_intervals_are_the_same_for_the_same_seed_and_order_of_counts() -> None:
    turned = dict(reversed(CONFUSION.items()))
    assert macro_f1(CONFUSION, labels=2, seed=3) == macro_f1(turned, labels=2, seed=3)
    assert macro_f1(CONFUSION, labels=2, seed=3) != macro_f1(CONFUSION, labels=2, seed=4)


@pytest.mark.parametrize("figure", ["f1", "cost"])
def test_intervals_hold_the_truth_in_most_samples(figure: str) -> None:
    shares = np.array([0.5, 0.1, 0.1, 0.3])
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    costs = np.array([[0.0, 5.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

    def measure(counts: dict[tuple[int, int], int]) -> tuple[float, float, float]:
        found = macro_f1(counts, labels=2) if figure == "f1" else mean_cost(counts, costs)
        return found.lower, found.value, found.upper

    truth = measure(dict(zip(places, (shares * 1_000_000).astype(int).tolist(), strict=True)))[1]
    inside = []
    for seed in range(60):
        drawn = np.random.default_rng(seed).multinomial(400, shares)
        lower, _, upper = measure(dict(zip(places, drawn.tolist(), strict=True)))
        inside.append(lower <= truth <= upper)
    assert np.mean(inside) >= 0.88


def test_calibration_error_tells_chance_from_overconfidence() -> None:
    random, grid = np.random.default_rng(1), Grid(("fuel",))
    sure = random.uniform(0.5, 1, 3_000)

    def window(lost: float) -> tuple[float, float, float]:
        right = random.random(sure.size) < sure - lost
        truths = np.where(right, "fuel", "food").tolist()
        found = calibration_error(tally(grid, sure, ["fuel"] * sure.size, truths))
        return found.error.lower, found.error.upper, found.by_chance

    lower, upper, by_chance = window(0.0)
    assert lower <= by_chance <= upper
    lower, upper, by_chance = window(0.15)
    assert by_chance < lower < 0.15 < upper


def test_nothing_is_measured_without_labels_or_with_unusable_costs() -> None:
    with pytest.raises(Invalid, match="no labelled rows"):
        accuracy({}, labels=2)
    with pytest.raises(Invalid, match="no labelled rows"):
        calibration_error(empty(Grid(("fuel",))))
    for costs in (np.zeros((2, 3)), np.full((3, 3), np.inf), np.zeros((2, 2))):
        with pytest.raises(Invalid, match=r"matrix|finite"):
            mean_cost(CONFUSION, costs)
