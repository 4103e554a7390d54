"""What is about something whose label rises, and rises with it: jobs, schedules, what was said.

Answers and waivers were given for the lower label, so they end here: nobody has approved anything
about the label of now.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bailiwick.audit.log import record
from bailiwick.lifecycle.jobs import UNFINISHED, JobKind
from bailiwick.lifecycle.retraining_policies import PURPOSE as MANDATE
from bailiwick.lifecycle.rises import Rise, batches
from bailiwick.lifecycle.tables import Job, RetrainingPolicy, Schedule
from bailiwick.lineage import Run
from bailiwick.monitoring import Monitor
from bailiwick.policy import ApprovalRequest, Label, Scheme, Waiver, load_label
from bailiwick.policy.approvals import APPROVED, OPEN, WITHDRAWN
from bailiwick.policy.waived import ACTIVE, ENDED, REQUESTED
from bailiwick.registry.pointers import champions_of

END_REASON = "the label of what it is about rose"
Labels = Mapping[UUID, Label]


def followers_of(session: Session, scheme: Scheme, rises: Sequence[Rise]) -> list[Rise]:
    """The rises of all that is about what rises: a few queries per 500 things."""
    risen = {rise.id: rise.new for rise in rises}
    deployments = {rise.id: rise.new for rise in rises if rise.type == "deployment"}
    runs = {rise.id: rise.new for rise in rises if rise.type == "run"}
    policies = _about(session, RetrainingPolicy, deployments)
    kept_fit = _about(session, Monitor, deployments) | policies
    jobs = _Joins(scheme, "job")
    replayed = {rise.id: rise.new for rise in rises if rise.type == "dataset-version"}
    jobs.follow(session, Job, Job.subject_id, kept_fit | deployments | replayed)
    jobs.follow(session, Job, Job.id, _jobs_of(session, runs))
    _follow_trainings(session, jobs, risen)
    schedules = _Joins(scheme, "schedule")
    schedules.follow(session, Schedule, Schedule.subject_id, kept_fit)
    waivers = _Joins(scheme, "waiver")
    waivers.follow(session, Waiver, Waiver.subject_id, risen)
    waived = {rise.id: rise.new for rise in waivers.rises()}
    approvals = _Joins(scheme, "approval")
    asked_about = risen | policies | waived
    approvals.follow(session, ApprovalRequest, ApprovalRequest.subject_id, asked_about)
    return [rise for joins in (jobs, schedules, waivers, approvals) for rise in joins.rises()]


def end_what_was_said(
    session: Session, rises: Sequence[Rise], *, actor_id: UUID, at: datetime
) -> None:
    """Withdraw the requests and approvals, and end the waivers, whose label has risen."""
    for request in _rows(session, ApprovalRequest, rises, "approval"):
        counts = request.expires_at > at or request.purpose == MANDATE  # those do not expire
        if request.state == OPEN or (request.state == APPROVED and counts):
            request.state = WITHDRAWN
            _note(session, "approval.withdrawn", "approval", request, actor_id, at)
    for waiver in _rows(session, Waiver, rises, "waiver"):
        if waiver.state in (REQUESTED, ACTIVE):
            waiver.state, waiver.end_reason = ENDED, END_REASON
            waiver.ended_at, waiver.ended_by = at, actor_id
            _note(session, "waiver.ended", "waiver", waiver, actor_id, at)
    session.flush()


class _Joins:
    """Rows of one kind, each with the labels that it must come to dominate."""

    def __init__(self, scheme: Scheme, kind: str) -> None:
        self._scheme, self._kind = scheme, kind
        self._labels: dict[UUID, list[Label]] = {}

    def follow(
        self, session: Session, table: Any, column: InstrumentedAttribute[UUID], about: Labels
    ) -> None:
        """Add the rows whose `column` names something that rises."""
        for batch in batches(about):
            rows = select(table.id, table.label_id, column).where(column.in_(batch))
            for identifier, own, subject in session.execute(rows):
                self.add(identifier, load_label(session, own), about[subject])

    def add(self, identifier: UUID, own: Label, *others: Label) -> None:
        """Add one row."""
        self._labels.setdefault(identifier, [own]).extend(others)

    def rises(self) -> Iterator[Rise]:
        """Those whose label must rise."""
        for identifier, labels in self._labels.items():
            joined = self._scheme.join_or_seal(labels)
            if joined != labels[0]:
                yield Rise(self._kind, identifier, labels[0], joined)


def _about(
    session: Session, table: type[Monitor | RetrainingPolicy], deployments: Labels
) -> dict[UUID, Label]:
    """What watches a deployment or keeps it fit rises with it."""
    return {
        identifier: deployments[deployment]
        for batch in batches(deployments)
        for identifier, deployment in session.execute(
            select(table.id, table.deployment_id).where(table.deployment_id.in_(batch))
        )
    }


def _jobs_of(session: Session, runs: Labels) -> dict[UUID, Label]:
    """The jobs that carried out these runs."""
    return {
        job: runs[run]
        for batch in batches(runs)
        for job, run in session.execute(
            select(Run.job_id, Run.id).where(Run.id.in_(batch), Run.job_id.is_not(None))
        )
        if job is not None
    }


def _follow_trainings(session: Session, jobs: _Joins, risen: Labels) -> None:
    """Trainings that wait or run: what they will read has risen."""
    waiting = select(Job.id, Job.label_id, Job.subject_id, Job.payload).where(
        Job.kind == JobKind.TRAIN, Job.state.in_(UNFINISHED)
    )
    rows = session.execute(waiting).all()
    champions = champions_of(session, {row.subject_id for row in rows})
    for identifier, own, model, payload in rows:
        read = [UUID(one) for one in payload["dataset_version_ids"]]
        if payload["from_champion"] and model in champions:
            read.append(champions[model].id)
        labels = [risen[one] for one in read if one in risen]
        jobs.add(identifier, load_label(session, own), *labels)


def _rows(session: Session, table: Any, rises: Sequence[Rise], kind: str) -> Iterator[Any]:
    for batch in batches(rise.id for rise in rises if rise.type == kind):
        yield from session.scalars(select(table).where(table.id.in_(batch)))


def _note(
    session: Session,
    action: str,
    kind: str,
    ended: ApprovalRequest | Waiver,
    actor_id: UUID,
    at: datetime,
) -> None:
    record(
        session,
        action,
        subject_type=kind,
        subject_id=ended.id,
        actor_id=actor_id,
        at=at,
        details={"state": ended.state, "reason": END_REASON},
    )
