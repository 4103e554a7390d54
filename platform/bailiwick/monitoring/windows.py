"""Windows: the records of a deployment between two moments, with the labels known by then."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.orm import Session

from bailiwick.blobs import BlobStore
from bailiwick.core.canonical import canonical_bytes
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.archive import (
    Archived,
    archived_records,
    in_order,
    labels_of,
    segments_between,
    tallied,
)
from bailiwick.monitoring.naming import AS_SENT, AS_THEY_CAME, Naming
from bailiwick.monitoring.tables import Feedback, InferenceRecord
from bailiwick.monitoring.texts import RECORD, Sealed, TextVault, open_texts

# What a check compares of every record.
DESCRIPTORS = {
    "prediction": pa.string(),
    "confidence": pa.float64(),
    "characters": pa.int64(),
    "words": pa.int64(),
    "unseen_words_ratio": pa.float64(),
}


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One record of a window; `label` is None while no feedback has arrived.

    `text` is None where none was kept, where it was destroyed, and where nobody asked for it.
    `segments` are values by declared name; `subject_key` is the subject's, never in clear.
    """

    record_id: str
    at: datetime
    version_id: UUID
    prediction: str
    confidence: float | None
    characters: int | None
    words: int | None
    unseen_words_ratio: float | None
    text: str | None
    label: str | None
    segments: Mapping[str, Any] = field(default_factory=dict)
    subject_key: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """Accuracy of one stretch of time."""

    start: datetime
    rows: int
    labelled_rows: int
    correct: int

    @property
    def accuracy(self) -> float | None:
        """Share of labelled rows that were right; None without labels."""
        return self.correct / self.labelled_rows if self.labelled_rows else None


def read_window(
    session: Session,
    deployment_id: UUID,
    *,
    start: datetime,
    end: datetime,
    known_at: datetime,
    version_id: UUID | None = None,
    labelled_only: bool = False,
    newest: int | None = None,
    vault: TextVault | None = None,
    blobs: BlobStore | None = None,
) -> list[WindowRow]:
    """The records with start <= at < end, ordered by time and record id.

    Only feedback received by `known_at` is seen, so a replay sees no future label. The order
    and so the result depend on the records alone, not on how they arrived. Texts are read with
    the `vault` only, archived days with the `blobs` only: without them such a window is `Invalid`.
    """
    label = _newest_label(known_at)
    query: Select[InferenceRecord, str | None] = (
        select(InferenceRecord, label)
        .where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.at >= start,
            InferenceRecord.at < end,
        )
        .order_by(InferenceRecord.at.desc(), InferenceRecord.record_id.desc())
    )
    if version_id is not None:
        query = query.where(InferenceRecord.version_id == version_id)
    if labelled_only:
        query = query.where(label.is_not(None))
    if newest is not None:
        query = query.limit(newest)
    found = session.execute(query).all()
    texts = record_texts(session, vault, [record for record, _ in found])
    rows = [
        _row(record, record.version_id, text or record.text if vault else None, known)
        for (record, known), text in zip(found, texts, strict=True)
    ]
    rows.reverse()
    archive = segments_between(session, deployment_id, start, end)
    if not archive:
        return rows
    for segment in reversed(archive):
        if newest is not None and len(rows) >= newest:
            break
        of_day = [
            row
            for group in archived_records(_needed(blobs), segment, start, end)
            for row in _archived(session, deployment_id, group, vault, known_at)
            if (version_id is None or row.version_id == version_id)
            and not (labelled_only and row.label is None)
        ]
        rows = of_day + rows
    rows.sort(key=in_order)
    return rows if newest is None else rows[-newest:]


def rows_as_named(rows: Sequence[WindowRow], naming: Naming) -> list[WindowRow]:
    """Rows that one version answered, with their labels in its words."""
    if not naming.now.names:
        return list(rows)
    return [replace(row, label=naming.read(row.label, row.prediction)) for row in rows]


