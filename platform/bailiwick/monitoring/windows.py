"""Windows: the records of a deployment between two moments, with the labels known by then."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.orm import Session

from bailiwick.core.canonical import canonical_bytes
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
) -> list[WindowRow]:
    """The records with start <= at < end, ordered by time and record id.

    Only feedback received by `known_at` is seen, so a replay sees no future label. The order
    and so the result depend on the records alone, not on how they arrived. Texts are read with
    the `vault` only.
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
    texts = _texts(session, vault, [record for record, _ in found])
    rows = [
        WindowRow(
            record_id=record.record_id,
            at=record.at,
            version_id=record.version_id,
            prediction=record.prediction,
            confidence=record.confidence,
            characters=record.characters,
            words=record.words,
            unseen_words_ratio=record.unseen_words_ratio,
            text=text,
            label=known,
        )
        for (record, known), text in zip(found, texts, strict=True)
    ]
    rows.reverse()
    return rows


def accuracy_between(
    session: Session, deployment_id: UUID, *, start: datetime, end: datetime, known_at: datetime
) -> Period:
    """Counts of one stretch, computed in the database."""
    answered = (
        select(InferenceRecord.prediction, _newest_label(known_at).label("label"))
        .where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.at >= start,
            InferenceRecord.at < end,
        )
        .subquery()
    )
    rows, labelled, correct = session.execute(
        select(
            func.count(),
            func.count(answered.c.label),
            func.count().filter(answered.c.label == answered.c.prediction),
        ).select_from(answered)
    ).one()
    return Period(start=start, rows=rows, labelled_rows=labelled, correct=correct)


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


def _texts(
    session: Session, vault: TextVault | None, records: Sequence[InferenceRecord]
) -> list[str | None]:
    if vault is None:
        return [None] * len(records)
    sealed = [
        Sealed(one.deployment_id, one.record_id, one.sealed, one.data_key_id) for one in records
    ]
    opened = open_texts(session, vault, RECORD, sealed)
    return [text or one.text for text, one in zip(opened, records, strict=True)]


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
