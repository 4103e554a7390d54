"""Texts from before they were encrypted: sealed a piece at a time, where they lie.

The table of records lets nothing else of a row change, and this only once.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from bailiwick.monitoring.intake import Pseudonyms, RejectedRecord
from bailiwick.monitoring.intake.quarantine import clear_text
from bailiwick.monitoring.tables import InferenceRecord
from bailiwick.monitoring.texts import RECORD, REJECTED, Clear, TextVault, seal

PIECE = 1_000
_owner = attrgetter("deployment_id")


def has_plain_texts(session: Session) -> bool:
    """Whether texts are left that are not encrypted."""
    return any(
        session.scalar(select(exists().where(column.is_not(None))))
        for column in (InferenceRecord.text, RejectedRecord.raw)
    )


def seal_plain_texts(
    session: Session, vault: TextVault, *, pseudonyms: Pseudonyms, at: datetime
) -> int:
    """Encrypt one piece of what is left; how many texts."""
    records = session.scalars(
        select(InferenceRecord)
        .where(InferenceRecord.text.is_not(None))
        .order_by(InferenceRecord.deployment_id, InferenceRecord.subject_key)
        .limit(PIECE)
        .with_for_update(skip_locked=True)
    ).all()
    rejected = session.scalars(
        select(RejectedRecord)
        .where(RejectedRecord.raw.is_not(None))
        .order_by(RejectedRecord.deployment_id, RejectedRecord.id)
        .limit(PIECE)
        .with_for_update(skip_locked=True)
    ).all()
    for deployment_id, group in groupby(records, _owner):
        _seal_records(session, vault, deployment_id, list(group), at=at)
    for deployment_id, some in groupby(rejected, _owner):
        found = list(some)
        texts = [
            clear_text(row.digest, row.raw or "", pseudonyms, at=row.received_at) for row in found
        ]
        sealed = seal(session, vault, deployment_id, REJECTED, texts, at=at)
        session.execute(update(RejectedRecord), _changes(found, sealed, "raw"))
    return len(records) + len(rejected)


def seal_plain_of_subject(
    session: Session, vault: TextVault, deployment_id: UUID, subject_key: str, *, at: datetime
) -> None:
    """Encrypt all that is left about one subject."""
    records = session.scalars(
        select(InferenceRecord).where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.subject_key == subject_key,
            InferenceRecord.text.is_not(None),
        )
    ).all()
    _seal_records(session, vault, deployment_id, records, at=at)


def _seal_records(
    session: Session,
    vault: TextVault,
    deployment_id: UUID,
    records: Sequence[InferenceRecord],
    *,
    at: datetime,
) -> None:
    texts = [
        Clear(row.record_id, row.subject_key or row.at.date().isoformat(), row.text or "")
        for row in records
    ]
    sealed = seal(session, vault, deployment_id, RECORD, texts, at=at)
    if sealed:
        session.execute(update(InferenceRecord), _changes(records, sealed, "text"))


def _changes(
    rows: Sequence[Any], sealed: Sequence[tuple[str, bytes]], plain: str
) -> list[dict[str, Any]]:
    return [
        {"id": row.id, plain: None, "sealed": content, "data_key_id": UUID(key_id)}
        for row, (key_id, content) in zip(rows, sealed, strict=True)
    ]