def accuracy_between(
    session: Session,
    deployment_id: UUID,
    *,
    start: datetime,
    end: datetime,
    known_at: datetime,
    blobs: BlobStore | None = None,
    namings: Mapping[UUID, Naming] = AS_THEY_CAME,
) -> Period:
    """Counts of one stretch, computed in the database; with archived days the `blobs` are needed.

    `namings`: by version, how its labels are read where they were renamed. Whole archived days have
    their counts already, unless labels came or were renamed since.
    """
    answered = (
        select(
            InferenceRecord.version_id,
            InferenceRecord.prediction,
            _newest_label(known_at).label("label"),
        )
        .where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.at >= start,
            InferenceRecord.at < end,
        )
        .subquery()
    )
    counts = Counter(rows=0, labelled=0, correct=0)
    of = (answered.c.version_id, answered.c.prediction, answered.c.label)
    for version_id, prediction, label, rows in session.execute(
        select(of[0], of[1], of[2], func.count()).group_by(*of)
    ):
        read = namings.get(version_id, AS_SENT).read(label, prediction)
        counts.update(rows=rows, labelled=rows * (read is not None))
        counts.update(correct=rows * (read == prediction))
    for segment in segments_between(session, deployment_id, start, end):
        whole = start <= segment.start and segment.end <= end
        renamed = not namings.keys().isdisjoint(map(UUID, segment.version_ids))
        if whole and not (segment.stale or renamed) and segment.tallied_at <= known_at:
            told = segment.rows, segment.labelled_rows, segment.correct_rows
        else:
            told = tallied(session, _needed(blobs), segment, start, end, namings, known_at=known_at)
        counts.update(dict(zip(("rows", "labelled", "correct"), told, strict=True)))
    return Period(
        start=start,
        rows=counts["rows"],
        labelled_rows=counts["labelled"],
        correct=counts["correct"],
    )


def window_digest(rows: Sequence[WindowRow]) -> str:
    """SHA-256 over what a check looks at: the same traffic gives the same digest."""
    hasher = hashlib.sha256()
    for row in rows:
        looked_at = [row.record_id, row.label, *(getattr(row, name) for name in DESCRIPTORS)]
        hasher.update(canonical_bytes(looked_at) + b"\n")
    return hasher.hexdigest()


def write_descriptors(rows: Sequence[WindowRow], path: Path) -> None:
    """The columns that a check compares, as Parquet; no text."""
    columns = {
        name: pa.array([getattr(row, name) for row in rows], kind)
        for name, kind in DESCRIPTORS.items()
    }
    pq.write_table(pa.table(columns), path)


def _needed(blobs: BlobStore | None) -> BlobStore:
    if blobs is None:
        raise Invalid("this window reaches into archived days; read it with the blob store")
    return blobs


def _archived(
    session: Session,
    deployment_id: UUID,
    group: Sequence[Archived],
    vault: TextVault | None,
    known_at: datetime,
) -> Iterator[WindowRow]:
    labels = labels_of(session, deployment_id, [one.record_id for one in group], known_at=known_at)
    texts: list[str | None] = [None] * len(group)
    if vault is not None:
        keys = [UUID(one.data_key_id) if one.data_key_id else None for one in group]
        pairs = zip(group, keys, strict=True)
        sealed = [Sealed(deployment_id, one.record_id, one.sealed, key) for one, key in pairs]
        texts = open_texts(session, vault, RECORD, sealed)
    for one, text in zip(group, texts, strict=True):
        yield _row(one, UUID(one.version_id), text, labels.get(one.record_id))


def _row(
    record: InferenceRecord | Archived, version_id: UUID, text: str | None, label: str | None
) -> WindowRow:
    return WindowRow(
        record_id=record.record_id,
        at=record.at,
        version_id=version_id,
        prediction=record.prediction,
        confidence=record.confidence,
        characters=record.characters,
        words=record.words,
        unseen_words_ratio=record.unseen_words_ratio,
        text=text,
        label=label,
        segments=_segments(record),
        subject_key=record.subject_key,
    )


def _segments(record: InferenceRecord | Archived) -> Mapping[str, Any]:
    if isinstance(record.segments, str):
        archived: dict[str, Any] = json.loads(record.segments)
        return archived
    return record.segments or {}


def record_texts(
    session: Session, vault: TextVault | None, records: Sequence[InferenceRecord]
) -> list[str | None]:
    """The texts of records in clear; None where there is none, and all of them without a vault."""
    if vault is None:
        return [None] * len(records)
    sealed = [
        Sealed(one.deployment_id, one.record_id, one.sealed, one.data_key_id) for one in records
    ]
    return open_texts(session, vault, RECORD, sealed)


def _newest_label(known_at: datetime) -> ScalarSelect[str | None]:
    """Of a record: the newest label that had arrived by `known_at`.

    Correlated on purpose: each record is one look into the index (deployment, record id,
    revision), whatever the planner believes about the tables.
    """
    return (
        select(Feedback.label)
        .where(
            Feedback.deployment_id == InferenceRecord.deployment_id,
            Feedback.record_id == InferenceRecord.record_id,
            Feedback.received_at <= known_at,
        )
        .order_by(Feedback.revision.desc())
        .limit(1)
        .correlate(InferenceRecord)
        .scalar_subquery()
    )
