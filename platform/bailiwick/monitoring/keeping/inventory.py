"""What there is of a deployment's records."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.monitoring.archive import RecordSegment, closed_until
from bailiwick.monitoring.tables import InferenceRecord


@dataclass(frozen=True, slots=True)
class Inventory:
    """Counts; `since` is the time of the oldest record that is kept."""

    hot_records: int
    archived_records: int
    segments: int
    segment_bytes: int
    since: datetime | None
    archived_until: datetime | None
    dropped_segments: int


def inventory_of(session: Session, deployment_id: UUID) -> Inventory:
    """All of it; hot records are counted one by one, in their index."""
    own = InferenceRecord.deployment_id == deployment_id
    hot = session.scalar(select(func.count()).select_from(InferenceRecord).where(own)) or 0
    oldest = session.scalar(select(func.min(InferenceRecord.at)).where(own))
    stands = RecordSegment.dropped_at.is_(None)
    archived, segments, size, first, dropped = session.execute(
        select(
            func.coalesce(func.sum(RecordSegment.rows).filter(stands), 0),
            func.count().filter(stands),
            func.coalesce(func.sum(RecordSegment.bytes).filter(stands), 0),
            func.min(RecordSegment.first_at).filter(stands),
            func.count().filter(~stands),
        ).where(RecordSegment.deployment_id == deployment_id)
    ).one()
    return Inventory(
        hot_records=hot,
        archived_records=archived,
        segments=segments,
        segment_bytes=size,
        since=min((one for one in (oldest, first) if one is not None), default=None),
        archived_until=closed_until(session, deployment_id),
        dropped_segments=dropped,
    )
