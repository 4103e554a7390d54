"""Alerts: raised by a check or a policy, kept up to date, closed by people or by recovery.

States: `open` → `acknowledged` → `resolved`; an open one may be resolved directly. At most one
alert of a deployment and source is unresolved (a unique index): a worsening is the same alert.
"""

from collections.abc import Collection
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
from bailiwick.registry import Breach, Deployment, deployment_resource


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
MONITOR, POLICY = "monitor", "policy"  # what an alert comes from
OUT_OF_POLICY = "out-of-policy"
HISTORY = 100  # windows that are looked back at to say since when


def unresolved(session: Session, deployment_id: UUID, source: str = MONITOR) -> Alert | None:
    """The deployment's alert of that source that nobody and nothing has resolved yet."""
    return session.scalar(
        select(Alert).where(
            Alert.deployment_id == deployment_id,
            Alert.source == source,
            Alert.state != AlertState.RESOLVED,
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


def policy_alerts(session: Session, deployment_ids: Collection[UUID]) -> dict[UUID, Alert]:
    """The unresolved alerts of source `policy`, by deployment, in one query."""
    found = session.scalars(
        select(Alert).where(
            Alert.deployment_id.in_(deployment_ids),
            Alert.source == POLICY,
            Alert.state != AlertState.RESOLVED,
        )
    )
    return {alert.deployment_id: alert for alert in found}


def tell_owner(
    session: Session,
    breach: Breach,
    sentence: str,
    *,
    alert: Alert | None,
    actor_id: UUID,
    at: datetime,
) -> Alert:
    """Raise the alert that a deployment is out of policy, or bring `alert`, which stands, up to it.

    It is for the breach's owner and stays until the breach is resolved. The breach must have been
    written (flushed) before.
    """
    if alert is not None:
        alert.breach_id, alert.sentence = breach.id, sentence
        _event(session, alert, "alert.updated", actor_id, at, breach=str(breach.id))
        return alert
    alert = Alert(
        id=new_id(),
        deployment_id=breach.deployment_id,
        source=POLICY,
        breach_id=breach.id,
        owner_id=breach.owner_id,
        kind=OUT_OF_POLICY,
        state=AlertState.OPEN,
        sentence=sentence,
        since=breach.found_at,
        opened_at=at,
    )
    session.add(alert)
    _event(
        session,
        alert,
        "alert.raised",
        actor_id,
        at,
        deployment=str(breach.deployment_id),
        breach=str(breach.id),
        kind=alert.kind,
        since=alert.since.isoformat(),
    )
    return alert


def _raise(
    session: Session, monitor: Monitor, check: CheckResult, *, actor_id: UUID, at: datetime
) -> Alert:
    alert = Alert(
        id=new_id(),
        deployment_id=monitor.deployment_id,
        source=MONITOR,
        monitor_id=monitor.id,
        check_id=check.id,
        owner_id=session.get_one(Deployment, monitor.deployment_id).created_by,
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
        type="Alert",
        id=str(alert.id),
        namespace=watched.namespace,
        label=watched.label,
        belongs_to=watched.belongs_to,
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
