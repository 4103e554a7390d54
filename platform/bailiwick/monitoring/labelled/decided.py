"""What people decide about labels: which days say what is usual."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Conflict, Invalid
from bailiwick.monitoring.confusion import hours_between
from bailiwick.monitoring.labelled.references import declared
from bailiwick.monitoring.labelled.tables import LabelReference, LabelWatch
from bailiwick.monitoring.labelled.told import Turn, end_incident, standing
from bailiwick.monitoring.tables import Monitor


def declare_reference(
    session: Session,
    monitor: Monitor,
    *,
    first: datetime,
    end: datetime,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> LabelReference:
    """Hold labels to the requests with first <= day < end from the next step on.

    A loss that stands is accepted by that. `Invalid` if their labels are too few, or of no version
    that is watched.
    """
    if not first < end <= at:
        raise Invalid("the days must lie in the past, the first one before the last")
    watch = session.scalar(
        select(LabelWatch).where(LabelWatch.monitor_id == monitor.id).with_for_update()
    )
    if watch is None or watch.version_id is None:
        raise Conflict(
            "the labels of this deployment are not watched yet; try again in a minute, once the "
            "worker has counted them"
        )
    version_id, incident = watch.version_id, standing(session, watch)
    about = (session, monitor.deployment_id)
    row = declared(
        session,
        monitor,
        version_id,
        hours_between(*about, start=first, end=end, version_id=version_id),
        first=first,
        end=end,
        origin="asked" if incident is None else "accepted",
        reason=reason,
        actor_id=actor_id,
        at=at,
    )
    if incident is not None:
        end_incident(session, watch, incident, "accepted", reason, Turn(monitor, actor_id, at))
    watch.reference_id, watch.state = row.id, None
    session.flush()
    return row
