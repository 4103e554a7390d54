"""What could not be used: kept for a while, so that somebody can find out why."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_ids
from bailiwick.monitoring.intake.records import Fault
from bailiwick.monitoring.intake.tables import RejectedRecord

MAX_RAW_CHARACTERS = 20_000


def set_aside(
    session: Session,
    deployment_id: UUID,
    faults: Sequence[Fault],
    *,
    keeps_text: bool,
    days: int,
    at: datetime,
) -> None:
    """Keep the faults; the records as they came only where the deployment keeps text."""
    if not faults:
        return
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
            "raw": _shown(fault.raw) if keeps_text else None,
        }
        for identifier, fault in zip(new_ids(len(faults)), faults, strict=True)
    ]
    rows.sort(key=lambda row: str(row["digest"]))  # two clients must not wait for each other
    session.execute(construct(RejectedRecord).on_conflict_do_nothing(), rows)


def forget_rejected(session: Session, *, at: datetime) -> int:
    """Delete what has been kept long enough; how many rows."""
    if not has_expired(session, at=at):
        return 0
    done = session.execute(delete(RejectedRecord).where(RejectedRecord.expires_at <= at))
    return int(done.rowcount)  # type: ignore[attr-defined]  # of a DELETE


def has_expired(session: Session, *, at: datetime) -> bool:
    """Whether there is something to forget."""
    return bool(session.scalar(select(exists().where(RejectedRecord.expires_at <= at))))


def _shown(raw: bytes) -> str:
    text = raw.decode("utf-8", errors="replace").replace("\0", "\ufffd")
    return text[:MAX_RAW_CHARACTERS]
