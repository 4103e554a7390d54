"""A policy's budget of hours: what its jobs took of a calendar month (UTC)."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.clock import month_of
from bailiwick.lifecycle.jobs import JobKind
from bailiwick.lifecycle.tables import Job, RetrainingPolicy


def hours_used(session: Session, policy: RetrainingPolicy, *, at: datetime) -> float:
    """Between start and end, in this month, of its retrainings and of its trials of challengers."""
    month = month_of(at)
    tries = (Job.kind == JobKind.TRIAL) & (Job.payload["policy_id"].as_string() == str(policy.id))
    spans = session.execute(
        select(Job.started_at, Job.finished_at).where(
            Job.subject_id.in_([policy.id, policy.deployment_id]),
            (Job.kind == JobKind.RETRAIN) | tries,
            Job.started_at.is_not(None),
            Job.finished_at > month,
        )
    )
    seconds = (
        (finished - max(started, month)).total_seconds()
        for started, finished in spans
        if started is not None and finished is not None
    )
    return sum(seconds) / 3_600


def is_spent(session: Session, policy: RetrainingPolicy, *, at: datetime) -> bool:
    """Whether the month's hours are used up; never without a budget of hours."""
    budget = policy.budget_hours
    return budget is not None and hours_used(session, policy, at=at) >= budget
