"""The life of an alert: its states, its moves, and what follows from each.

`open` → `acknowledged` → `resolved`; an open one may be resolved directly, by somebody or by
itself: after `QUIET_CHECKS` checks in a row that found nothing. When the same cause comes back
within `REOPEN_WITHIN`, a resolved alert is `open` again instead of a new one being raised.

Each move is one transaction's work: the row, an `AlertEvent`, an audit event, and the messages that
tell of it (`notifications.announce`).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict
from bailiwick.core.ids import new_id
from bailiwick.monitoring.tables import Alert, AlertEvent
from bailiwick.notifications import Notice, Severity, announce, call_off
from bailiwick.registry import Deployment

QUIET_CHECKS = 2  # one quiet window between two bad ones is no recovery
REOPEN_WITHIN = timedelta(days=7)
RECOVERED = f"{QUIET_CHECKS} checks in a row found nothing"


class AlertState(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Move(StrEnum):
    """What can happen to an alert."""

    RAISED = "raised"
    WORSENED = "worsened"  # its severity rose
    EASED = "eased"  # its severity fell
    QUIETED = "quieted"  # a check found nothing; not enough of them yet
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"


TRANSITIONS = {
    AlertState.OPEN: {AlertState.ACKNOWLEDGED, AlertState.RESOLVED},
    AlertState.ACKNOWLEDGED: {AlertState.RESOLVED},
    AlertState.RESOLVED: {AlertState.OPEN},  # reopened, when its cause comes back soon enough
}
# Moves that people are told of. A check that finds the same again is not news.
TOLD = frozenset({Move.RAISED, Move.WORSENED, Move.RESOLVED, Move.REOPENED})


def begin(session: Session, alert: Alert, *, actor_id: UUID, at: datetime) -> Alert:
    """Write a new alert."""
    alert.state, alert.quiet_checks, alert.moves = AlertState.OPEN, 0, 0
    session.add(alert)
    session.flush()
    _moved(session, alert, Move.RAISED, None, alert.sentence, actor_id, at)
    return alert


def reopen(session: Session, alert: Alert, *, actor_id: UUID, at: datetime) -> Alert:
    """Its cause is back; who acknowledged and resolved it before is in its events."""
    _require(alert, AlertState.OPEN)
    alert.state, alert.reopened_at, alert.quiet_checks = AlertState.OPEN, at, 0
    alert.acknowledged_at = alert.acknowledged_by = None
    alert.resolved_at = alert.resolved_by = alert.resolution = None
    _moved(session, alert, Move.REOPENED, AlertState.RESOLVED, alert.sentence, actor_id, at)
    return alert


def keep_up(
    session: Session, alert: Alert, severity: Severity, *, actor_id: UUID, at: datetime
) -> Alert:
    """What raised it is still there, as bad as `severity`; the caller has renewed the rest."""
    before = Severity(alert.severity)
    alert.severity, alert.quiet_checks = severity, 0
    session.flush()
    if severity is before:
        _audit(session, alert, "alert.updated", actor_id, at)
    else:
        move = Move.WORSENED if severity.rank > before.rank else Move.EASED
        _moved(session, alert, move, AlertState(alert.state), alert.sentence, actor_id, at)
    return alert


def quieten(
    session: Session, alert: Alert, *, found: str, actor_id: UUID, at: datetime
) -> Alert | None:
    """A check found nothing: the alert, or None once that resolved it.

    `found` is the check's sentence.
    """
    alert.quiet_checks += 1
    if alert.quiet_checks >= QUIET_CHECKS:
        close(session, alert, resolution=RECOVERED, actor_id=actor_id, at=at)
        return None
    _moved(session, alert, Move.QUIETED, AlertState(alert.state), found, actor_id, at)
    return alert


def acknowledge(session: Session, alert: Alert, *, actor_id: UUID, at: datetime) -> Alert:
    """Somebody is looking, so nobody else is called; doing it again changes nothing."""
    if alert.state != AlertState.ACKNOWLEDGED:
        old = _require(alert, AlertState.ACKNOWLEDGED)
        alert.state = AlertState.ACKNOWLEDGED
        alert.acknowledged_at, alert.acknowledged_by = at, actor_id
        _moved(session, alert, Move.ACKNOWLEDGED, old, "", actor_id, at)
        call_off(session, alert.id, at=at, escalations_only=True)
    return alert


def close(
    session: Session, alert: Alert, *, resolution: str, actor_id: UUID, at: datetime
) -> Alert:
    """It is over; the resolution says why."""
    old = _require(alert, AlertState.RESOLVED)
    alert.state = AlertState.RESOLVED
    alert.resolved_at, alert.resolved_by, alert.resolution = at, actor_id, resolution
    _moved(session, alert, Move.RESOLVED, old, resolution, actor_id, at)
    return alert


def _require(alert: Alert, state: AlertState) -> AlertState:
    """The state that it would leave; `Conflict` if the table has no such move."""
    old = AlertState(alert.state)
    if state not in TRANSITIONS[old]:
        raise Conflict(f"this alert is {old} and cannot become {state}")
    return old


def _moved(
    session: Session,
    alert: Alert,
    move: Move,
    old: AlertState | None,
    why: str,
    actor_id: UUID,
    at: datetime,
) -> None:
    """Write down a move that the alert's row has made, and tell of it."""
    alert.moves += 1
    session.flush()
    event = AlertEvent(
        id=new_id(),
        alert_id=alert.id,
        number=alert.moves,
        move=move,
        old_state=old,
        new_state=alert.state,
        severity=alert.severity,
        kind=alert.kind,
        why=why,
        check_id=alert.check_id,
        breach_id=alert.breach_id,
        actor_id=actor_id,
        at=at,
    )
    session.add(event)
    session.flush()
    changed = move in (Move.WORSENED, Move.EASED)
    _audit(session, alert, "alert.updated" if changed else f"alert.{move}", actor_id, at)
    if move in TOLD:
        announce(
            session,
            Notice(
                event_id=event.id,
                alert_id=alert.id,
                number=event.number,
                move=move,
                state=alert.state,
                severity=Severity(alert.severity),
                source=alert.source,
                cause=alert.cause,
                kind=alert.kind,
                since=alert.since,
                at=at,
                caused_by=actor_id,
                is_acknowledged=alert.state == AlertState.ACKNOWLEDGED,
            ),
            session.get_one(Deployment, alert.deployment_id),
        )


def _audit(session: Session, alert: Alert, action: str, actor_id: UUID, at: datetime) -> None:
    details = {
        "deployment": str(alert.deployment_id),
        "cause": alert.cause,
        "kind": alert.kind,
        "severity": str(alert.severity),
        "since": alert.since.isoformat(),
        "check": str(alert.check_id) if alert.check_id else None,
        "incident": str(alert.incident_id) if alert.incident_id else None,
        "label_incident": str(alert.label_incident_id) if alert.label_incident_id else None,
        "breach": str(alert.breach_id) if alert.breach_id else None,
    }
    if alert.resolution is not None:
        details["resolution"] = alert.resolution
    record(
        session,
        action,
        subject_type="alert",
        subject_id=alert.id,
        actor_id=actor_id,
        at=at,
        details=details,
    )
