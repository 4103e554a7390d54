"""What a replay goes by where nobody said otherwise: which year, and how late labels come."""

from datetime import datetime
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.backtest import Unit
from bailiwick.lifecycle.backtest.periods import edges_between
from bailiwick.lifecycle.replays.settings import MOST_DELAY, year_before
from bailiwick.monitoring import Feedback, InferenceRecord, RecordSegment

_NEWEST = 2_000  # labels, by whose delay it is told
_IN_TIME = 0.9
_FIRST = 1  # the revision that is a label's first


def usual_delay(session: Session, deployment_id: UUID, unit: Unit, *, at: datetime) -> int:
    """After how many periods nine of ten of the newest labels had come; 0 without labels.

    A request's label is late by the periods that ended between its own period's end and it.
    Archived requests are not looked at.
    """
    came = session.execute(
        select(InferenceRecord.at, Feedback.received_at)
        .join(
            Feedback,
            (Feedback.deployment_id == InferenceRecord.deployment_id)
            & (Feedback.record_id == InferenceRecord.record_id),
        )
        .where(
            Feedback.deployment_id == deployment_id,
            Feedback.revision == _FIRST,
            Feedback.received_at <= at,
        )
        .order_by(Feedback.received_at.desc())
        .limit(_NEWEST)
    ).all()
    if not came:
        return 0
    edges = np.array(
        [
            edge.timestamp()
            for edge in edges_between(
                min(asked for asked, _ in came), max(received for _, received in came), unit
            )
        ]
    )
    moments = np.array([(asked.timestamp(), received.timestamp()) for asked, received in came])
    asked, received = edges.searchsorted(moments, side="right").T
    late = np.quantile(np.maximum(received - asked, 0), _IN_TIME, method="inverted_cdf")
    return min(int(late), MOST_DELAY)


def year_of_requests(
    session: Session, deployment_id: UUID, unit: Unit, *, at: datetime
) -> tuple[datetime, datetime]:
    """Since and until: a year back from `at`, or from where requests ended before that."""
    hot = select(func.max(InferenceRecord.at)).where(InferenceRecord.deployment_id == deployment_id)
    archived = select(func.max(RecordSegment.last_at)).where(
        RecordSegment.deployment_id == deployment_id
    )
    known = [one for one in (session.scalar(hot), session.scalar(archived)) if one is not None]
    newest = max(known, default=at)
    until = min(at, edges_between(newest, newest, unit)[-1])
    return year_before(until), until
