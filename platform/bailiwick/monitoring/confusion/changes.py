"""Feedback notes what it changed: one row a batch, in the transaction that stores it.

A change says what a record's label was and is. Changes add up in any order, so nobody waits for
anybody: a label that came before its record is counted once the record is there, whatever was
corrected meanwhile.
"""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import LargeBinary, Uuid, insert, literal, select
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_id
from bailiwick.db.base import UTCDateTime
from bailiwick.monitoring.confusion.tables import LabelChange, LabelLedger


class Change(NamedTuple):
    """A record's label was `before` and is `after`; None is no label.

    `is_first`: the first that was ever said of it. `hour`: when it arrived, in hours since 1970;
    `before_hour`: when the one before did (of changes noted by earlier releases: that same hour).
    """

    record_id: str
    before: str | None
    after: str | None
    is_first: bool
    hour: int
    before_hour: int | None = None


_changes = msgspec.json.Decoder(list[Change])


def note_changes(
    session: Session, deployment_id: UUID, changes: Sequence[Change], *, at: datetime
) -> None:
    """Keep changes to be counted, if the deployment's labels are counted at all; one statement."""
    values = (
        literal(new_id(), Uuid()),
        literal(deployment_id, Uuid()),
        literal(at, UTCDateTime()),
        literal(at, UTCDateTime()),
        literal(packed(changes), LargeBinary()),
    )
    counted = select(*values).where(
        LabelLedger.deployment_id == deployment_id, LabelLedger.begun_at.is_not(None)
    )
    names = ["id", "deployment_id", "noted_at", "due_at", "entries"]
    session.execute(insert(LabelChange).from_select(names, counted, include_defaults=False))


def packed(changes: Sequence[Change]) -> bytes:
    """As they are stored."""
    return zlib.compress(msgspec.json.encode(changes), level=1)


def unpacked(stored: bytes) -> list[Change]:
    """What `packed` made."""
    return _changes.decode(zlib.decompress(stored))
