"""Writing to the audit log: one event in the transaction of the change it tells of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.tables import AuditEvent, AuditWaiting
from bailiwick.core.canonical import canonical_bytes
from bailiwick.core.errors import TooLarge
from bailiwick.core.ids import new_id

MAX_BODY_BYTES = 65_535  # C2SP tlog-tiles: an entry's length is a 16-bit number


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the one way times are written into evidence."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def record(
    session: Session,
    action: str,
    *,
    subject_type: str,
    subject_id: UUID | str,
    actor_id: UUID,
    at: datetime,
    details: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Add the event of one change to the caller's transaction.

    `details` holds identifiers, digests, numbers and labels; never text of a dataset or a
    request, never a secret, never a person's name. Raises `TooLarge` over 65,535 bytes.
    """
    event_id = new_id()
    body = canonical_bytes(
        {
            "id": str(event_id),
            "at": timestamp(at),
            "actor": str(actor_id),
            "action": action,
            "subject": {"type": subject_type, "id": str(subject_id)},
            "details": dict(details or {}),
        }
    )
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(
            f"the audit event of {action} would be {len(body)} bytes, {MAX_BODY_BYTES} are "
            "allowed; nothing was changed: shorten the texts of this request"
        )
    event = AuditEvent(
        id=event_id,
        at=at,
        actor_id=actor_id,
        action=action,
        subject_type=subject_type,
        subject_id=str(subject_id),
        body=body,
    )
    session.add_all([event, AuditWaiting(event_id=event_id)])
    return event
