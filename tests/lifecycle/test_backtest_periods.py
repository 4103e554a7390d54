"""Time is cut into whole periods, empty ones included."""

import itertools

import numpy as np
import pytest

from bailiwick.lifecycle.backtest import Unit, spans_of


@pytest.mark.parametrize(
    ("unit", "names"),
    [
        (Unit.DAY, ["2024-02-28", "2024-02-29", "2024-03-01"]),
        (Unit.WEEK, ["2024-W09"]),
        (Unit.MONTH, ["2024-02", "2024-03"]),
        (Unit.QUARTER, ["2024-Q1"]),
        (Unit.YEAR, ["2024"]),
    ],
)
def test_each_unit_has_its_names(unit: Unit, names: list[str]) -> None:
    times = np.array(["2024-02-28T23:59", "2024-03-01T00:00"], "M8[us]")
    assert [span.name for span in spans_of(times, unit)] == names


def test_every_row_is_in_one_period_and_periods_touch() -> None:
    chance = np.random.default_rng(3)
    times = np.sort(chance.integers(0, 10**9, 500)).astype("M8[s]").astype("M8[us]")
    for unit in Unit:
        spans = spans_of(times, unit)
        assert sum(span.rows for span in spans) == 500
        for before, after in itertools.pairwise(spans):
            assert (before.end, before.stop) == (after.start, after.first)
        for span in spans:
            inside = times[span.first : span.stop]
            assert (inside >= np.datetime64(span.start.replace(tzinfo=None))).all()
            assert (inside < np.datetime64(span.end.replace(tzinfo=None))).all()


def test_a_week_of_the_turn_of_the_year_has_one_name() -> None:
    times = np.array(["2024-12-30", "2025-01-05"], "M8[us]")
    (week,) = spans_of(times, Unit.WEEK)
    assert (week.name, f"{week.start:%a}") == ("2025-W01", "Mon")


def test_a_period_without_rows_is_there() -> None:
    times = np.array(["2024-01-31", "2024-03-01"], "M8[us]")
    assert [(span.name, span.rows) for span in spans_of(times, Unit.MONTH)] == [
        ("2024-01", 1),
        ("2024-02", 0),
        ("2024-03", 1),
    ]


def test_no_rows_are_no_periods() -> None:
    assert spans_of(np.array([], "M8[us]"), Unit.DAY) == ()
