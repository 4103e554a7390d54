"""Records of archived days, as readers see them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow.compute as pc
from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from bailiwick.blobs import BlobStore
from bailiwick.core.batches import in_batches
from bailiwick.monitoring.archive.files import read_segment
from bailiwick.monitoring.archive.tables import RecordSegment
from bailiwick.monitoring.naming import AS_SENT, Naming
from bailiwick.monitoring.tables import Feedback, InferenceRecord


class Archived(NamedTuple):
    """A record as windows read it; texts stay sealed."""

    record_id: str
    at: datetime
    version_id: str
    prediction: str
    confidence: float | None
    characters: int | None
    words: int | None
    unseen_words_ratio: float | None
    sealed: bytes | None
    data_key_id: str | None
    segments: str | None  # JSON
    subject_key: str | None


def segments_between(
    session: Session, deployment_id: UUID, start: datetime, end: datetime
) -> Sequence[RecordSegment]:
    """The segments with records of that time, oldest first; without those that were dropped."""
    query = (
        select(RecordSegment)
        .where(
            RecordSegment.deployment_id == deployment_id,
            RecordSegment.start < end,
            RecordSegment.end > start,
            RecordSegment.dropped_at.is_(None),
        )
        .order_by(RecordSegment.start, RecordSegment.part)
    )
    return session.scalars(query).all()


def archived_files(session: Session, deployment_id: UUID) -> Sequence[str]:
    """Digests of the segments that are kept, newest days first."""
    query = (
        select(RecordSegment.blob)
        .where(RecordSegment.deployment_id == deployment_id, RecordSegment.dropped_at.is_(None))
        .order_by(RecordSegment.start.desc(), RecordSegment.part)
    )
    return session.scalars(query).all()


def closed_until(session: Session, deployment_id: UUID) -> datetime | None:
    """Days before that have been archived: no record of them is taken any more."""
    last = select(func.max(RecordSegment.end)).where(RecordSegment.deployment_id == deployment_id)
    return session.scalar(last)


def archived_records(
    blobs: BlobStore, segment: RecordSegment, start: datetime, end: datetime
) -> Iterator[list[Archived]]:
    """The records of a segment with start <= at < end, a group at a time, by (at, record id).

    The file's bytes are verified first.
    """
    path = blobs.verified_path(segment.blob)
    whole = start <= segment.start and segment.end <= end
    for batch in read_segment(path, Archived._fields):
        part = batch if whole else batch.filter((pc.field("at") >= start) & (pc.field("at") < end))
        columns = [part.column(name).to_pylist() for name in Archived._fields]
        yield list(map(Archived, *columns))


def labels_of(
    session: Session, deployment_id: UUID, record_ids: Sequence[str], *, known_at: datetime
) -> Mapping[str, str | None]:
    """The newest label of each that had arrived by then; None where it was withdrawn."""
    found: dict[str, str | None] = {}
    for some in in_batches(record_ids):
        rows = session.execute(
            select(Feedback.record_id, Feedback.label)
            .where(
                Feedback.deployment_id == deployment_id,
                Feedback.record_id.in_(some),
                Feedback.received_at <= known_at,
            )
            .order_by(Feedback.revision)
        )
        found.update((record_id, label) for record_id, label in rows)
    return found


def tallied(
    session: Session,
    blobs: BlobStore,
    segment: RecordSegment,
    start: datetime,
    end: datetime,
    namings: Mapping[UUID, Naming],
    *,
    known_at: datetime,
) -> tuple[int, int, int]:
    """Records, those with a label, and those that were right, of a part of a segment."""
    rows = labelled = correct = 0
    for group in archived_records(blobs, segment, start, end):
        ids = [record.record_id for record in group]
        labels = labels_of(session, segment.deployment_id, ids, known_at=known_at)
        rows += len(group)
        for record in group:
            naming = namings.get(UUID(record.version_id), AS_SENT)
            label = naming.read(labels.get(record.record_id), record.prediction)
            labelled += label is not None
            correct += label == record.prediction
    return rows, labelled, correct


def mark_stale(session: Session, deployment_id: UUID, record_ids: Sequence[str]) -> None:
    """Labels came: if some are of no hot record, the archive's tallies are to be made anew."""
    if closed_until(session, deployment_id) is None:
        return
    hot = 0
    for some in in_batches(set(record_ids)):
        query: Select[Any] = select(func.count()).where(
            InferenceRecord.deployment_id == deployment_id, InferenceRecord.record_id.in_(some)
        )
        hot += session.scalar(query) or 0
    if hot < len(set(record_ids)):
        session.execute(
            update(RecordSegment)
            .where(RecordSegment.deployment_id == deployment_id, RecordSegment.stale.is_(False))
            .values(stale=True)
        )


in_order = attrgetter("at", "record_id")
