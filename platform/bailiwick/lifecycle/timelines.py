"""From a change to its answer: what an alert told of, and what was done about it, in order of time.

Everything is read from the rows that each step left: nothing is kept for this alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.jobs import JobKind
from bailiwick.lifecycle.tables import Evaluation, Job, JobEvent, RetrainingPolicy
from bailiwick.monitoring import Alert, AlertEvent, AlertState
from bailiwick.monitoring.labelled import LabelIncident
from bailiwick.monitoring.watching import DriftIncident
from bailiwick.registry import CHAMPION, AliasMove, ModelVersion
from bailiwick.registry.rollouts import Rollout, RolloutEvent

_MOST_JOBS = 10
_RETRAINING = {
    "queued": "Retraining is asked for",
    "started": "Training has begun",
    "taken-over": "Another worker has taken the training over",
    "attempt-failed": "An attempt to train has failed",
    "failed": "Retraining has failed",
    "cancelled": "Retraining was cancelled",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One step. `kind`: change, alert, training, gates, rollout or champion."""

    at: datetime
    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The steps, and when a version that answers the alert became champion; None: not yet."""

    moments: tuple[Moment, ...]
    answered_at: datetime | None

    @property
    def began_at(self) -> datetime:
        """When the change is thought to have begun."""
        return self.moments[0].at

    @property
    def seconds_to_answer(self) -> float | None:
        """From the beginning of the change to a champion that knows it."""
        if self.answered_at is None:
            return None
        return (self.answered_at - self.began_at).total_seconds()


def answering_jobs(session: Session, alert: Alert, *visible: ColumnElement[bool]) -> Sequence[Job]:
    """The retraining jobs that `alert` has started, the newest first; at most ten."""
    return session.scalars(
        select(Job)
        .join(RetrainingPolicy, RetrainingPolicy.id == Job.subject_id)
        .where(
            RetrainingPolicy.deployment_id == alert.deployment_id,
            Job.kind == JobKind.RETRAIN,
            Job.created_at >= alert.opened_at,
            Job.payload["alerts"].as_string().contains(str(alert.id)),
            *visible,
        )
        .order_by(Job.id.desc())
        .limit(_MOST_JOBS)
    ).all()


def timeline_of(session: Session, alert: Alert, jobs: Sequence[Job]) -> Timeline:
    """The steps of `alert` and of the `jobs` that answer it, a few queries for any number."""
    made = [UUID(job.result["version_id"]) for job in jobs if job.result]
    crowned = session.scalars(
        select(AliasMove)
        .where(AliasMove.alias == CHAMPION, AliasMove.new_version_id.in_(made))
        .order_by(AliasMove.at)
    ).all()
    numbers = dict(
        session.execute(
            select(ModelVersion.id, ModelVersion.number).where(ModelVersion.id.in_(made))
        ).all()
    )
    moments = [
        Moment(_began(session, alert), "change", "The change begins, as far as can be told"),
        *_alert(session, alert, over=False),
        *_training(session, [job.id for job in jobs]),
        *_gates(session, numbers),
        *_rollouts(session, alert.deployment_id, numbers),
        *(
            Moment(move.at, "champion", f"Version {numbers[move.new_version_id]} is champion")
            for move in crowned
        ),
        *_alert(session, alert, over=True),
    ]
    # Steps of one transaction happen at one moment: they stay in the order given above.
    ordered = sorted(moments, key=lambda moment: moment.at)
    return Timeline(tuple(ordered), crowned[0].at if crowned else None)


def _began(session: Session, alert: Alert) -> datetime:
    began = alert.since
    if alert.incident_id is not None:
        began = session.get_one(DriftIncident, alert.incident_id).since
    elif alert.label_incident_id is not None:
        began = session.get_one(LabelIncident, alert.label_incident_id).since
    return min(began, alert.opened_at)


def _alert(session: Session, alert: Alert, *, over: bool) -> Iterator[Moment]:
    """Its moves but the last, or that by which it is over."""
    events = select(AlertEvent).where(AlertEvent.alert_id == alert.id).order_by(AlertEvent.number)
    for event in session.scalars(events):
        if (event.new_state == AlertState.RESOLVED) is over:
            loud = "" if over else f" ({event.severity})"
            why = f": {event.why}" if event.why else ""
            yield Moment(event.at, "alert", f"The alert is {event.move}{loud}{why}")


def _training(session: Session, job_ids: Sequence[UUID]) -> Iterator[Moment]:
    events = select(JobEvent).where(JobEvent.job_id.in_(job_ids)).order_by(JobEvent.id)
    for event in session.scalars(events):
        if event.kind in _RETRAINING:
            failed = event.kind in ("attempt-failed", "failed")
            why = f": {event.message}" if failed else ""
            yield Moment(event.at, "training", f"{_RETRAINING[event.kind]}{why}")


def _gates(session: Session, numbers: dict[UUID, int]) -> Iterator[Moment]:
    for one in session.scalars(select(Evaluation).where(Evaluation.version_id.in_(numbers))):
        accuracy, rows = one.evidence["accuracy"], one.evidence["holdout_rows"]
        before = one.evidence["champion_accuracy"]
        beside = f", the champion {before:.1%}," if before is not None else ""
        said = "passes its gates" if one.passed else "is rejected"
        why = "" if one.passed else f": {'; '.join(one.reasons)}"
        yield Moment(
            one.created_at,
            "gates",
            f"Version {numbers[one.version_id]} has {accuracy:.1%}{beside} on the newest "
            f"{rows:,} labelled rows and {said}{why}",
        )


def _rollouts(session: Session, deployment_id: UUID, numbers: dict[UUID, int]) -> Iterator[Moment]:
    moves = session.execute(
        select(RolloutEvent, Rollout.to_version_id)
        .join(Rollout, Rollout.id == RolloutEvent.rollout_id)
        .where(Rollout.deployment_id == deployment_id, Rollout.to_version_id.in_(numbers))
        .order_by(RolloutEvent.id)
    )
    for event, version_id in moves:
        if event.move in ("passed", "stalled"):
            continue  # the same version answers as before
        number = numbers[version_id]
        match event.new_state:
            case "shadow":
                said = f"Version {number} answers in the shadow"
            case "canary":
                said = f"Version {number} answers {event.share:.0%} of the requests"
            case "full":
                said = f"Version {number} answers all requests"
            case state:
                said = f"The rollout of version {number} is {state}: {event.why}"
        yield Moment(event.at, "rollout", said)
