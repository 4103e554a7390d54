"""Many records in one statement: whatever is known already is left as it is, the new are counted.

The values go to the driver as it stores them, past SQLAlchemy's work on each value, which costs
more than the insert itself. One statement a batch: on SQLite `executemany`, on PostgreSQL arrays
that are unnested.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import repeat
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.batches import in_batches
from bailiwick.core.ids import new_hex_ids
from bailiwick.monitoring.tables import InferenceRecord

_RECORD_ID = itemgetter(5)
# Optional column: the type of its array on PostgreSQL. What no record of a batch has is left out.
_KINDS = {
    "prediction": "text",
    "confidence": "float8",
    "characters": "int4",
    "words": "int4",
    "unseen_words_ratio": "float8",
    "sealed": "bytea",
    "data_key_id": "uuid",
    "latency_ms": "float8",
    "tokens": "int4",
    "mean_log_probability": "float8",
    "segments": "text",
    "features": "text",
    "subject_key": "text",
    "join_key": "text",
    "tokens_per_word": "float8",
    "non_letter_ratio": "float8",
    "language": "text",
    "text_key": "text",
    "form_key": "text",
    "embedding": "bytea",
    "entropy": "float8",
    "refusal": "bool",
    "repetition_ratio": "float8",
}
_OBJECTS = ("segments", "features")
_INTO = "INSERT INTO inference_records (id, deployment_id, version_id, received_at, at, record_id"


def insert_records(
    session: Session,
    deployment_id: UUID,
    version_id: UUID,
    columns: Mapping[str, Sequence[Any]],
    *,
    at: datetime,
) -> Sequence[int]:
    """The places of the records that were new. Of one id twice the first counts."""
    ids = new_hex_ids(len(columns["record_id"]))
    if not ids:
        return ()
    connection = session.connection()
    given = tuple(name for name in _KINDS if _has_values(columns[name]))
    values = [_written(name, columns[name]) for name in given]
    if connection.dialect.name == "postgresql":
        arrays = map(list, (ids, columns["at"], columns["record_id"], *values))
        parameters = (deployment_id, version_id, at, *arrays)
        new = connection.exec_driver_sql(_on_postgresql(given), parameters).rowcount
        return _places(session, ids, new)
    received = round(at.timestamp() * 1_000_000)
    owners = (deployment_id.hex, version_id.hex, *as_sqlite_text([received]))
    rows = list(
        zip(
            ids,
            *map(repeat, owners),
            as_sqlite_text(columns["at"]),
            columns["record_id"],
            *values,
            strict=False,  # the owners are the same for all rows
        )
    )
    rows.sort(key=_RECORD_ID)  # neighbours in the unique index are written together
    new = connection.exec_driver_sql(_on_sqlite(given), rows).rowcount
    return _places(session, ids, new)


def _places(session: Session, ids: Sequence[str], new: int) -> Sequence[int]:
    """Of those ids that were stored; looked for only where some were not."""
    if new in (0, len(ids)):
        return range(new)
    stored: set[str] = set()
    for some in in_batches(map(UUID, ids)):
        found = session.scalars(select(InferenceRecord.id).where(InferenceRecord.id.in_(some)))
        stored.update(one.hex for one in found)
    return [place for place, one in enumerate(ids) if one in stored]


@cache
def _on_sqlite(given: tuple[str, ...]) -> str:
    places = ", ".join("?" * (len(given) + 6))
    return f"{', '.join((_INTO, *given))}) VALUES ({places}) ON CONFLICT DO NOTHING"


@cache
def _on_postgresql(given: tuple[str, ...]) -> str:
    """Sorted by record id, as two clients that send the same must not wait in a circle."""
    kinds = ("uuid", "int8", "text", *(_KINDS[name] for name in given))
    arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
    taken = ", ".join(f"{name}::jsonb" if name in _OBJECTS else name for name in given)
    names = ", ".join(("id", "at", "record_id", *given, "place"))
    parts = (
        f"{', '.join((_INTO, *given))})",
        "SELECT id, %s, %s, %s, 'epoch'::timestamptz + at * interval '1 microsecond', record_id",
        f", {taken} FROM unnest({arrays}) WITH ORDINALITY AS given ({names})",
        'ORDER BY record_id COLLATE "C", place ON CONFLICT DO NOTHING',
    )
    return " ".join(parts)


def _has_values(values: Sequence[Any]) -> bool:
    return values.count(None) < len(values)


def as_sqlite_text(moments: Sequence[int]) -> list[str]:
    """Microseconds since 1970 as SQLAlchemy writes moments into SQLite."""
    times = pa.array(moments, pa.int64()).cast(pa.timestamp("us"))
    written: list[str] = times.cast(pa.string()).to_pylist()
    return written


def _written(name: str, values: Sequence[Any]) -> Sequence[Any]:
    """Segments and features as JSON; of segments there are few different ones."""
    if name == "features":
        return [_as_json(features) if features else None for features in values]
    if name != "segments":
        return values
    texts: dict[tuple[tuple[str, str], ...], str] = {}
    written: list[str | None] = []
    for segments in values:
        if not segments:
            written.append(None)
            continue
        key = tuple(sorted(segments.items()))
        if key not in texts:
            texts[key] = _as_json(dict(key))
        written.append(texts[key])
    return written


def _as_json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
