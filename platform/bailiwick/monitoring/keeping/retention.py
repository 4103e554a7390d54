"""What has been kept for long enough goes: segments with their files and keys, hourly summaries.

Feedback stays: it is labels by record id, and corrections of it are evidence.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.blobs import BlobStore
from bailiwick.db import Database
from bailiwick.lineage import DatasetVersion
from bailiwick.monitoring.archive import (
    ArchivedJoinKey,
    KeepingRules,
    RecordSegment,
    subject_texts,
)
from bailiwick.monitoring.hours.tables import Window, WindowLayout
from bailiwick.monitoring.keeping.moving import count_texts, described
from bailiwick.monitoring.tables import Baseline, Monitor
from bailiwick.monitoring.texts import DataKey
from bailiwick.monitoring.watching.tables import DriftIncident, TrafficBaseline, Watch


def drop_next(database: Database, blobs: BlobStore, *, at: datetime) -> bool:
    """Drop one segment that is older than its deployment keeps records; whether there was one."""
    with database.reading() as session:
        found = _expired(session, at)
    if found is None:
        return False
    segment_id, actor_id = found
    with database.transaction() as session:
        segment = session.get_one(RecordSegment, segment_id, with_for_update=True)
        if segment.dropped_at is None:
            path = blobs.path_of(segment.blob)
            _drop(session, segment, subject_texts(path) if path.exists() else {}, actor_id, at)
    return True


def purge_next(database: Database, blobs: BlobStore, *, at: datetime) -> bool:
    """Remove the file of one dropped segment, unless something else has the very same bytes."""
    with database.transaction() as session:
        segment = session.scalar(
            select(RecordSegment)
            .where(RecordSegment.dropped_at.is_not(None), RecordSegment.purged_at.is_(None))
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if segment is None:
            return False
        if not _is_needed(session, segment.blob):
            blobs.remove(segment.blob)
        segment.purged_at = at
    return True


def drop_summaries(session: Session, *, at: datetime) -> int:
    """Delete hourly summaries older than their deployment keeps them; how many.

    What a watch, a standing baseline or an open incident still looks at stays.
    """
    dropped = 0
    for rules in session.scalars(
        select(KeepingRules).where(KeepingRules.summary_days.is_not(None))
    ):
        before = at - timedelta(days=rules.summary_days or 0)
        before = min([before, *_looked_at(session, rules.deployment_id)])
        layouts = select(WindowLayout.id).where(WindowLayout.deployment_id == rules.deployment_id)
        old = Window.layout_id.in_(layouts) & (Window.start < before)
        if session.scalar(select(exists().where(old))):
            done = session.execute(
                delete(Window).where(old), execution_options={"synchronize_session": False}
            )
            dropped += int(done.rowcount)  # type: ignore[attr-defined]  # of a DELETE
    return dropped


def _expired(session: Session, at: datetime) -> tuple[UUID, UUID] | None:
    rules = session.scalars(select(KeepingRules).where(KeepingRules.retention_days.is_not(None)))
    for one in rules:
        segment_id = session.scalar(
            select(RecordSegment.id)
            .where(
                RecordSegment.deployment_id == one.deployment_id,
                RecordSegment.dropped_at.is_(None),
                RecordSegment.end <= at - timedelta(days=one.retention_days or 0),
            )
            .order_by(RecordSegment.start)
            .limit(1)
        )
        if segment_id is not None:
            return segment_id, one.changed_by
    return None


def _drop(
    session: Session,
    segment: RecordSegment,
    texts: Mapping[str, int],
    actor_id: UUID,
    at: datetime,
) -> None:
    """Its key goes as well, so that a copy of the file tells no text that was about nobody."""
    segment.dropped_at = at
    count_texts(session, texts, sign=-1)
    session.execute(delete(ArchivedJoinKey).where(ArchivedJoinKey.segment_id == segment.id))
    session.execute(
        update(DataKey)
        .where(
            DataKey.deployment_id == segment.deployment_id,
            DataKey.about == segment.start.date().isoformat(),
            DataKey.wrapped.is_not(None),
        )
        .values(wrapped=None, destroyed_at=at)
    )
    session.flush()
    record(
        session,
        "records.dropped",
        subject_type="deployment",
        subject_id=segment.deployment_id,
        actor_id=actor_id,
        at=at,
        details=described(segment),
    )


def _is_needed(session: Session, blob: str) -> bool:
    """Whether a segment that stands, a dataset or a baseline has this content."""
    users = (
        (RecordSegment.blob == blob) & RecordSegment.dropped_at.is_(None),
        (DatasetVersion.rows_blob == blob) | (DatasetVersion.source_blob == blob),
        Baseline.rows_blob == blob,
    )
    return any(session.scalar(select(exists().where(one))) for one in users)


def _looked_at(session: Session, deployment_id: UUID) -> list[datetime]:
    """From when on summaries are still needed, if any are."""
    watches = session.execute(
        select(
            Watch.from_start, Watch.held_start, TrafficBaseline.first, DriftIncident.since_earliest
        )
        .join(Monitor, Monitor.id == Watch.monitor_id)
        .outerjoin(TrafficBaseline, TrafficBaseline.id == Watch.baseline_id)
        .outerjoin(DriftIncident, DriftIncident.id == Watch.incident_id)
        .where(Monitor.deployment_id == deployment_id)
    )
    return [moment for row in watches for moment in row if moment is not None]
