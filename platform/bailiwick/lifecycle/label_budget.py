"""A policy's budget of labels: what a calendar month (UTC) may ask of people, and teach models.

A label counts once, however often it is corrected. Those that were asked for count in the month
in which somebody was asked, the others in the month in which they came.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from bailiwick.core.clock import month_of
from bailiwick.core.errors import Conflict
from bailiwick.db.session import lock_feedback
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.monitoring import Feedback
from bailiwick.monitoring.labelling import LabellingItem, LabellingRound

FIRST = 1  # the revision that is a label's first: later ones correct or withdraw it


class OverBudget(Conflict):
    """More labels are wanted than the month has left."""


def require_labels_left(session: Session, deployment_id: UUID, rows: int, *, at: datetime) -> None:
    """`OverBudget` if so many labels more are not to be asked for this month.

    Until the transaction ends nobody else labels or asks, so that two at once do not both fit.
    """
    lock_feedback(session, deployment_id)
    budget = session.scalar(
        select(RetrainingPolicy.budget_labels).where(
            RetrainingPolicy.deployment_id == deployment_id
        )
    )
    if budget is None:
        return
    month = month_of(at)
    asked = session.scalar(
        select(func.coalesce(func.sum(LabellingRound.rows), 0)).where(
            LabellingRound.deployment_id == deployment_id,
            LabellingRound.made_at >= month,
            LabellingRound.made_at <= at,
        )
    )
    known = select(LabellingItem.record_id).where(LabellingItem.deployment_id == deployment_id)
    unasked = _count(session, *_came(deployment_id, month, at), Feedback.record_id.not_in(known))
    left = max(budget - (asked or 0) - unasked, 0)
    if rows > left:
        raise OverBudget(
            f"the deployment's retraining policy has a budget of {budget:,} labels a month: "
            f"{asked or 0:,} were asked for in {at:%Y-%m}, {unasked:,} came unasked, {left:,} are "
            "left; ask for that many, wait for the next month, or change budget_labels"
        )


def learned_this_month(
    session: Session, deployment_id: UUID, until: datetime | None, *, at: datetime
) -> int:
    """How many of the month's labels a training has read that began at `until`; None: none has."""
    if until is None:
        return 0
    return _count(session, *_came(deployment_id, month_of(at), until))


def beyond_budget(
    session: Session, deployment_id: UUID, budget: int | None, *, at: datetime
) -> set[str]:
    """The records whose labels came this month after its budget was used up; None: no budget.

    In order of their coming, so that each training of a month leaves out the same ones.
    """
    if budget is None:
        return set()
    query = (
        select(Feedback.record_id)
        .where(*_came(deployment_id, month_of(at), at))
        .order_by(Feedback.received_at, Feedback.id)
        .offset(budget)
    )
    return set(session.scalars(query))


def _came(deployment_id: UUID, start: datetime, until: datetime) -> list[ColumnElement[bool]]:
    """First labels that were received from `start` up to and with `until`."""
    return [
        Feedback.deployment_id == deployment_id,
        Feedback.revision == FIRST,
        Feedback.received_at >= start,
        Feedback.received_at <= until,
    ]


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Feedback).where(*conditions)) or 0
