"""A segment's file: Parquet (zstd), sorted by (at, record id), texts as sealed as they came.

Keys and embeddings of texts stay behind: files are not changed when texts are erased, and these
could tell what a text was.

Files are written and read a row group at a time, so that memory does not grow with the day.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from bailiwick.blobs import CorruptBlob
from bailiwick.monitoring.tables import InferenceRecord

COLUMNS_VERSION: Final = 2
GROUP_ROWS: Final = 20_000
_MOMENT = pa.timestamp("us", "UTC")
SCHEMA: Final = pa.schema(
    [
        ("record_id", pa.string()),
        ("at", _MOMENT),
        ("received_at", _MOMENT),
        ("version_id", pa.string()),
        ("prediction", pa.string()),
        ("confidence", pa.float64()),
        ("characters", pa.int32()),
        ("words", pa.int32()),
        ("unseen_words_ratio", pa.float64()),
        ("sealed", pa.binary()),
        ("data_key_id", pa.string()),
        ("latency_ms", pa.float64()),
        ("tokens", pa.int32()),
        ("mean_log_probability", pa.float64()),
        ("segments", pa.string()),
        ("features", pa.string()),
        ("subject_key", pa.string()),
        ("join_key", pa.string()),
        ("id", pa.string()),
        ("tokens_per_word", pa.float64()),
        ("non_letter_ratio", pa.float64()),
        ("language", pa.string()),
        ("entropy", pa.float64()),
        ("refusal", pa.bool_()),
        ("repetition_ratio", pa.float64()),
    ]
)
_AS_TEXT = frozenset({"version_id", "data_key_id", "id"})
_AS_JSON = frozenset({"segments", "features"})


@dataclass(slots=True)
class Written:
    """What went into a file; `digest` is of the rows themselves."""

    rows: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    versions: set[str] = field(default_factory=set)
    join_keys: list[tuple[str, str]] = field(default_factory=list)  # with their record ids
    digest: str = ""


def write_segment(path: Path, groups: Iterable[Sequence[InferenceRecord]]) -> Written:
    """Write rows, sorted already, and tell what they were."""
    told, hasher = Written(), hashlib.sha256()
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", write_statistics=True) as writer:
        for rows in groups:
            batch = pa.RecordBatch.from_pydict(
                {name: [_value(name, row) for row in rows] for name in SCHEMA.names}, SCHEMA
            )
            writer.write_batch(batch)
            _add(hasher, batch)
            told.rows += len(rows)
            told.first_at = told.first_at or rows[0].at
            told.last_at = rows[-1].at
            told.versions.update({str(row.version_id) for row in rows})
            told.join_keys += [(row.join_key, row.record_id) for row in rows if row.join_key]
    told.digest = hasher.hexdigest()
    return told


def check_segment(path: Path, written: Written) -> None:
    """Read a file again; `CorruptBlob` unless it holds exactly what was written."""
    hasher, rows = hashlib.sha256(), 0
    for batch in read_segment(path, SCHEMA.names):
        rows += batch.num_rows
        _add(hasher, batch)
    if (rows, hasher.hexdigest()) != (written.rows, written.digest):
        raise CorruptBlob("a segment of records was not written as it should; nothing was removed")


def read_segment(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of a file, a row group at a time."""
    with pq.ParquetFile(path) as file:
        for group in range(file.metadata.num_row_groups):
            table = file.read_row_group(group, columns=list(columns))
            yield from table.combine_chunks().to_batches()


def subject_texts(path: Path) -> Counter[str]:
    """How many texts about a subject each data key sealed, by its id."""
    found: Counter[str] = Counter()
    for batch in read_segment(path, ("subject_key", "data_key_id")):
        subjects, keys = (column.to_pylist() for column in batch.columns)
        found.update(key for about, key in zip(subjects, keys, strict=True) if about and key)
    return found


def _value(name: str, row: InferenceRecord) -> Any:
    value = getattr(row, name)
    if value is None:
        return None
    if name in _AS_TEXT:
        return str(value)
    return json.dumps(value, sort_keys=True) if name in _AS_JSON else value


def _add(hasher: "hashlib._Hash", batch: pa.RecordBatch) -> None:
    """The values of a row group, however Arrow keeps them in memory."""
    for name in SCHEMA.names:
        hasher.update(repr(batch.column(name).to_pylist()).encode())
