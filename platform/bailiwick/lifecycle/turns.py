"""Whose turn it is: which of the jobs that wait is carried out next.

Namespaces share the workers. Of those with a job that is due, the one goes next that has the
fewest jobs running, and of equals the one whose jobs used the fewest seconds of workers within
the last hour; within it the job of the highest priority, and of these the oldest. So a priority
orders the jobs of one namespace and takes nothing from another, and a namespace that asks for
little waits for one free worker, however long the queue of another is (decision 22).
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, case, func, or_, select

from bailiwick.lifecycle.tables import Job

LATELY = timedelta(hours=1)


def next_in_turn(
    due: ColumnElement[bool], *, at: datetime, namespace_jobs: int | None
) -> Select[Job]:
    """The job to take of those that are `due`, locked; others' locked jobs are passed over.

    `namespace_jobs`: of a namespace that has so many running, none is taken.
    """
    alive, lately = Job.lease_expires_at > at, Job.worked_at > at - LATELY
    load = (
        select(
            Job.namespace,
            func.sum(case((alive, 1), else_=0)).label("running"),
            func.sum(case((lately, Job.worked_seconds), else_=0.0)).label("seconds"),
        )
        .where(or_(alive, lately))
        .group_by(Job.namespace)
        .subquery()
    )
    running = func.coalesce(load.c.running, 0)
    seconds = func.coalesce(load.c.seconds, 0.0)
    query = select(Job).outerjoin(load, load.c.namespace == Job.namespace).where(due)
    if namespace_jobs is not None:
        query = query.where(running < namespace_jobs)
    return (
        query.order_by(running, seconds, Job.priority.desc(), Job.available_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Job)
    )


def clock_out(job: Job, at: datetime) -> None:
    """Count the time of an attempt that is over (seconds of its worker) for its namespace."""
    if job.attempt_started_at is not None:
        job.worked_seconds += max(0.0, (at - job.attempt_started_at).total_seconds())
        job.worked_at, job.attempt_started_at = at, None
