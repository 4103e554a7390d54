"""Schedules and the clock: pauses, nights in which clocks are changed, clocks that were wrong."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import JobKind
from bailiwick.lifecycle.schedules import fire_due, set_schedule
from bailiwick.lifecycle.tables import Job, Schedule
from bailiwick.policy import intern_label
from factories import CONFIDENTIAL, NAMESPACE, Factory

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(params=["Europe/London", "America/New_York"])
def zone_of_the_machine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The machine's own clock is one that people change twice a year."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def scheduled(make: Factory, cron: str, *, at: datetime) -> Schedule:
    return set_schedule(
        make.session,
        JobKind.CHECK,
        new_id(),
        namespace=NAMESPACE,
        label_id=intern_label(make.session, CONFIDENTIAL),
        cron=cron,
        acts_as=make.engineer.id,
        actor_id=make.engineer.id,
        at=at,
    )


def due_times(session: Session) -> list[datetime | None]:
    return list(session.scalars(select(Job.due_at).order_by(Job.due_at)))


@pytest.mark.usefixtures("zone_of_the_machine")
@pytest.mark.parametrize(
    "night",
    [datetime(2026, month, day, tzinfo=UTC) for month, day in ((3, 29), (10, 25), (3, 8), (11, 1))],
)
def test_in_nights_in_which_clocks_are_changed_each_hour_is_due_once(
    make: Factory, session: Session, night: datetime
) -> None:
    scheduled(make, "30 * * * *", at=night - HOUR)
    for minute in range(0, 26 * 60, 10):
        fire_due(session, at=night - HOUR + timedelta(minutes=minute))
    expected = [night - HOUR / 2 + number * HOUR for number in range(26)]
    assert due_times(session) == expected


def test_after_three_days_without_a_scheduler_only_the_newest_moment_is_made_up_for(
    make: Factory, session: Session, clock: ReplayClock
) -> None:
    schedule = scheduled(make, "0 6 * * *", at=clock.now())
    back = clock.now() + 3 * DAY
    assert [fire_due(session, at=back), fire_due(session, at=back)] == [1, 0]
    assert due_times(session) == [back.replace(hour=6)]
    assert schedule.next_due_at == back.replace(hour=6) + DAY


def test_a_clock_that_is_set_back_fires_nothing_twice(
    make: Factory, session: Session, clock: ReplayClock
) -> None:
    schedule = scheduled(make, "0 * * * *", at=clock.now())
    noon = clock.now().replace(hour=12)
    fire_due(session, at=noon)
    for minute in range(-120, 61, 20):
        fire_due(session, at=noon + timedelta(minutes=minute))
    assert due_times(session) == [noon + number * HOUR for number in (-1, 0, 1)]
    assert schedule.next_due_at == noon + 2 * HOUR


def test_a_clock_that_ran_a_year_ahead_silences_no_schedule_once_it_is_right(
    make: Factory, session: Session, clock: ReplayClock
) -> None:
    scheduled(make, "0 6 * * *", at=clock.now())
    ahead = clock.now() + 365 * DAY
    assert fire_due(session, at=ahead) == 1
    assert fire_due(session, at=clock.now()) == 0
    for day in (1, 2):
        assert fire_due(session, at=clock.now() + day * DAY) == 1
    six = clock.now().replace(hour=6)
    assert due_times(session) == [six + DAY, six + 2 * DAY, six + 365 * DAY]
    assert fire_due(session, at=ahead) == 0  # that moment had its job
