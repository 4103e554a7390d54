"""Single records of archived days, looked for by their ids."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

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
        file = ds.dataset(blobs.verified_path(digest), format="parquet")
        wanted = pc.field("record_id").isin(pa.array(sorted(missing), pa.string()))
        for row in file.to_table(list(Answered._fields), wanted).to_pylist():
            segments = row.pop("segments")
            found[row["record_id"]] = Answered(
                **row | {"version_id": UUID(row["version_id"])},
                segments=json.loads(segments) if segments else None,
            )
        missing -= found.keys()
    return found
