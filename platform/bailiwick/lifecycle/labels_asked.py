"""Asking people for labels, as many in a calendar month (UTC) as the retraining policy allows."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.core.clock import month_of
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.db.session import lock_feedback
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.monitoring.labelling import LabellingRound, ask_for_labels


def ask_within_budget(
    session: Session,
    deployment_id: UUID,
    *,
    start: datetime,
    end: datetime,
    rows: int,
    random_ratio: float,
    actor_id: UUID,
    at: datetime,
) -> LabellingRound:
    """As `ask_for_labels`; refused beyond the budget of labels, if the deployment has one.

    What counts is what was asked for: people look at a request whether or not they can tell.
    Labels that come by themselves cost nothing and are not counted.
    """
    lock_feedback(session, deployment_id)  # of two at once, the second sees the first
    budget = session.scalar(
        select(RetrainingPolicy.budget_labels).where(
            RetrainingPolicy.deployment_id == deployment_id, RetrainingPolicy.enabled
        )
    )
    if budget is not None:
        _require_left(budget, labels_asked(session, deployment_id, at=at), rows, at)
    return ask_for_labels(
        session,
        deployment_id,
        start=start,
        end=end,
        rows=rows,
        random_ratio=random_ratio,
        actor_id=actor_id,
        at=at,
    )


def labels_asked(session: Session, deployment_id: UUID, *, at: datetime) -> int:
    """How many labels people have been asked for in the month of `at`."""
    asked = select(func.coalesce(func.sum(LabellingRound.rows), 0)).where(
        LabellingRound.deployment_id == deployment_id, LabellingRound.made_at >= month_of(at)
    )
    return int(session.scalar(asked) or 0)


def _require_left(budget: int, asked: int, rows: int, at: datetime) -> None:
    left = budget - asked
    following = month_of(month_of(at) + timedelta(days=32))
    if left <= 0:
        raise Conflict(
            f"the retraining policy allows {budget:,} labels a month and {asked:,} were asked for; "
            f"wait until {following:%Y-%m-%d}, or raise its budget_labels"
        )
    if rows > left:
        raise Invalid(
            f"{left:,} of the {budget:,} labels that the retraining policy allows this month are "
            f"left; ask for at most so many, or raise its budget_labels"
        )
