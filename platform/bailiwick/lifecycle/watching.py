"""Watching all deployments: each monitor that has something to do, in a transaction of its own."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import BailiwickError
from bailiwick.lifecycle.jobs import JobKind, enqueue
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.schedules import schedule_of
from bailiwick.lifecycle.tables import Job, Schedule
from bailiwick.monitoring import Monitor, monitor_resource
from bailiwick.monitoring.hours import WindowLayout, first_rows
from bailiwick.monitoring.watching import (
    DriftIncident,
    Watch,
    advance,
    has_work,
    pause,
    standing_incident,
)
from bailiwick.policy import ask, load_actor
from bailiwick.registry import STOPPED, Deployment, served_versions

PATIENCE = timedelta(days=1)
REFUSED = "its service principal may not run checks here; see the policies that decide it"


def watch_all(platform: Platform) -> int:
    """Watch on wherever there is something to do; how many windows were judged.

    A deployment that cannot be watched hinders no other one: its error is raised at the end.
    """
    at = platform.clock.now()
    with platform.database.reading() as session:
        due = [one for one in watched(session) if has_work(session, *one, at=at)]
    judged, errors = 0, []
    for monitor_id, version_id in due:
        try:
            with platform.database.transaction() as session:
                judged += watch(session, platform, monitor_id, version_id, at=at)
        except BailiwickError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return judged


def watched(session: Session) -> list[tuple[UUID, UUID]]:
    """The monitors whose windows alarm, each with the version that its deployment serves."""
    rows = session.execute(
        select(Monitor.id, Deployment)
        .join(Deployment, Deployment.id == Monitor.deployment_id)
        .where(Monitor.enabled, Monitor.alarms_by == "windows", Deployment.state != STOPPED)
        .order_by(Monitor.id)
    ).all()
    served = served_versions(session, [deployment for _, deployment in rows])
    return [(identifier, served[deployment.id].id) for identifier, deployment in rows]


def watch(
    session: Session, platform: Platform, monitor_id: UUID, version_id: UUID, *, at: datetime
) -> int:
    """Watch on for one monitor, as its service principal; how many windows were judged.

    A refusal is told where the watching stands, and recorded as a decision by the next check.
    """
    schedule = schedule_of(session, JobKind.CHECK, monitor_id)
    if schedule is None:
        return 0
    monitor = session.get_one(Monitor, monitor_id)
    asked = ask(
        platform.in_force(session).rules,
        actor=load_actor(session, schedule.acts_as),
        action="check:run",
        resource=monitor_resource(session, monitor),
        at=at,
    )
    if not asked.verdict.allowed:
        pause(session, monitor, why=REFUSED)
        return 0
    judged = advance(session, monitor, version_id, actor_id=schedule.acts_as, at=at)
    _look_at_the_first_requests(session, schedule, monitor, at=at)
    incident = standing_incident(session, monitor)
    if incident is not None:
        _ask_a_second_opinion(session, schedule, monitor, incident, at=at)
    return judged


def _look_at_the_first_requests(
    session: Session, schedule: Schedule, monitor: Monitor, *, at: datetime
) -> None:
    """Once a version, as soon as there are enough: a check of them against its evaluation rows."""
    layout_id = session.get_one(Watch, monitor.id).layout_id
    if layout_id is None:
        return
    key = f"first-look:{monitor.id}:{session.get_one(WindowLayout, layout_id).version_id}"
    if _asked(session, key):
        return
    found = first_rows(session, layout_id, monitor.min_rows)
    if found is None:
        return
    start, end = found
    enqueue(
        session,
        JobKind.CHECK,
        namespace=schedule.namespace,
        label_id=schedule.label_id,
        subject_id=schedule.subject_id,
        acts_as=schedule.acts_as,
        payload={"due_at": end.isoformat(), "start": start.isoformat(), "first_look": True},
        actor_id=schedule.acts_as,
        at=at,
        dedupe_key=key,
    )


def _ask_a_second_opinion(
    session: Session,
    schedule: Schedule,
    monitor: Monitor,
    incident: DriftIncident,
    *,
    at: datetime,
) -> None:
    """Once an incident: a check of the traffic since its onset, to its first alarm at least.

    As soon as there are the rows that a check needs, or a day later.
    """
    key = f"incident:{incident.id}"
    layout_id = session.get_one(Watch, monitor.id).layout_id
    if layout_id is None or not incident.moves or _asked(session, key):
        return
    found = first_rows(session, layout_id, monitor.min_rows, since=incident.since)
    if found is None and at - incident.opened_at < PATIENCE:
        return
    end = max(incident.opened_at, found[1]) if found is not None else at
    enqueue(
        session,
        JobKind.CHECK,
        namespace=schedule.namespace,
        label_id=schedule.label_id,
        subject_id=schedule.subject_id,
        acts_as=schedule.acts_as,
        payload={
            "due_at": end.isoformat(),
            "start": incident.since.isoformat(),
        },
        actor_id=schedule.acts_as,
        at=at,
        dedupe_key=key,
    )


def _asked(session: Session, key: str) -> bool:
    return session.scalar(select(Job.id).where(Job.dedupe_key == key)) is not None
