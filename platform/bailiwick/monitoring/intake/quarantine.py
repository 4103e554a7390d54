"""What could not be used: kept for a while, so that somebody can find out why."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_ids
from bailiwick.monitoring.intake.pseudonyms import Pseudonyms
from bailiwick.monitoring.intake.records import Fault
from bailiwick.monitoring.intake.tables import RejectedRecord
from bailiwick.monitoring.texts import REJECTED, Clear, Sealed, TextVault, open_texts, seal

MAX_RAW_CHARACTERS = 20_000


def set_aside(
    session: Session,
    deployment_id: UUID,
    faults: Sequence[Fault],
    *,
    pseudonyms: Pseudonyms,
    vault: TextVault | None,
    days: int,
    at: datetime,
) -> None:
    """Keep the faults; the records as they came only with the `vault` of their texts.

    One that names its subject is sealed under the subject's key, any other under its day's.
    """
    if not faults:
        return
    sealed: list[tuple[str | None, bytes | None]] = [(None, None)] * len(faults)
    if vault is not None:
        texts = [clear_text(fault.digest, _shown(fault.raw), pseudonyms, at=at) for fault in faults]
        sealed[:] = seal(session, vault, deployment_id, REJECTED, texts, at=at)
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    construct = postgresql_insert if on_postgresql else sqlite_insert
    rows = [
        {
            "id": identifier,
            "deployment_id": deployment_id,
            "received_at": at,
            "expires_at": at + timedelta(days=days),
            "place": fault.place,
            "code": fault.code,
            "digest": fault.digest,
            "sealed": content,
            "data_key_id": key_id and UUID(key_id),
        }
        for identifier, fault, (key_id, content) in zip(
            new_ids(len(faults)), faults, sealed, strict=True
        )
    ]
    rows.sort(key=lambda row: str(row["digest"]))  # two clients must not wait for each other
    session.execute(construct(RejectedRecord).on_conflict_do_nothing(), rows)


def texts_of(
    session: Session, vault: TextVault, rows: Sequence[RejectedRecord]
) -> list[str | None]:
    """The records as they came; None where no text is kept, or where it was destroyed."""
    sealed = [Sealed(row.deployment_id, row.digest, row.sealed, row.data_key_id) for row in rows]
    opened = open_texts(session, vault, REJECTED, sealed)
    return [text or row.raw for text, row in zip(opened, rows, strict=True)]


def forget_rejected(session: Session, *, at: datetime) -> int:
    """Delete what has been kept long enough; how many rows."""
    if not has_expired(session, at=at):
        return 0
    done = session.execute(delete(RejectedRecord).where(RejectedRecord.expires_at <= at))
    return int(done.rowcount)  # type: ignore[attr-defined]  # of a DELETE


def has_expired(session: Session, *, at: datetime) -> bool:
    """Whether there is something to forget."""
    return bool(session.scalar(select(exists().where(RejectedRecord.expires_at <= at))))


def clear_text(digest: str, raw: str, pseudonyms: Pseudonyms, *, at: datetime) -> Clear:
    """A rejected record before it is sealed: whose it is can be told if it reads as JSON."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        found = None
    subject = found.get("subject") if isinstance(found, dict) else None
    (key,) = pseudonyms.subjects([subject if isinstance(subject, str) else None])
    return Clear(digest, key or at.date().isoformat(), raw)


def _shown(raw: bytes) -> str:
    text = raw.decode("utf-8", errors="replace").replace("\0", "\ufffd")
    return text[:MAX_RAW_CHARACTERS]
