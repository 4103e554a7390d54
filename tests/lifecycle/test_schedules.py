"""Schedules: one job per due time, however many schedulers look, whenever they look."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import JobKind, Platform
from bailiwick.lifecycle.schedules import (
    enable_schedule,
    fire_due,
    next_due,
    schedule_of,
    set_schedule,
)
from bailiwick.lifecycle.tables import Job, Schedule
from bailiwick.policy import intern_label
from factories import CONFIDENTIAL, NAMESPACE, Factory
from support.lifecycle_world import at_once, audited

DAILY = "0 6 * * *"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def scheduled(make: Factory, cron: str = DAILY, *, subject_id: UUID | None = None) -> Schedule:
    return set_schedule(
        make.session,
        JobKind.CHECK,
        subject_id or new_id(),
        namespace=NAMESPACE,
        label_id=intern_label(make.session, CONFIDENTIAL),
        cron=cron,
        acts_as=make.engineer.id,
        actor_id=make.engineer.id,
        at=make.at,
    )


def due_times(session: Session, schedule: Schedule) -> list[datetime | None]:
    query = select(Job.due_at).where(Job.schedule_id == schedule.id).order_by(Job.due_at)
    return list(session.scalars(query))


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        (DAILY, "2026-01-05 05:59:59", "2026-01-05 06:00"),
        (DAILY, "2026-01-05 06:00", "2026-01-06 06:00"),
        ("0 0 29 2 *", "2026-01-05", "2028-02-29"),
        ("0 0 29 2 *", "2028-02-29", "2032-02-29"),
        ("0 0 29 2 *", "2096-03-01", "2104-02-29"),  # 2100 is no leap year
        (DAILY, "2028-02-28 07:00", "2028-02-29 06:00"),
        ("30 23 31 * *", "2026-01-31 23:30", "2026-03-31 23:30"),
        ("0 0 1 1,4,7,10 *", "2025-12-31 23:59", "2026-01-01"),
        ("*/15 * * * *", "2025-12-31 23:50", "2026-01-01"),
        # 2026-01-05 is a Monday, and crontab counts from Sunday.
        ("0 6 * * 1", "2026-01-05 06:00", "2026-01-12 06:00"),
        ("0 6 * * 0", "2026-01-05", "2026-01-11 06:00"),
        ("0 6 * * 7", "2026-01-05", "2026-01-11 06:00"),
        ("0 6 * * 5-7", "2026-01-05", "2026-01-09 06:00"),
        ("0 6 * * sat-sun", "2026-01-10 06:00", "2026-01-11 06:00"),
        ("0 6 * * */3", "2026-01-05", "2026-01-07 06:00"),  # Sunday, Wednesday, Saturday
        ("0 6 * * 2/2", "2026-01-06 07:00", "2026-01-08 06:00"),
        ("0 6 * * MON,3", "2026-01-06", "2026-01-07 06:00"),
        ("0 6 13 * 5", "2026-01-05", "2026-02-13 06:00"),  # both: Friday the 13th
    ],
)
def test_a_cron_expression_falls_due_strictly_after_the_moment(
    cron: str, after: str, expected: str
) -> None:
    assert next_due(cron, after=moment(after)) == moment(expected)


@pytest.mark.parametrize(
    "cron",
    [
        *("", "* * * *", "* * * * * *", "a b c d e", "61 * * * *", "0 24 * * *"),
        *("0 0 * * 8", "0 0 * * 5-2", "0 0 * * */0", "0 0 * * noday", "0 0 * * -"),
    ],
)
def test_what_is_no_cron_expression_is_refused_with_an_example(cron: str) -> None:
    with pytest.raises(Invalid, match=r"is not a cron expression; write five fields, for inst"):
        next_due(cron, after=moment("2026-01-05"))


def test_a_date_that_never_comes_is_refused() -> None:
    with pytest.raises(Invalid, match=r"'0 0 30 2 \*' never fires"):
        next_due("0 0 30 2 *", after=moment("2026-01-05"))


def test_a_schedule_fires_once_per_due_time_and_not_before(
    make: Factory, session: Session, clock: ReplayClock
) -> None:
    schedule = scheduled(make)
    assert fire_due(session, at=clock.now()) == 0
    for day in (6, 7):
        clock.advance_to(datetime(2026, 1, day, 5, 59, 59, tzinfo=UTC))
        assert fire_due(session, at=clock.now()) == 0
        clock.advance_to(datetime(2026, 1, day, 6, tzinfo=UTC))
        assert fire_due(session, at=clock.now()) == 1
        assert fire_due(session, at=clock.now()) == 0
    assert due_times(session, schedule) == [moment("2026-01-06 06:00"), moment("2026-01-07 06:00")]
    job = session.scalars(select(Job)).first()
    assert job is not None
    assert (job.kind, job.subject_id) == ("check", schedule.subject_id)
    assert job.payload == {"due_at": "2026-01-06T06:00:00+00:00"}
    assert audited(session, job.id) == ["job.queued"]


def test_after_a_long_pause_a_schedule_fires_once_for_its_newest_due_time(
    make: Factory, session: Session
) -> None:
    daily, minutely = scheduled(make), scheduled(make, "* * * * *")
    yearly = scheduled(make, "0 0 1 1 *")
    monday = scheduled(make, "* 3 * * 1")
    woken = make.at + timedelta(days=400, seconds=90)  # Tuesday, 2027-02-09, 08:01:30
    assert fire_due(session, at=woken) == 4
    assert due_times(session, daily) == [moment("2027-02-09 06:00")]
    assert due_times(session, minutely) == [moment("2027-02-09 08:01")]
    assert due_times(session, yearly) == [moment("2027-01-01")]
    assert due_times(session, monday) == [moment("2027-02-08 03:59")]
    assert minutely.next_due_at == moment("2027-02-09 08:02")
    assert daily.next_due_at == moment("2027-02-10 06:00")
    assert fire_due(session, at=woken) == 0


def test_a_paused_schedule_is_silent_and_does_not_make_up_for_what_it_missed(
    make: Factory, session: Session, clock: ReplayClock
) -> None:
    schedule = scheduled(make)
    actor_id = make.engineer.id
    enable_schedule(session, schedule, enabled=False, actor_id=actor_id, at=clock.now())
    clock.advance_to(moment("2026-01-08 12:00"))
    assert fire_due(session, at=clock.now()) == 0
    enable_schedule(session, schedule, enabled=True, actor_id=actor_id, at=clock.now())
    enable_schedule(session, schedule, enabled=True, actor_id=actor_id, at=clock.now())
    assert fire_due(session, at=clock.now()) == 0
    assert schedule.next_due_at == moment("2026-01-09 06:00")
    said = ["schedule.set", "schedule.paused", "schedule.enabled"]
    assert audited(session, schedule.id) == said


def test_setting_a_schedule_again_replaces_it(make: Factory, session: Session) -> None:
    first = scheduled(make)
    second = scheduled(make, "0 7 * * 2", subject_id=first.subject_id)
    assert second is first
    assert schedule_of(session, JobKind.CHECK, first.subject_id) is first
    assert first.next_due_at == moment("2026-01-06 07:00")
    assert audited(session, first.id) == ["schedule.set", "schedule.set"]


def committed(platform: Platform, crons: list[str]) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        for cron in crons:
            scheduled(make, cron)


def fire(platform: Platform) -> int:
    with platform.database.transaction() as session:
        return fire_due(session, at=platform.clock.now())


def test_two_schedulers_at_once_fire_each_due_time_once(
    platform: Platform, rival: Platform, clock: ReplayClock
) -> None:
    committed(platform, [f"{minute} 6 * * *" for minute in range(10)])
    for day in range(1, 4):
        clock.advance_to(moment("2026-01-05 06:30") + timedelta(days=day))
        fired = at_once(*[lambda mine=mine: fire(mine) for mine in (platform, rival) * 3])
        assert sum(number for number in fired if isinstance(number, int)) == 10
        assert [type(number) for number in fired] == [int] * 6
    with platform.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 30


def test_the_unique_key_keeps_a_due_time_single_where_the_lock_does_not(
    make: Factory, session: Session, clock: ReplayClock
) -> None:
    schedule = scheduled(make)
    clock.advance_to(moment("2026-01-06 06:00"))
    assert fire_due(session, at=clock.now()) == 1
    schedule.next_due_at = moment("2026-01-06 06:00")  # what a scheduler without the lock read
    session.flush()
    assert fire_due(session, at=clock.now()) == 0
    assert due_times(session, schedule) == [moment("2026-01-06 06:00")]
    assert schedule.next_due_at == moment("2026-01-07 06:00")
    session.expire_all()
    assert schedule.next_due_at == moment("2026-01-07 06:00")
