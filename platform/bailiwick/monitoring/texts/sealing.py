"""Texts at rest: AES-256-GCM under the data key of their subject, or of their day.

What is sealed opens for its own record alone: deployment and record are authenticated with it.
A sealed text is a nonce of 12 bytes, the ciphertext and a tag of 16. Nonces are random: one key
may seal 2^32 texts (NIST SP 800-38D, 8.3), which no day and no subject comes to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from sqlalchemy.orm import Session

from bailiwick.core.errors import Unavailable
from bailiwick.db.session import hold_texts
from bailiwick.monitoring.moments import EPOCH
from bailiwick.monitoring.texts.keys import keys_for, open_keys
from bailiwick.monitoring.texts.vault import NONCE_BYTES, TextVault, random_pieces

RECORD, REJECTED = b"record\0", b"rejected\0"
_DAY_MICROSECONDS = 86_400_000_000


class Clear(NamedTuple):
    """A text to be sealed: whose it is, and the subject or day whose key it gets."""

    name: str  # the id of its record, or the digest of a rejected one
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A text as it is stored."""

    deployment_id: UUID
    name: str
    text: bytes | None
    data_key_id: UUID | None


def seal(
    session: Session,
    vault: TextVault,
    deployment_id: UUID,
    kind: bytes,
    texts: Sequence[Clear],
    *,
    at: datetime,
) -> list[tuple[str, bytes]]:
    """Of each text the id of its key in hexadecimal, and its sealed bytes.

    Nobody destroys texts of the deployment until the transaction ends, so that none is sealed
    under a key that is going away.
    """
    if not texts:
        return []
    hold_texts(session, deployment_id)
    keys = keys_for(session, vault, deployment_id, {one.about for one in texts}, at=at)
    bound = _bound(kind, deployment_id)
    sealed = []
    for one, nonce in zip(texts, random_pieces(len(texts), NONCE_BYTES), strict=True):
        key = keys[one.about]
        content = key.cipher.encrypt(nonce, one.text.encode(), bound + one.name.encode())
        sealed.append((key.id, nonce + content))
    return sealed


def open_texts(
    session: Session, vault: TextVault, kind: bytes, texts: Sequence[Sealed]
) -> list[str | None]:
    """The texts in clear; None where there was none, or where it was destroyed.

    `Unavailable` if the key file is not the right one, or a text was moved or changed by hand.
    """
    wanted = {one.data_key_id for one in texts if one.data_key_id is not None}
    keys = open_keys(session, vault, wanted) if wanted else {}
    found: list[str | None] = []
    for one in texts:
        key = keys.get(one.data_key_id) if one.data_key_id else None
        if key is None or one.text is None:
            found.append(None)
            continue
        nonce, content = one.text[:NONCE_BYTES], one.text[NONCE_BYTES:]
        bound = _bound(kind, one.deployment_id) + one.name.encode()
        try:
            found.append(key.decrypt(nonce, content, bound).decode())
        except InvalidTag as error:
            raise Unavailable(
                "a text does not open under its key: its row was changed by hand; restore the "
                "database from a backup"
            ) from error
    return found


def sealed_columns(
    session: Session,
    vault: TextVault | None,
    deployment_id: UUID,
    columns: Mapping[str, Sequence[Any]],
    *,
    at: datetime,
) -> dict[str, Sequence[Any]]:
    """The columns of records with `sealed` and `data_key_id` in place of `text`."""
    rows = [row for row, text in enumerate(columns["text"]) if text]
    sealed: list[bytes | None] = [None] * len(columns["text"])
    keys: list[str | None] = [None] * len(columns["text"])
    if rows:
        if vault is None:
            message = "texts are kept encrypted: whoever stores some gives the vault"
            raise ValueError(message)
        texts = list(_clear(columns, rows))
        stored = seal(session, vault, deployment_id, RECORD, texts, at=at)
        for row, (key_id, content) in zip(rows, stored, strict=True):
            sealed[row], keys[row] = content, key_id
    kept = {name: values for name, values in columns.items() if name != "text"}
    return kept | {"sealed": sealed, "data_key_id": keys}


def day_named(days: int) -> str:
    """The day (UTC) so many days after 1970-01-01, as keys are named after it."""
    return (EPOCH + timedelta(days=days)).date().isoformat()


def _clear(columns: Mapping[str, Sequence[Any]], rows: Sequence[int]) -> Iterator[Clear]:
    names, subjects, texts = columns["record_id"], columns["subject_key"], columns["text"]
    days = [at // _DAY_MICROSECONDS for at in columns["at"]]
    named = {day: day_named(day) for day in set(days)}
    for row in rows:
        yield Clear(names[row], subjects[row] or named[days[row]], texts[row])


def _bound(kind: bytes, deployment_id: UUID) -> bytes:
    return kind + deployment_id.bytes
