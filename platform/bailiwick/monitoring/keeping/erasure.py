"""Destroying the texts about a subject: their keys go, and with them every copy of the texts.

Keys and embeddings of the texts, which are not archived, are taken out of the records.

What is NOT guaranteed: texts that were learned from are in prepared datasets and in weights;
backups from before have the wrapped keys, until the key that wraps them is gone; a rejected
record that could not be read as JSON names nobody and is forgotten in its time.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.db.session import lock_texts
from bailiwick.monitoring.intake import Pseudonyms, RejectedRecord
from bailiwick.monitoring.keeping.backlog import seal_plain_of_subject
from bailiwick.monitoring.tables import InferenceRecord
from bailiwick.monitoring.texts import DataKey, TextErasure, TextVault


def erase_texts(
    session: Session,
    deployment_id: UUID,
    subject: str,
    *,
    reason: str,
    pseudonyms: Pseudonyms,
    vault: TextVault,
    actor_id: UUID,
    at: datetime,
) -> TextErasure:
    """Destroy the texts about a subject (in clear, as records name it) for good.

    What else the records measure stays, their texts read as not kept from now on, and later
    records of the subject get a key of their own. A subject without texts is no error: the
    evidence says 0.
    """
    (subject_key,) = pseudonyms.subjects([subject])
    assert subject_key  # noqa: S101 - of a text there is always one
    lock_texts(session, deployment_id)
    seal_plain_of_subject(session, vault, deployment_id, subject_key, at=at)
    of_subject = select(DataKey.id, DataKey.archived_texts).where(
        DataKey.deployment_id == deployment_id,
        DataKey.about == subject_key,
        DataKey.wrapped.is_not(None),
    )
    keys = session.execute(of_subject).all()
    ids, archived = [key_id for key_id, _ in keys], sum(texts for _, texts in keys)
    erasure = TextErasure(
        id=new_id(),
        deployment_id=deployment_id,
        subject_key=subject_key,
        reason=reason,
        keys=len(keys),
        records=_sealed_under(session, InferenceRecord, ids) + archived,
        rejected_records=_sealed_under(session, RejectedRecord, ids),
        erased_by=actor_id,
        erased_at=at,
    )
    session.execute(
        update(DataKey).where(DataKey.id.in_(ids)).values(wrapped=None, destroyed_at=at)
    )
    _forget_what_tells(session, deployment_id, subject_key)
    session.add(erasure)
    session.flush()
    record(
        session,
        "texts.erased",
        subject_type="deployment",
        subject_id=deployment_id,
        actor_id=actor_id,
        at=at,
        details={
            "erasure": str(erasure.id),
            "keys": erasure.keys,
            "records": erasure.records,
            "rejected_records": erasure.rejected_records,
        },
    )
    return erasure


def _forget_what_tells(session: Session, deployment_id: UUID, subject_key: str) -> None:
    """Of records that came without a text too: whoever measured it may have sent its keys.

    Reads the deployment's records that are not archived, as no index has their subjects.
    """
    told = (InferenceRecord.text_key, InferenceRecord.form_key, InferenceRecord.embedding)
    session.execute(
        update(InferenceRecord)
        .where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.subject_key == subject_key,
            or_(*(one.is_not(None) for one in told)),
        )
        .values(dict.fromkeys(told))
        .execution_options(synchronize_session=False)
    )


def _sealed_under(
    session: Session, table: type[InferenceRecord | RejectedRecord], keys: Sequence[UUID]
) -> int:
    """How many texts."""
    query = select(func.count()).select_from(table).where(table.data_key_id.in_(keys))
    if table is InferenceRecord:
        query = query.where(InferenceRecord.subject_key.is_not(None))  # as the index says
    return session.scalar(query) or 0
