"""Changing the key-encryption key: data keys are wrapped anew, no text is touched."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.monitoring.texts import DataKey, TextVault
from bailiwick.monitoring.texts.vault import NONCE_BYTES, random_pieces

PIECE = 1_000


def rotate_key(session: Session, vault: TextVault, *, actor_id: UUID, at: datetime) -> str:
    """Put a fresh key first in the file; its fingerprint. Then call `rewrap_some` until 0.

    Call it within `vault.rotating()`. The keys that still wrap something stay in the file; the
    others go. So one stays for a rotation longer, for processes that are in the middle of
    something.
    """
    used = wrapping(session)
    vault.renew(list(used))
    newest = vault.ring().newest
    record(
        session,
        "text-key.rotated",
        subject_type="platform",
        subject_id="texts",
        actor_id=actor_id,
        at=at,
        details={"to": newest, "from": sorted(used), "data_keys": sum(used.values())},
    )
    return newest


def rewrap_some(session: Session, vault: TextVault) -> int:
    """Wrap a piece of the data keys under the newest key; how many."""
    ring = vault.ring()
    rows = session.execute(
        select(DataKey.id, DataKey.kek, DataKey.wrapped)
        .where(DataKey.wrapped.is_not(None), DataKey.kek != ring.newest)
        .limit(PIECE)
        .with_for_update()
    ).all()
    changes = []
    for (key_id, kek, wrapped), nonce in zip(
        rows, random_pieces(len(rows), NONCE_BYTES), strict=True
    ):
        key = ring.unwrap(kek, wrapped or b"", key_id.bytes)
        fresh = ring.wrap(key, key_id.bytes, nonce)
        changes.append({"id": key_id, "kek": ring.newest, "wrapped": fresh})
    if changes:
        session.execute(update(DataKey), changes)
    return len(changes)


def give_up_lost(session: Session, vault: TextVault, *, actor_id: UUID, at: datetime) -> int:
    """Destroy the data keys whose key-encryption key is gone; how many. Their texts are lost."""
    known = [kek.name for kek in vault.ring().keks] if vault.path.exists() else []
    lost = DataKey.wrapped.is_not(None) & DataKey.kek.not_in(known)
    keys = session.scalar(select(func.count()).select_from(DataKey).where(lost)) or 0
    if keys:
        session.execute(update(DataKey).where(lost).values(wrapped=None, destroyed_at=at))
        record(
            session,
            "text-keys.given-up",
            subject_type="platform",
            subject_id="texts",
            actor_id=actor_id,
            at=at,
            details={"data_keys": keys},
        )
    return keys


def wrapping(session: Session) -> Mapping[str, int]:
    """Fingerprints of the keys that wrap something, and how many data keys each."""
    found = session.execute(
        select(DataKey.kek, func.count()).where(DataKey.wrapped.is_not(None)).group_by(DataKey.kek)
    )
    return {kek: int(data_keys) for kek, data_keys in found}
