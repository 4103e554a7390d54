"""What alarms become: one incident per deployment, and the alert that tells of it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.monitoring.alert_life import AlertState, close
from bailiwick.monitoring.alerts import Signal, signal
from bailiwick.monitoring.incidents import Incident
from bailiwick.monitoring.performance import Estimate, loss_of
from bailiwick.monitoring.tables import MONITOR, Alert, Monitor
from bailiwick.monitoring.watching.findings import Explanation
from bailiwick.monitoring.watching.records import evidence_in_records
from bailiwick.monitoring.watching.tables import DriftIncident, TrafficBaseline, Watch
from bailiwick.notifications import Severity, severity_of
from bailiwick.registry import Deployment

DRIFT, HARM = "drift", "harm"


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose watching it is, who acts, and when."""

    monitor: Monitor
    actor_id: UUID
    at: datetime


def standing(session: Session, watch: Watch) -> DriftIncident | None:
    """The incident that has not ended."""
    return session.get_one(DriftIncident, watch.incident_id) if watch.incident_id else None


def course_of(incident: DriftIncident | None) -> Incident | None:
    """Its course so far, as `incidents.follow` counts it."""
    return Incident(**incident.course) if incident is not None else None


def open_incident(
    session: Session,
    watch: Watch,
    baseline: TrafficBaseline,
    explanation: Explanation,
    course: Incident,
    *,
    end: datetime,
    turn: Turn,
) -> DriftIncident:
    """The first alarm, in the window that ends at `end`: an incident, and an alert of its cause."""
    incident = DriftIncident(
        id=new_id(),
        deployment_id=baseline.deployment_id,
        baseline_id=baseline.id,
        opened_at=end,
        confirmed_at=end,
        cause=explanation.cause,
        course=asdict(course),
    )
    _renew(incident, explanation)
    first, *others = incident.moves
    incident.moves = [
        first | evidence_in_records(session, baseline, explanation.first),
        *others,
    ]
    return begin(session, watch, incident, turn)


def begin(session: Session, watch: Watch, incident: DriftIncident, turn: Turn) -> DriftIncident:
    """A change that stands from now on, and its alert."""
    session.add(incident)
    session.flush()
    watch.incident_id = incident.id
    _audit(session, incident, "incident.opened", turn)
    _tell(session, incident, turn)
    return incident


def confirm_incident(
    session: Session,
    incident: DriftIncident,
    explanation: Explanation,
    course: Incident,
    *,
    end: datetime,
    turn: Turn,
) -> None:
    """Another alarm while it stands: it is still there, and more is known of it.

    What moved before stays told, unless more is known of the same feature now.
    """
    before, since, earliest = incident.moves, incident.since, incident.since_earliest
    waking = incident.worth_waking
    _renew(incident, explanation)
    told = {move["feature"]: move for move in before}
    incident.moves = [told.get(move["feature"], {}) | move for move in incident.moves]
    known = {move["feature"] for move in incident.moves}
    incident.moves += [move for move in before if move["feature"] not in known]
    incident.since = min(since, incident.since)
    incident.since_earliest = min(earliest, incident.since_earliest)
    incident.worth_waking |= waking
    incident.confirmed_at, incident.course = end, asdict(course)
    session.flush()
    _tell(session, incident, turn)


def end_incident(
    session: Session, watch: Watch, incident: DriftIncident, ended_as: str, reason: str, turn: Turn
) -> None:
    """It is over; its alert, if it still stands, is resolved with the same reason."""
    incident.ended_at, incident.ended_as = turn.at, ended_as
    incident.ended_by, incident.reason = turn.actor_id, reason
    watch.incident_id = None
    session.flush()
    _audit(session, incident, "incident.ended", turn)
    alert = alert_of(session, incident)
    if alert is not None and alert.state != AlertState.RESOLVED:
        close(session, alert, resolution=reason, actor_id=turn.actor_id, at=turn.at)


def alert_of(session: Session, incident: DriftIncident) -> Alert | None:
    """The alert that tells of an incident; the newest incident of a cause has it."""
    return session.scalar(select(Alert).where(Alert.incident_id == incident.id))


def _renew(incident: DriftIncident, explanation: Explanation) -> None:
    first = explanation.first
    incident.sentence = explanation.sentence
    incident.worth_waking = explanation.worth_waking
    incident.since, incident.since_earliest = first.since, first.since_earliest
    incident.since_latest = first.since_latest
    incident.moves = [move.to_json() for move in explanation.moved]


def weigh(
    session: Session,
    monitor: Monitor,
    estimated: Estimate,
    expected_accuracy: float,
    start: datetime,
    *,
    actor_id: UUID,
    at: datetime,
) -> None:
    """What a check estimated of the traffic from `start` on, said of the incident since then.

    Harm pages; a change that does no harm is a note; without a trusted estimate the size of the
    change decides. A check of other traffic says nothing of it.
    """
    watch = session.get(Watch, monitor.id)
    incident = standing(session, watch) if watch is not None else None
    if incident is None or start < incident.since:
        return
    loss = loss_of(expected_accuracy, smallest_drop=monitor.max_accuracy_drop, estimate=estimated)
    incident.hurts = loss.worth_waking if estimated.trusted else None
    incident.effect = loss.sentence[:1000]
    session.flush()
    _tell(session, incident, Turn(monitor, actor_id, at))


def _severity(incident: DriftIncident) -> Severity:
    if incident.hurts:
        return severity_of(HARM)
    return severity_of(DRIFT, worth_waking=incident.worth_waking and incident.hurts is None)


def _tell(session: Session, incident: DriftIncident, turn: Turn) -> None:
    sent = Signal(
        deployment_id=incident.deployment_id,
        source=MONITOR,
        cause=incident.cause,
        kind=HARM if incident.hurts else DRIFT,
        severity=_severity(incident),
        sentence=f"{incident.sentence} {incident.effect or ''}".strip()[:2000],
        since=incident.since,
        owner_id=session.get_one(Deployment, incident.deployment_id).created_by,
        monitor_id=turn.monitor.id,
        incident_id=incident.id,
    )
    signal(session, sent, actor_id=turn.actor_id, at=turn.at)


def _audit(session: Session, incident: DriftIncident, action: str, turn: Turn) -> None:
    record(
        session,
        action,
        subject_type="deployment",
        subject_id=incident.deployment_id,
        actor_id=turn.actor_id,
        at=turn.at,
        details={
            "incident": str(incident.id),
            "baseline": str(incident.baseline_id),
            "cause": incident.cause,
            "since": incident.since.isoformat(),
            "worth_waking": incident.worth_waking,
            "ended_as": incident.ended_as,
        },
    )
