"""What alarms of labels become: one incident per deployment, and the alert that tells of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.monitoring.alert_life import AlertState, close
from bailiwick.monitoring.alerts import Signal, signal
from bailiwick.monitoring.incidents import Incident
from bailiwick.monitoring.labelled.findings import Loss
from bailiwick.monitoring.labelled.tables import LabelIncident, LabelReference, LabelWatch
from bailiwick.monitoring.tables import MONITOR, Alert, Monitor
from bailiwick.notifications import severity_of
from bailiwick.registry import Deployment

LABELS = "labels"
DRIFT, HARM = "drift", "harm"


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose labels are watched, who acts, and when."""

    monitor: Monitor
    actor_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """A loss as it is told: in words, and with the worst classes and slices as JSON."""

    loss: Loss
    sentence: str
    worst: Mapping[str, Any]


def standing(session: Session, watch: LabelWatch) -> LabelIncident | None:
    """The loss that has not ended."""
    return session.get_one(LabelIncident, watch.incident_id) if watch.incident_id else None


def course_of(incident: LabelIncident | None) -> Incident | None:
    """Its course so far, in steps, as `incidents.follow` counts it."""
    return Incident(**incident.course) if incident is not None else None


def open_incident(
    session: Session,
    watch: LabelWatch,
    reference: LabelReference,
    told: Told,
    course: Incident,
    *,
    end: datetime,
    turn: Turn,
) -> None:
    """The first alarm, in the step that ends at `end`."""
    incident = LabelIncident(
        id=new_id(),
        deployment_id=reference.deployment_id,
        reference_id=reference.id,
        opened_at=end,
    )
    _renew(incident, told, course, end)
    incident.since, incident.since_earliest = told.loss.since, told.loss.since_earliest
    session.add(incident)
    session.flush()
    watch.incident_id = incident.id
    _audit(session, incident, "label-incident.opened", turn)
    _tell(session, incident, turn)


def confirm_incident(
    session: Session,
    incident: LabelIncident,
    told: Told,
    course: Incident,
    *,
    end: datetime,
    turn: Turn,
) -> None:
    """Another alarm while it stands: more is known of it; it began when it was first said to."""
    _renew(incident, told, course, end)
    incident.since = min(incident.since, told.loss.since)
    incident.since_earliest = min(incident.since_earliest, told.loss.since_earliest)
    session.flush()
    _tell(session, incident, turn)


def end_incident(
    session: Session,
    watch: LabelWatch,
    incident: LabelIncident,
    ended_as: str,
    reason: str,
    turn: Turn,
) -> None:
    """It is over; its alert, if it still stands, is resolved with the same reason."""
    incident.ended_at, incident.ended_as = turn.at, ended_as
    incident.ended_by, incident.reason = turn.actor_id, reason
    watch.incident_id = None
    session.flush()
    _audit(session, incident, "label-incident.ended", turn)
    alert = alert_of(session, incident)
    if alert is not None and alert.state != AlertState.RESOLVED:
        close(session, alert, resolution=reason, actor_id=turn.actor_id, at=turn.at)


def alert_of(session: Session, incident: LabelIncident) -> Alert | None:
    """The alert that tells of it."""
    return session.scalar(select(Alert).where(Alert.label_incident_id == incident.id))


def _renew(incident: LabelIncident, told: Told, course: Incident, end: datetime) -> None:
    incident.sentence = told.sentence[:2000]
    incident.worth_waking = told.loss.worth_waking
    incident.since_latest = told.loss.since_latest
    incident.found = told.loss.to_json() | dict(told.worst)
    incident.confirmed_at, incident.course = end, asdict(course)


def _tell(session: Session, incident: LabelIncident, turn: Turn) -> None:
    kind = HARM if incident.worth_waking else DRIFT
    sent = Signal(
        deployment_id=incident.deployment_id,
        source=MONITOR,
        cause=LABELS,
        kind=kind,
        severity=severity_of(kind),
        sentence=incident.sentence,
        since=incident.since,
        owner_id=session.get_one(Deployment, incident.deployment_id).created_by,
        monitor_id=turn.monitor.id,
        label_incident_id=incident.id,
    )
    signal(session, sent, actor_id=turn.actor_id, at=turn.at)


def _audit(session: Session, incident: LabelIncident, action: str, turn: Turn) -> None:
    record(
        session,
        action,
        subject_type="deployment",
        subject_id=incident.deployment_id,
        actor_id=turn.actor_id,
        at=turn.at,
        details={
            "incident": str(incident.id),
            "reference": str(incident.reference_id),
            "since": incident.since.isoformat(),
            "worth_waking": incident.worth_waking,
            "ended_as": incident.ended_as,
        },
    )
