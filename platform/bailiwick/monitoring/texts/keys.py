"""Data keys of many subjects and days at once: at most three statements a batch.

The values go to the driver as it stores them, as those of records do (`intake.bulk`).
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.batches import in_batches
from bailiwick.core.ids import new_hex_ids
from bailiwick.monitoring.texts.tables import DataKey
from bailiwick.monitoring.texts.vault import (
    KEY_BYTES,
    NONCE_BYTES,
    KeyRing,
    TextVault,
    random_pieces,
)

_FIND = {
    "sqlite": "SELECT about, id, kek, wrapped FROM data_keys WHERE deployment_id = ? "
    "AND wrapped IS NOT NULL AND about IN (SELECT value FROM json_each(?))",
    "postgresql": "SELECT about, id, kek, wrapped FROM data_keys WHERE deployment_id = %s "
    "AND wrapped IS NOT NULL AND about = ANY(%s::text[])",
}
_ADD = {
    "sqlite": "INSERT INTO data_keys (id, about, kek, wrapped, deployment_id, made_at) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    "postgresql": "INSERT INTO data_keys (id, about, kek, wrapped, deployment_id, made_at) "
    "SELECT id, about, %s, wrapped, %s, %s "
    "FROM unnest(%s::uuid[], %s::text[], %s::bytea[]) AS given (id, about, wrapped) "
    'ORDER BY about COLLATE "C" ON CONFLICT DO NOTHING',
}


class OpenKey(NamedTuple):
    """A data key that can be used; its id in hexadecimal."""

    id: str
    cipher: AESGCM


def keys_for(
    session: Session,
    vault: TextVault,
    deployment_id: UUID,
    about: Collection[str],
    *,
    at: datetime,
) -> dict[str, OpenKey]:
    """The key of each subject or day; those that have none get one.

    Two that make the same key at once agree: the second waits for the first and takes its key.
    """
    ring = vault.ready(session)
    keys = _live(session, ring, deployment_id, about)
    missing = sorted(set(about) - keys.keys())  # in order, as two must not wait in a circle
    if missing:
        fresh = random_pieces(len(missing), KEY_BYTES)
        made = list(zip(missing, new_hex_ids(len(missing)), fresh, strict=True))
        if _add(session, ring, deployment_id, made, at) == len(made):
            keys |= {one: OpenKey(key_id, AESGCM(key)) for one, key_id, key in made}
        else:
            keys |= _live(session, ring, deployment_id, missing)
    return keys


def open_keys(session: Session, vault: TextVault, ids: Iterable[UUID]) -> Mapping[UUID, AESGCM]:
    """The keys by id, without those that were destroyed."""
    found: dict[UUID, AESGCM] = {}
    for some in in_batches(sorted(set(ids))):
        ring = vault.ring()
        rows = session.execute(
            select(DataKey.id, DataKey.kek, DataKey.wrapped).where(DataKey.id.in_(some))
        )
        for key_id, kek, wrapped in rows:
            if wrapped is not None:
                found[key_id] = AESGCM(ring.unwrap(kek, wrapped, key_id.bytes))
    return found


def _live(
    session: Session, ring: KeyRing, deployment_id: UUID, about: Collection[str]
) -> dict[str, OpenKey]:
    connection = session.connection()
    dialect = connection.dialect.name
    on_sqlite = dialect == "sqlite"
    given = (
        (deployment_id.hex, json.dumps(list(about))) if on_sqlite else (deployment_id, list(about))
    )
    keys = {}
    for one, identifier, kek, wrapped in connection.exec_driver_sql(_FIND[dialect], given):
        key_id = identifier if on_sqlite else identifier.hex
        keys[one] = OpenKey(key_id, AESGCM(ring.unwrap(kek, wrapped, bytes.fromhex(key_id))))
    return keys


def _add(
    session: Session,
    ring: KeyRing,
    deployment_id: UUID,
    made: Collection[tuple[str, str, bytes]],
    at: datetime,
) -> int:
    """How many of the keys were not there yet."""
    connection = session.connection()
    nonces = random_pieces(len(made), NONCE_BYTES)
    wrapped = [
        (one, key_id, ring.wrap(key, bytes.fromhex(key_id), nonce))
        for (one, key_id, key), nonce in zip(made, nonces, strict=True)
    ]
    if connection.dialect.name == "sqlite":
        moment = at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        rows = [
            (key_id, one, ring.newest, key, deployment_id.hex, moment)
            for one, key_id, key in wrapped
        ]
        return connection.exec_driver_sql(_ADD["sqlite"], rows).rowcount
    about, ids, keys = map(list, zip(*wrapped, strict=True))
    given = (ring.newest, deployment_id, at, ids, about, keys)
    return connection.exec_driver_sql(_ADD["postgresql"], given).rowcount
