from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.errors import Invalid
from bailiwick.notifications.recurrence import WEEKDAYS, Weekly

LONDON = "Europe/London"
weeklies = st.builds(
    Weekly,
    weekdays=st.frozensets(st.sampled_from(WEEKDAYS), min_size=1),
    begins=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    ends=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    zone=st.sampled_from([LONDON, "UTC", "America/New_York", "Pacific/Apia", "Asia/Kolkata"]),
)
moments = st.integers(1_704_067_200, 1_798_761_600).map(  # 2024 to 2026
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def on(day: str, begins: str, ends: str, zone: str = LONDON) -> Weekly:
    return Weekly(frozenset({day}), time.fromisoformat(begins), time.fromisoformat(ends), zone)


def utc(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-01-05T08:59", False),  # Monday, winter: London is UTC
        ("2026-01-05T09:00", True),
        ("2026-01-05T11:59", True),
        ("2026-01-05T12:00", False),
        ("2026-07-06T08:00", True),  # summer: an hour earlier in UTC
        ("2026-07-06T11:00", False),
        ("2026-01-06T09:00", False),  # Tuesday
    ],
)
def test_hours_are_those_of_the_wall_clock(at: str, *, inside: bool) -> None:
    assert (on("monday", "09:00", "12:00").around(utc(at)) is not None) is inside


def test_a_period_passes_midnight() -> None:
    nights = on("friday", "22:00", "02:00")
    assert nights.around(utc("2026-01-03T01:59")) == (
        utc("2026-01-02T22:00"),
        utc("2026-01-03T02:00"),
    )
    assert nights.around(utc("2026-01-02T01:00")) is None  # the night before is Thursday's


def test_when_clocks_go_forward_a_time_that_does_not_exist_moves_by_the_change() -> None:
    # 2026-03-29 01:00 to 02:00 does not exist in London.
    period = on("sunday", "01:30", "03:30").around(utc("2026-03-29T02:00"))
    assert period == (utc("2026-03-29T01:30"), utc("2026-03-29T02:30"))
    ending = on("sunday", "00:30", "01:30").around(utc("2026-03-29T00:45"))
    assert ending == (utc("2026-03-29T00:30"), utc("2026-03-29T01:30"))


def test_when_clocks_go_back_a_time_that_comes_twice_is_silent_both_times() -> None:
    # 2026-10-25 01:00 to 02:00 comes twice in London.
    period = on("sunday", "01:00", "01:30").around(utc("2026-10-25T00:15"))
    assert period == (utc("2026-10-25T00:00"), utc("2026-10-25T01:30"))


@given(weeklies, moments)
def test_a_period_holds_its_moment_and_begins_on_a_day_that_was_named(
    weekly: Weekly, at: datetime
) -> None:
    period = weekly.around(at)
    if period is None:
        return
    start, end = period
    assert start <= at < end
    # A day and a change of clocks (Samoa left a whole day out, but in 2011).
    assert end - start <= timedelta(hours=26)
    zone = ZoneInfo(weekly.zone)
    assert any(
        WEEKDAYS[(start.astimezone(zone) - slack).weekday()] in weekly.weekdays
        for slack in (timedelta(0), timedelta(hours=2))
    )


@given(weeklies, moments)
def test_each_moment_of_a_period_is_inside_it(weekly: Weekly, at: datetime) -> None:
    period = weekly.around(at)
    if period is not None:
        start, end = period
        for inside in (start, start + (end - start) / 2, end - timedelta(microseconds=1)):
            assert weekly.around(inside) is not None


@given(weeklies)
def test_a_week_away_from_changes_of_clocks_every_named_day_has_its_period(weekly: Weekly) -> None:
    zone = ZoneInfo(weekly.zone)
    for number in range(7):
        day = datetime(2026, 6, 1 + number, tzinfo=zone)  # a Monday first
        begins = datetime.combine(day, weekly.begins, zone)
        if WEEKDAYS[number] in weekly.weekdays:
            assert weekly.around(begins.astimezone(UTC)) is not None


@given(weeklies)
def test_it_is_the_same_after_it_was_stored(weekly: Weekly) -> None:
    assert Weekly.from_dict(weekly.to_dict()) == weekly


@pytest.mark.parametrize(
    ("days", "zone", "said"),
    [((), LONDON, "weekdays"), (("someday",), LONDON, "weekdays"), (("monday",), "Mars", "zone")],
)
def test_what_makes_no_sense_is_refused(days: tuple[str, ...], zone: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        Weekly(frozenset(days), time(1), time(2), zone)
