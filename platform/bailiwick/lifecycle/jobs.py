"""Jobs: work in the database that is carried out once, whatever dies on the way.

A worker holds a job by a lease that it renews. The attempt's number is the fence: once the
lease has run out and another worker has begun the next attempt, nothing that the first one
does can be written any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.durations import duration
from bailiwick.core.errors import Conflict
from bailiwick.core.ids import new_id
from bailiwick.db.session import hold_labels, lock_claims
from bailiwick.lifecycle.job_places import job_places
from bailiwick.lifecycle.tables import Job, JobEvent
from bailiwick.lifecycle.turns import clock_out, next_in_turn
from bailiwick.policy import Resource, load_label

MAX_ATTEMPTS = 3
MOST_ATTEMPTS = 30  # of a job that a full disk holds up: with BACKOFF that is two hours
BACKOFF = timedelta(seconds=15)
MAX_MESSAGE = 2_000  # characters that the columns hold


class JobKind(StrEnum):
    """What a job does."""

    TRAIN = "train"
    RETRAIN = "retrain"
    CHECK = "check"
    COMPARE = "compare"
    BACKTEST = "backtest"
    TRIAL = "trial"


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS = {
    JobState.QUEUED: {JobState.RUNNING, JobState.CANCELLED},
    # RUNNING to QUEUED: a retry; RUNNING to RUNNING: taken over after the lease ran out.
    JobState.RUNNING: {
        JobState.RUNNING,
        JobState.QUEUED,
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
    },
    JobState.SUCCEEDED: set[JobState](),
    JobState.FAILED: set[JobState](),
    JobState.CANCELLED: set[JobState](),
}
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


class LeaseLost(Conflict):
    """The attempt is over: the job was cancelled, or another worker has taken it over."""

    code = "lease-lost"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to carry out one attempt."""

    job_id: UUID
    kind: JobKind
    attempt: int
    acts_as: UUID


def enqueue(
    session: Session,
    kind: JobKind,
    *,
    namespace: str,
    label_id: str,
    subject_id: UUID,
    acts_as: UUID,
    payload: Mapping[str, Any],
    actor_id: UUID,
    at: datetime,
    dedupe_key: str | None = None,
    schedule_id: UUID | None = None,
    due_at: datetime | None = None,
    priority: int = 0,
    limits: Mapping[str, int] | None = None,
) -> Job:
    """Add a job; with a `dedupe_key` that is known already, the job that stands."""
    if dedupe_key is not None:
        standing = session.scalar(select(Job).where(Job.dedupe_key == dedupe_key))
        if standing is not None:
            return standing
    job = Job(
        id=new_id(),
        kind=kind,
        namespace=namespace,
        label_id=label_id,
        subject_id=subject_id,
        acts_as=acts_as,
        payload=dict(payload),
        state=JobState.QUEUED,
        attempt=0,
        max_attempts=MAX_ATTEMPTS,
        priority=priority,
        worked_seconds=0.0,
        limits=dict(limits or {}),
        available_at=at,
        dedupe_key=dedupe_key,
        schedule_id=schedule_id,
        due_at=due_at,
        progress={},
        created_at=at,
    )
    session.add(job)
    session.flush()
    _event(session, job.id, 0, "queued", "waiting for a worker", at)
    record(
        session,
        "job.queued",
        subject_type="job",
        subject_id=job.id,
        actor_id=actor_id,
        at=at,
        details={"kind": kind, "subject": str(subject_id), "acts_as": str(acts_as)},
    )
    return job


def claim(
    session: Session,
    *,
    owner: str,
    lease_seconds: int,
    at: datetime,
    namespace_jobs: int | None = None,
) -> Lease | None:
    """Take the next job that waits, or whose worker has fallen silent; None if there is none.

    Namespaces take turns (`turns.next_in_turn`); of one namespace the job of the highest
    priority, and of these the oldest. `namespace_jobs`: at most so many of one run at a time.

    A job whose attempts are used up fails here: its last worker died without a word.
    """
    lock_claims(session)  # two at the same moment would both see the same load
    due = or_(
        (Job.state == JobState.QUEUED) & (Job.available_at <= at),
        (Job.state == JobState.RUNNING) & (Job.lease_expires_at <= at),
    )
    while True:
        job = session.scalar(next_in_turn(due, at=at, namespace_jobs=namespace_jobs))
        if job is None:
            return None
        if job.attempt >= job.max_attempts:
            _finish(session, job, JobState.FAILED, at)
            job.error = f"the worker died in each of {job.max_attempts} attempts; see its log"
            _event(session, job.id, job.attempt, "failed", job.error, at)
            continue
        taken_over = job.state == JobState.RUNNING
        clock_out(job, at)
        _move(job, JobState.RUNNING)
        job.attempt += 1
        job.progress = {}
        job.lease_owner = owner
        job.lease_expires_at = at + timedelta(seconds=lease_seconds)
        job.attempt_started_at = at
        job.started_at = job.started_at or at
        said = "taken over: the previous worker fell silent" if taken_over else "started"
        _event(session, job.id, job.attempt, "taken-over" if taken_over else "started", said, at)
        session.flush()
        return Lease(job.id, JobKind(job.kind), job.attempt, job.acts_as)


