"""Where accuracy fell: one change point in right and wrong answers."""

import numpy as np
import pytest

from bailiwick.monitoring.change_points import LEAST_ROWS, fall_of


@pytest.mark.parametrize("fell", [40, 200, 360])
def test_the_place_is_found_to_a_few_answers_through_noise(fell: int) -> None:
    chance = np.random.default_rng(4)
    share = np.where(np.arange(400) < fell, 0.9, 0.4)
    found = [fall_of(chance.random(400) < share) for _ in range(50)]
    places = np.array([place for place in found if place is not None])
    assert len(places) == 50
    assert np.abs(np.median(places) - fell) <= 2
    assert np.quantile(np.abs(places - fell), 0.9) <= 10


def test_a_rise_is_no_fall_and_the_deeper_of_two_changes_counts() -> None:
    right = np.array([False] * 50 + [True] * 100 + [False] * 50)
    assert fall_of(right) == 150
    assert fall_of(np.array([False] * 50 + [True] * 50)) is None


def test_too_few_answers_have_no_place() -> None:
    assert fall_of(np.array([True] * LEAST_ROWS + [False] * (LEAST_ROWS - 1))) is None
    assert fall_of(np.array([], dtype=bool)) is None


def test_everything_wrong_from_the_start_has_no_place() -> None:
    assert fall_of(np.zeros(100, dtype=bool)) is None
