"""Schedules: when jobs fall due. Each due time gives one job, however many schedulers look."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.jobs import JobKind, enqueue
from bailiwick.lifecycle.tables import Job, Schedule

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def next_due(cron: str, *, after: datetime) -> datetime:
    """The first moment after `after` at which a five-field cron expression (UTC) fires.

    Weekdays count from Sunday = 0 (or 7), as crontab does. Where both a day of the month and a
    weekday are given, both must match.

    >>> next_due("0 6 * * 1", after=datetime(2026, 1, 6, tzinfo=UTC)).strftime("%A, %d %B")
    'Monday, 12 January'
    """
    try:
        minute, hour, day, month, weekday = cron.split()
        trigger = CronTrigger(
            minute=minute,
            hour=hour,
            day=day,
            month=month,
            day_of_week=_weekdays(weekday),
            timezone=UTC,
        )
    except ValueError as error:
        raise Invalid(
            f"{cron!r} is not a cron expression; write five fields, for instance '0 6 * * 1'"
        ) from error
    moment: datetime | None = trigger.get_next_fire_time(after, after)
    if moment is None:
        raise Invalid(f"{cron!r} never fires")
    return moment


def set_schedule(
    session: Session,
    job_kind: JobKind,
    subject_id: UUID,
    *,
    namespace: str,
    label_id: str,
    cron: str,
    acts_as: UUID,
    actor_id: UUID,
    at: datetime,
) -> Schedule:
    """Let jobs of that kind fall due for the subject; replaces an earlier schedule."""
    schedule = schedule_of(session, job_kind, subject_id)
    if schedule is None:
        schedule = Schedule(id=new_id(), job_kind=job_kind, subject_id=subject_id)
        session.add(schedule)
    schedule.namespace, schedule.label_id, schedule.acts_as = namespace, label_id, acts_as
    schedule.cron, schedule.enabled, schedule.next_due_at = cron, True, next_due(cron, after=at)
    session.flush()
    record(
        session,
        "schedule.set",
        subject_type="schedule",
        subject_id=schedule.id,
        actor_id=actor_id,
        at=at,
        details={
            "job_kind": job_kind,
            "subject": str(subject_id),
            "cron": cron,
            "acts_as": str(acts_as),
        },
    )
    return schedule


def schedule_of(session: Session, job_kind: JobKind, subject_id: UUID) -> Schedule | None:
    """The subject's schedule for that kind of job, if it has one."""
    return session.scalar(
        select(Schedule).where(Schedule.job_kind == job_kind, Schedule.subject_id == subject_id)
    )


def enable_schedule(
    session: Session, schedule: Schedule, *, enabled: bool, actor_id: UUID, at: datetime
) -> None:
    """Pause a schedule, or let it go on from now (what was missed is not made up for)."""
    if schedule.enabled == enabled:
        return
    schedule.enabled = enabled
    if enabled:
        schedule.next_due_at = next_due(schedule.cron, after=at)
    session.flush()
    record(
        session,
        "schedule.enabled" if enabled else "schedule.paused",
        subject_type="schedule",
        subject_id=schedule.id,
        actor_id=actor_id,
        at=at,
    )


def fire_due(session: Session, *, at: datetime) -> int:
    """Queue a job for every schedule that is due; how many.

    After a pause (nobody looked for days) a schedule fires once, for its newest due time:
    checks of windows long past would say nothing new. A clock that is set back fires nothing
    twice, and one that ran ahead for a while silences nothing afterwards.
    """
    _come_back(session, at=at)
    fired = 0
    due = session.scalars(
        select(Schedule)
        .where(Schedule.enabled, Schedule.next_due_at <= at)
        .order_by(Schedule.next_due_at)
        .with_for_update(skip_locked=True)
    )
    for schedule in due:
        moment = _newest_due(schedule.cron, since=schedule.next_due_at, until=at)
        schedule.next_due_at = next_due(schedule.cron, after=moment)
        try:
            with session.begin_nested():
                enqueue(
                    session,
                    JobKind(schedule.job_kind),
                    namespace=schedule.namespace,
                    label_id=schedule.label_id,
                    subject_id=schedule.subject_id,
                    acts_as=schedule.acts_as,
                    payload={"due_at": moment.isoformat()},
                    actor_id=schedule.acts_as,
                    at=at,
                    schedule_id=schedule.id,
                    due_at=moment,
                )
        except IntegrityError:  # another scheduler was faster: its job is the one
            continue
        fired += 1
    return fired


def _come_back(session: Session, *, at: datetime) -> None:
    """Schedules that fired in a future that the clock has left are due again in the present."""
    future = select(Job.id).where(Job.schedule_id == Schedule.id, Job.due_at > at)
    ahead = select(Schedule).where(Schedule.enabled, Schedule.next_due_at > at, future.exists())
    for schedule in session.scalars(ahead.with_for_update(skip_locked=True)):
        schedule.next_due_at = next_due(schedule.cron, after=at)


def _newest_due(cron: str, *, since: datetime, until: datetime) -> datetime:
    """The newest due time up to `until`, where `since` is one.

    Looked for from the end: a schedule of minutes that slept for a year has half a million.
    """
    back = timedelta(minutes=1)
    while (found := next_due(cron, after=max(since, until - back))) > until:
        if until - back <= since:
            return since
        back *= 2
    while (later := next_due(cron, after=found)) <= until:
        found = later
    return found


def _weekdays(field: str) -> str:
    """A cron field's days by name: APScheduler numbers them from Monday = 0."""
    days: list[int] = []
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0-6" if span == "*" else span).partition("-")
        start = _weekday(first)
        end = _weekday(last) if last else (6 if step else start)
        end = 7 if end == 0 < start else end  # a week that ends on Sunday
        if end < start:
            message = "a range of weekdays runs backwards"
            raise ValueError(message)
        days += range(start, end + 1, int(step or 1))
    return ",".join(_WEEKDAYS[day % 7] for day in days)


def _weekday(text: str) -> int:
    if not text.isdecimal():
        return _WEEKDAYS.index(text.lower())
    number = int(text)
    if number > len(_WEEKDAYS):
        message = "weekdays are numbered from 0 to 7"
        raise ValueError(message)
    return number
