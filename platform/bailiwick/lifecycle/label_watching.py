"""Watching the labels of all deployments: counted wherever there are any, judged where watched."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import BailiwickError
from bailiwick.lifecycle.jobs import JobKind
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.schedules import schedule_of
from bailiwick.lifecycle.watching import watched
from bailiwick.monitoring import Monitor, monitor_resource
from bailiwick.monitoring.archive import Answered
from bailiwick.monitoring.labelled import advance, archived_answers, count, has_work
from bailiwick.policy import ask, load_actor


def watch_all_labels(platform: Platform) -> int:
    """Count and judge wherever there is something to do; how many steps were judged.

    A deployment that cannot be watched hinders no other one: its error is raised at the end.
    """
    at = platform.clock.now()
    with platform.database.reading() as session:
        serving = dict(watched(session))
        due = [
            (monitor.id, serving.get(monitor.id))
            for monitor in session.scalars(select(Monitor).order_by(Monitor.id))
            if has_work(session, monitor, serving.get(monitor.id), at=at)
        ]
    judged, errors = 0, []
    for monitor_id, version_id in due:
        try:
            with platform.database.reading() as session:
                monitor = session.get_one(Monitor, monitor_id)
                found = archived_answers(session, monitor, platform.blobs, at=at)
            with platform.database.transaction() as session:
                judged += watch_labels(session, platform, monitor_id, version_id, found, at=at)
        except BailiwickError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return judged


def watch_labels(
    session: Session,
    platform: Platform,
    monitor_id: UUID,
    version_id: UUID | None,
    archived: Mapping[str, Answered | None],
    *,
    at: datetime,
) -> int:
    """Watch on for one monitor, as its service principal; counting asks nobody."""
    monitor = session.get_one(Monitor, monitor_id)
    schedule = schedule_of(session, JobKind.CHECK, monitor_id)
    if version_id is None or schedule is None:
        count(session, monitor, archived=archived, at=at)
        return 0
    asked = ask(
        platform.in_force(session).rules,
        actor=load_actor(session, schedule.acts_as),
        action="check:run",
        resource=monitor_resource(session, monitor),
        at=at,
    )
    if not asked.verdict.allowed:
        count(session, monitor, archived=archived, at=at)
        return 0
    return advance(
        session, monitor, version_id, archived=archived, actor_id=schedule.acts_as, at=at
    )
