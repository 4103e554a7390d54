"""Whole days of old records move from the database into segments of the blob store.

First the file, which is read again and compared; then one transaction: the segment's row, and the
records go. If the process dies between the two, the next turn does it again; a file that nothing
refers to is harmless, as equal rows make an equal one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.blobs import BlobStore
from bailiwick.core.ids import new_id
from bailiwick.db import Database
from bailiwick.db.session import lock_feedback, lock_layout
from bailiwick.monitoring.archive import (
    COLUMNS_VERSION,
    GROUP_ROWS,
    ArchivedJoinKey,
    KeepingRules,
    RecordSegment,
    Written,
    check_segment,
    subject_texts,
    tallied,
    write_segment,
)
from bailiwick.monitoring.naming import AS_THEY_CAME
from bailiwick.monitoring.tables import Feedback, InferenceRecord
from bailiwick.monitoring.texts import DataKey

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Day:
    deployment_id: UUID
    start: datetime
    actor_id: UUID

    @property
    def end(self) -> datetime:
        return self.start + DAY


def archive_next(
    database: Database, blobs: BlobStore, folder: Path, *, at: datetime
) -> RecordSegment | None:
    """Move the oldest day that is due, and return its segment; None if none is.

    None as well if more records of that day came in meanwhile: the next turn takes them all.
    `folder` is for the file while it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid4().hex}.parquet"
    try:
        with database.reading() as session:
            day = _due(session, at)
            if day is None:
                return None
            written = write_segment(path, _groups(session, day))
        blob = blobs.put_file(path)
        size = path.stat().st_size
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
    check_segment(blobs.verified_path(blob), written)
    segment = _segment(day, written, blob, size, at)
    with database.reading() as session:
        _tally(session, blobs, segment, at)
    with database.transaction() as session:
        lock_layout(session, day.deployment_id)  # nobody stores records meanwhile
        lock_feedback(session, day.deployment_id)  # nor looks for those with a join key
        if session.scalar(select(func.count()).where(*_hot(day))) != written.rows:
            return None
        _move(session, day, segment, written, subject_texts(blobs.path_of(blob)), at)
    return segment


def tally_next(database: Database, blobs: BlobStore, *, at: datetime) -> bool:
    """Count the labels of one segment anew, for which labels came; at most once a day each.

    Labels that come while it counts are not lost: the segment then waits for its next turn.
    """
    with database.reading() as session:
        segment = session.scalar(
            select(RecordSegment)
            .where(
                RecordSegment.stale,
                RecordSegment.dropped_at.is_(None),
                RecordSegment.tallied_at <= at - DAY,
            )
            .order_by(RecordSegment.tallied_at)
            .limit(1)
        )
        if segment is None:
            return False
        session.expunge(segment)
        seen = _labels(session, segment.deployment_id)
        _tally(session, blobs, segment, at)
    with database.transaction() as session:
        lock_feedback(session, segment.deployment_id)
        session.execute(
            update(RecordSegment)
            .where(RecordSegment.id == segment.id)
            .values(
                labelled_rows=segment.labelled_rows,
                correct_rows=segment.correct_rows,
                tallied_at=at,
                stale=_labels(session, segment.deployment_id) != seen,
            )
        )
    return True


def _due(session: Session, at: datetime) -> _Day | None:
    """The oldest day of some deployment whose records have been hot for long enough."""
    for rules in session.scalars(select(KeepingRules).where(KeepingRules.hot_days.is_not(None))):
        own = InferenceRecord.deployment_id == rules.deployment_id
        oldest = session.scalar(select(func.min(InferenceRecord.at)).where(own))
        if oldest is None:
            continue
        day = _Day(rules.deployment_id, midnight(oldest), rules.changed_by)
        plain = select(InferenceRecord.id).where(*_hot(day), InferenceRecord.text.is_not(None))
        if day.end + timedelta(days=rules.hot_days or 0) <= at and not session.scalar(
            plain.limit(1)  # these are sealed first
        ):
            return day
    return None


def midnight(moment: datetime) -> datetime:
    """Of the day (UTC) of a moment."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _hot(day: _Day) -> tuple[ColumnElement[bool], ...]:
    return (
        InferenceRecord.deployment_id == day.deployment_id,
        InferenceRecord.at >= day.start,
        InferenceRecord.at < day.end,
    )


def _groups(session: Session, day: _Day) -> Iterator[Sequence[InferenceRecord]]:
    query = (
        select(InferenceRecord)
        .where(*_hot(day))
        .order_by(InferenceRecord.at, InferenceRecord.record_id)
    )
    for group in session.scalars(query, execution_options={"yield_per": GROUP_ROWS}).partitions():
        yield group
        session.expunge_all()


def _segment(day: _Day, written: Written, blob: str, size: int, at: datetime) -> RecordSegment:
    return RecordSegment(
        id=new_id(),
        deployment_id=day.deployment_id,
        start=day.start,
        end=day.end,
        part=0,
        rows=written.rows,
        bytes=size,
        blob=blob,
        columns_version=COLUMNS_VERSION,
        first_at=written.first_at,
        last_at=written.last_at,
        version_ids=sorted(written.versions),
        archived_at=at,
        labelled_rows=0,
        correct_rows=0,
        tallied_at=at,
        stale=True,  # labels may come before it stands
    )


def _tally(session: Session, blobs: BlobStore, segment: RecordSegment, at: datetime) -> None:
    counts = tallied(session, blobs, segment, segment.start, segment.end, AS_THEY_CAME, known_at=at)
    _, segment.labelled_rows, segment.correct_rows = counts


def _labels(session: Session, deployment_id: UUID) -> int:
    """How many labels ever came; rows of them are never removed."""
    own = Feedback.deployment_id == deployment_id
    return session.scalar(select(func.count()).where(own)) or 0


def _move(
    session: Session,
    day: _Day,
    segment: RecordSegment,
    written: Written,
    texts: Mapping[str, int],
    at: datetime,
) -> None:
    of_day = (
        RecordSegment.deployment_id == day.deployment_id,
        RecordSegment.start == day.start,
    )
    segment.part = session.scalar(select(func.count()).where(*of_day)) or 0
    session.add(segment)
    session.flush()
    if written.join_keys:
        shared = {"deployment_id": day.deployment_id, "segment_id": segment.id}
        keys = [{"join_key": key, "record_id": one, **shared} for key, one in written.join_keys]
        session.execute(insert(ArchivedJoinKey), keys)
    count_texts(session, texts, sign=1)
    session.execute(
        delete(InferenceRecord).where(*_hot(day)), execution_options={"synchronize_session": False}
    )
    record(
        session,
        "records.archived",
        subject_type="deployment",
        subject_id=day.deployment_id,
        actor_id=day.actor_id,
        at=at,
        details=described(segment),
    )


def count_texts(session: Session, texts: Mapping[str, int], *, sign: int) -> None:
    """Add to (or take from) what is archived under the data keys of subjects."""
    for key_id, count in sorted(texts.items()):
        session.execute(
            update(DataKey)
            .where(DataKey.id == UUID(key_id))
            .values(archived_texts=DataKey.archived_texts + sign * count)
        )


def described(segment: RecordSegment) -> dict[str, Any]:
    """A segment in the audit log."""
    return {
        "segment": str(segment.id),
        "day": segment.start.date().isoformat(),
        "rows": segment.rows,
        "bytes": segment.bytes,
        "sha256": segment.blob,
    }
