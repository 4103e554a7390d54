"""Alerts: raised by a check, kept up to date by later ones, closed by people or by recovery.

States: `open` → `acknowledged` → `resolved`; an open one may be resolved directly. At most one
alert of a deployment is unresolved (a unique index), so a worsening is the same alert.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict
from bailiwick.core.ids import new_id
from bailiwick.monitoring.findings import drifted_columns, moved_since
from bailiwick.monitoring.tables import Alert, CheckResult, Monitor
from bailiwick.policy import Resource
from bailiwick.registry import Deployment, deployment_resource


class AlertState(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


TRANSITIONS = {
    AlertState.OPEN: {AlertState.ACKNOWLEDGED, AlertState.RESOLVED},
    AlertState.ACKNOWLEDGED: {AlertState.RESOLVED},
    AlertState.RESOLVED: set[AlertState](),
}
QUIET, INSUFFICIENT = "none", "insufficient"
HISTORY = 100  # windows that are looked back at to say since when


def unresolved(session: Session, deployment_id: UUID) -> Alert | None:
    """The deployment's alert that nobody and nothing has resolved yet."""
    return session.scalar(
        select(Alert).where(
            Alert.deployment_id == deployment_id, Alert.state != AlertState.RESOLVED
        )
    )


def evaluate(
    session: Session, monitor: Monitor, check: CheckResult, *, actor_id: UUID, at: datetime
) -> Alert | None:
    """What a new check means for the deployment's alert: raise, update, resolve or leave it."""
    alert = unresolved(session, monitor.deployment_id)
    if check.verdict == INSUFFICIENT:
        return alert
    if check.verdict == QUIET:
        if alert is not None:
            close(
                session, alert, resolution="a later check found nothing", actor_id=actor_id, at=at
            )
        return None
    if alert is None:
        return _raise(session, monitor, check, actor_id=actor_id, at=at)
    alert.check_id, alert.kind, alert.sentence = check.id, check.verdict, check.sentence
    session.flush()
    _event(session, alert, "alert.updated", actor_id, at, check=str(check.id), kind=alert.kind)
    return alert


def _raise(
    session: Session, monitor: Monitor, check: CheckResult, *, actor_id: UUID, at: datetime
) -> Alert:
    alert = Alert(
        id=new_id(),
        deployment_id=monitor.deployment_id,
        monitor_id=monitor.id,
        check_id=check.id,
        kind=check.verdict,
        state=AlertState.OPEN,
        sentence=check.sentence,
        since=_since(session, monitor, check),
        opened_at=at,
    )
    session.add(alert)
    session.flush()
    _event(
        session,
        alert,
        "alert.raised",
        actor_id,
        at,
        deployment=str(monitor.deployment_id),
        check=str(check.id),
        kind=alert.kind,
        since=alert.since.isoformat(),
    )
    return alert


def _since(session: Session, monitor: Monitor, check: CheckResult) -> datetime:
    """The start of the window in which what has moved now began to move."""
    newest_first = session.scalars(
        select(CheckResult)
        .where(
            CheckResult.monitor_id == monitor.id,
            CheckResult.window_end <= check.window_end,
            CheckResult.verdict != INSUFFICIENT,
        )
        .order_by(CheckResult.window_end.desc(), CheckResult.id.desc())
        .limit(HISTORY)
    )
    history = [
        (past.window_start, drifted_columns(past.results, past.details)) for past in newest_first
    ]
    return moved_since(history[::-1])


def acknowledge(session: Session, alert: Alert, *, actor_id: UUID, at: datetime) -> Alert:
    """Somebody is looking; doing it again changes nothing."""
    if alert.state != AlertState.ACKNOWLEDGED:
        _move(alert, AlertState.ACKNOWLEDGED)
        alert.acknowledged_at, alert.acknowledged_by = at, actor_id
        session.flush()
        _event(session, alert, "alert.acknowledged", actor_id, at)
    return alert


def close(
    session: Session, alert: Alert, *, resolution: str, actor_id: UUID, at: datetime
) -> Alert:
    """It is over; the resolution says why."""
    _move(alert, AlertState.RESOLVED)
    alert.resolved_at, alert.resolved_by, alert.resolution = at, actor_id, resolution
    session.flush()
    _event(session, alert, "alert.resolved", actor_id, at, resolution=resolution)
    return alert


def alert_resource(session: Session, alert: Alert) -> Resource:
    """The alert as the policy sees it: labelled like its deployment."""
    watched = deployment_resource(session, session.get_one(Deployment, alert.deployment_id))
    return Resource(
        type="Alert", id=str(alert.id), namespace=watched.namespace, label=watched.label
    )


def _move(alert: Alert, state: AlertState) -> None:
    if state not in TRANSITIONS[AlertState(alert.state)]:
        raise Conflict(f"this alert is {alert.state} and cannot become {state}")
    alert.state = state


def _event(
    session: Session, alert: Alert, action: str, actor_id: UUID, at: datetime, **details: str
) -> None:
    record(
        session,
        action,
        subject_type="alert",
        subject_id=alert.id,
        actor_id=actor_id,
        at=at,
        details=details,
    )
