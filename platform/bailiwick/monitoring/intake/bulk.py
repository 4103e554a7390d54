"""Many records in one statement: whatever is known already is left as it is, the new are counted.

The values go to the driver as it stores them, past SQLAlchemy's work on each value, which costs
more than the insert itself. One statement a batch: on SQLite `executemany`, on PostgreSQL arrays
that are unnested.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_hex_ids

# Column: the type of its array on PostgreSQL. `at` travels as microseconds.
_KINDS = {
    "record_id": "text",
    "prediction": "text",
    "confidence": "float8",
    "characters": "int4",
    "words": "int4",
    "unseen_words_ratio": "float8",
    "text": "text",
    "latency_ms": "float8",
    "tokens": "int4",
    "mean_log_probability": "float8",
    "segments": "text",
    "subject_key": "text",
    "join_key": "text",
}
_INTO = "INSERT INTO inference_records (id, deployment_id, version_id, received_at, at"
_SQLITE = (
    f"{_INTO}, {', '.join(_KINDS)}) VALUES ({', '.join('?' * (len(_KINDS) + 5))}) "
    "ON CONFLICT DO NOTHING"
)
_ARRAYS = ", ".join(["%s::uuid[]", "%s::int8[]", *(f"%s::{kind}[]" for kind in _KINDS.values())])
_TAKEN = ", ".join(f"{name}::jsonb" if name == "segments" else name for name in _KINDS)
# Sorted by record id, as two clients that send the same ones must not wait for each other.
_POSTGRESQL = " ".join(
    (
        f"{_INTO}, {', '.join(_KINDS)})",
        "SELECT id, %s, %s, %s, 'epoch'::timestamptz + at * interval '1 microsecond',",
        _TAKEN,
        f"FROM unnest({_ARRAYS}) WITH ORDINALITY AS given (id, at, {', '.join(_KINDS)}, place)",
        'ORDER BY record_id COLLATE "C", place ON CONFLICT DO NOTHING',
    )
)


def insert_records(
    session: Session,
    deployment_id: UUID,
    version_id: UUID,
    columns: Mapping[str, Sequence[Any]],
    *,
    at: datetime,
) -> int:
    """How many of the records were new. Of one id twice the first counts."""
    ids = new_hex_ids(len(columns["record_id"]))
    if not ids:
        return 0
    connection = session.connection()
    values = [_written(name, columns[name]) for name in _KINDS]
    if connection.dialect.name == "postgresql":
        arrays = [ids, list(columns["at"]), *map(list, values)]
        parameters = (deployment_id, version_id, at, *arrays)
        return connection.exec_driver_sql(_POSTGRESQL, parameters).rowcount
    return _into_sqlite(connection, (deployment_id, version_id), ids, columns["at"], values, at)


def _into_sqlite(
    connection: Connection,
    owners: tuple[UUID, UUID],
    ids: list[str],
    moments: Sequence[int],
    values: list[Sequence[Any]],
    at: datetime,
) -> int:
    received = as_sqlite_text([round(at.timestamp() * 1_000_000)])[0]
    deployment, version = (owner.hex for owner in owners)
    count = len(ids)
    rows = list(
        zip(
            ids,
            [deployment] * count,
            [version] * count,
            [received] * count,
            as_sqlite_text(moments),
            *values,
            strict=True,
        )
    )
    # Neighbours in the unique index are written together.
    rows.sort(key=_record_id)
    return connection.exec_driver_sql(_SQLITE, rows).rowcount


def as_sqlite_text(moments: Sequence[int]) -> list[str]:
    """Microseconds since 1970 as SQLAlchemy writes moments into SQLite."""
    times = pa.array(moments, pa.int64()).cast(pa.timestamp("us"))
    written: list[str] = times.cast(pa.string()).to_pylist()
    return written


def _record_id(row: tuple[Any, ...]) -> str:
    record_id: str = row[5]
    return record_id


def _written(name: str, values: Sequence[Any]) -> Sequence[Any]:
    """Segments as canonical JSON: there are few different ones."""
    if name != "segments" or not any(values):
        return [None] * len(values) if name == "segments" else values
    texts: dict[tuple[tuple[str, str], ...], str] = {}
    written: list[str | None] = []
    for segments in values:
        if not segments:
            written.append(None)
            continue
        key = tuple(sorted(segments.items()))
        if key not in texts:
            texts[key] = json.dumps(dict(key), ensure_ascii=False, separators=(",", ":"))
        written.append(texts[key])
    return written
