"""Years of labels, drawn: quiet while nothing changes, and a drop of five points pages in time."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from bailiwick.monitoring.eprocess import Sensitivity
from bailiwick.monitoring.performance import (
    LabelledTest,
    LabelledWindow,
    fresh_labels,
    labelled_test,
    promised,
    take_labels,
)

RIGHT, DROP, YEARS = 0.8, 0.05, 2
SENSITIVITY = replace(Sensitivity(), false_alarms_per_year=0.25)  # the labels' share by default


def held_to(evaluated: float, rows: int) -> LabelledTest:
    expected = promised(evaluated, rows, window_hours=24)
    return labelled_test(expected, SENSITIVITY, smallest_drop=DROP)


def days(seed: int, *, rows: int, drop_from: int | None = None) -> Iterator[int]:
    """Wrong rows of each day: uneven by two points, and alike from day to day (0.7)."""
    random = np.random.default_rng(seed)
    wander = 0.0
    for day in range(YEARS * 365):
        wander = 0.7 * wander + random.normal(0, 0.01)
        lost = DROP if drop_from is not None and day >= drop_from else 0.0
        yield int(random.binomial(rows, np.clip(1 - RIGHT + lost + wander, 0, 1)))


def alarms(test: LabelledTest, wrong: Iterator[int], rows: int) -> Iterator[int]:
    """Days of alarm; half of the labels come a day late."""
    state, late = fresh_labels(test), (0, 0)
    for day, count in enumerate(wrong):
        now = (count // 2, rows // 2)
        arrived = [LabelledWindow(day, *now), LabelledWindow(day - 1, *late)]
        late = (count - now[0], rows - now[1])
        state, judgement = take_labels(test, state, arrived)
        if judgement.alarm:
            yield day
            return


def test_years_without_a_change_stay_quiet() -> None:
    """Sixty years; at most a quarter of an alarm a year is allowed, measured was one in 800."""
    found = []
    for rows in (40, 400, 4_000):
        random = np.random.default_rng(rows)
        for seed in range(10):  # each version is evaluated on rows of its own
            evaluated = random.binomial(2_000, RIGHT) / 2_000
            found += alarms(held_to(evaluated, 2_000), days(seed, rows=rows), rows)
    assert len(found) <= 1


@pytest.mark.parametrize(
    ("evaluated", "rows", "at_most"),
    [(2_000, 40, 6_000), (2_000, 400, 15_000), (10_000, 40, 2_600), (10_000, 400, 6_000)],
)
def test_a_drop_of_five_points_pages_within_so_many_labels(
    evaluated: int, rows: int, at_most: int
) -> None:
    """Labels until the page, the median of ten streams; a larger evaluation knows sooner."""
    needed = []
    for seed in range(10):
        wrong = days(seed, rows=rows, drop_from=100)
        found = next(alarms(held_to(RIGHT, evaluated), wrong, rows))
        assert found >= 100
        needed.append((found - 100 + 1) * rows)
    assert np.median(needed) <= at_most, sorted(needed)