def heartbeat(
    session: Session,
    lease: Lease,
    *,
    lease_seconds: int,
    at: datetime,
    progress: Mapping[str, Any] | None = None,
) -> None:
    """Keep the lease and publish progress; `LeaseLost` if the attempt is over."""
    values: dict[str, Any] = {"lease_expires_at": at + timedelta(seconds=lease_seconds)}
    if progress is not None:
        values["progress"] = dict(progress)
    held = session.execute(
        update(Job)
        .where(Job.id == lease.job_id, Job.attempt == lease.attempt, Job.state == JobState.RUNNING)
        .values(values)
    )
    if held.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result has a row count
        raise LeaseLost("this attempt is over; its job was cancelled or taken over")


def held_job(session: Session, lease: Lease) -> Job:
    """The job, locked, if the lease still holds: call it first in every writing transaction.

    Labels stay as they are until the transaction ends, so that what it makes gets those of now.
    """
    hold_labels(session)
    job = session.get_one(Job, lease.job_id, with_for_update=True, populate_existing=True)
    if job.attempt != lease.attempt or job.state != JobState.RUNNING:
        raise LeaseLost("this attempt is over; its job was cancelled or taken over")
    return job


def succeed(session: Session, lease: Lease, result: Mapping[str, Any], *, at: datetime) -> Job:
    """The job is done; call it in the transaction that writes its effects."""
    job = held_job(session, lease)
    job.result = dict(result)
    _finish(session, job, JobState.SUCCEEDED, at)
    _event(session, job.id, lease.attempt, "succeeded", str(result.get("summary", "done")), at)
    return job


def note(session: Session, lease: Lease, kind: str, message: str, *, at: datetime) -> None:
    """Tell what the job met on its way, among its events."""
    _event(session, held_job(session, lease).id, lease.attempt, kind, message, at)


def fail(
    session: Session,
    lease: Lease,
    message: str,
    *,
    retry: bool,
    outlast: bool = False,
    at: datetime,
) -> Job:
    """The attempt failed: wait and retry, or give up when told so or after the last attempt.

    `outlast`: it was for something that somebody has to put right, such as a full disk. Such an
    attempt does not count, for about two hours.
    """
    job = held_job(session, lease)
    wait = BACKOFF * job.attempt
    if outlast and job.max_attempts < MOST_ATTEMPTS:
        job.max_attempts += 1
    again = retry and job.attempt < job.max_attempts
    said = message
    if again:
        said = f"{message.rstrip('.')}; it is tried again in {duration(wait.total_seconds())}"
    _event(session, job.id, lease.attempt, "attempt-failed", said, at)
    if again:
        _move(job, JobState.QUEUED)
        clock_out(job, at)
        job.available_at = at + wait
        job.lease_owner = job.lease_expires_at = None
    else:
        job.error = message[:MAX_MESSAGE]
        _finish(session, job, JobState.FAILED, at)
        _event(session, job.id, lease.attempt, "failed", message, at)
    return job


def cancel(session: Session, job: Job, *, actor_id: UUID, at: datetime) -> Job:
    """Stop it: a waiting job at once, a running one at its worker's next heartbeat."""
    job = session.get_one(Job, job.id, with_for_update=True, populate_existing=True)
    _finish(session, job, JobState.CANCELLED, at)
    _event(session, job.id, job.attempt, "cancelled", "cancelled on request", at)
    record(
        session,
        "job.cancelled",
        subject_type="job",
        subject_id=job.id,
        actor_id=actor_id,
        at=at,
    )
    return job


def job_resource(session: Session, job: Job) -> Resource:
    """The job as the policy sees it."""
    return Resource(
        type="Job",
        id=str(job.id),
        namespace=job.namespace,
        label=load_label(session, job.label_id),
        belongs_to=job_places(session, job),
    )


def _finish(session: Session, job: Job, state: JobState, at: datetime) -> None:
    _move(job, state)
    clock_out(job, at)
    job.finished_at = at
    job.lease_owner = job.lease_expires_at = None
    session.flush()
    if state is not JobState.CANCELLED:
        record(
            session,
            f"job.{state}",
            subject_type="job",
            subject_id=job.id,
            actor_id=job.acts_as,
            at=at,
            details={"attempt": job.attempt},
        )


def _move(job: Job, state: JobState) -> None:
    if state not in TRANSITIONS[JobState(job.state)]:
        raise Conflict(f"this job is {job.state} and cannot become {state}")
    job.state = state


def _event(
    session: Session, job_id: UUID, attempt: int, kind: str, message: str, at: datetime
) -> None:
    session.add(
        JobEvent(
            id=new_id(),
            job_id=job_id,
            at=at,
            attempt=attempt,
            kind=kind,
            message=message[:MAX_MESSAGE],
        )
    )
