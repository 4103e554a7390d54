"""Single records of archived days, looked for by their ids."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bailiwick.blobs import BlobStore


class Answered(NamedTuple):
    """What labels are held against."""

    record_id: str
    version_id: UUID
    at: datetime
    prediction: str
    confidence: float | None
    segments: dict[str, str] | None


def find_records(
    blobs: BlobStore, files: Iterable[str], record_ids: Collection[str]
) -> dict[str, Answered]:
    """Those of the records that are in these blobs, until all have been found.

    Reads the ids of a file whole, and of the rest what matches; its bytes are verified first.
    """
    found: dict[str, Answered] = {}
    missing = set(record_ids)
    for digest in files:
        if not missing:
            break
        wanted = pa.array(sorted(missing), pa.string())
        with pq.ParquetFile(blobs.verified_path(digest)) as file:
            for group in range(file.metadata.num_row_groups):
                ids = file.read_row_group(group, columns=["record_id"])["record_id"]
                there = pc.is_in(ids, value_set=wanted)
                if pc.any(there).as_py():
                    rows = file.read_row_group(group, columns=list(Answered._fields))
                    found |= {
                        one["record_id"]: _answered(one) for one in rows.filter(there).to_pylist()
                    }
        missing -= found.keys()
    return found


def _answered(row: dict[str, Any]) -> Answered:
    segments = json.loads(row["segments"]) if row["segments"] else None
    return Answered(**row | {"version_id": UUID(row["version_id"]), "segments": segments})
