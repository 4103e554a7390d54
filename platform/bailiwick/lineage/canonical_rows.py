"""The one form in which accepted rows are stored and digested, whatever file they came in."""

import hashlib
import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bailiwick.core.errors import Invalid

TIME_COLUMN = "time"

_BATCH_ROWS = 8_192
_BATCH_CHARACTERS = 64 << 20
# Equal to RFC 8785 for strings and integers below 2^53, at a tenth of its cost (tested).
_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class ColumnSchema(TypedDict):
    """A column of the canonical file: its Arrow type and how many of its values are empty."""

    name: str
    type: str
    nulls: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the source keeps what: positions of the text, label and date columns."""

    names: tuple[str, ...]
    text: tuple[int, ...]
    label: int
    date: int

    @classmethod
    def of(cls, names: tuple[str, ...], text: Sequence[str], label: str, date: str) -> "Layout":
        """The layout of a source with these column `names`; `Invalid` if one would be hidden."""
        if TIME_COLUMN in names and date != TIME_COLUMN:
            raise Invalid(
                f"The column name '{TIME_COLUMN}' is kept for the date of the row: "
                "rename that column in the file."
            )
        return cls(names, tuple(map(names.index, text)), names.index(label), names.index(date))

    @property
    def order(self) -> tuple[int, ...]:
        """Source positions in canonical order: text, label, then all others but the date."""
        first = (*self.text, self.label)
        rest = (place for place in range(len(self.names)) if place not in (*first, self.date))
        return (*first, *rest)

    @property
    def columns(self) -> tuple[str, ...]:
        """Canonical column names, `time` first."""
        return (TIME_COLUMN, *(self.names[place] for place in self.order))


class CanonicalFile:
    """Writes rows to a Parquet file in batches while digesting and counting them."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.columns = layout.columns
        self.rows = 0
        self.labels: set[str] = set()
        self._label = layout.label
        self._pick = itemgetter(*layout.order)
        self._hashes = array("q")
        self._first_last: list[int] = []
        self._nulls = [0] * len(self.columns)
        self._batch: list[tuple[int | str, ...]] = []
        self._batch_characters = 0
        self._sha256 = hashlib.sha256(f"[{_CANONICAL.encode(self.columns)}".encode())
        time = pa.field(TIME_COLUMN, pa.timestamp("us", tz="UTC"), nullable=False)
        strings = (pa.field(name, pa.string(), nullable=False) for name in self.columns[1:])
        self._schema = pa.schema([time, *strings])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def add(self, microseconds: int, fields: list[str]) -> None:
        """Append one accepted row; collapses the label's white space in `fields`."""
        self._hashes.append(hash(tuple(fields)))
        fields[self._label] = label = " ".join(fields[self._label].split())
        self.labels.add(label)
        self._batch.append((microseconds, *self._pick(fields)))
        self._batch_characters += sum(map(len, fields))
        if len(self._batch) >= _BATCH_ROWS or self._batch_characters >= _BATCH_CHARACTERS:
            self._flush()

    def close(self) -> None:
        """Write what is pending and the file's footer. Safe to call twice."""
        if self._writer.is_open:
            self._flush()
            self._writer.close()

    def _flush(self) -> None:
        if not self._batch:
            return
        self._sha256.update(f",{_CANONICAL.encode(self._batch)[1:-1]}".encode())
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(zip(*self._batch, strict=True), self._schema, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        for place, column in enumerate(arrays[1:], 1):
            self._nulls[place] += pc.sum(pc.equal(column, "")).as_py()
        span = pc.min_max(arrays[0].cast(pa.int64())).as_py()
        self._first_last = [
            min([*self._first_last, span["min"]]),
            max([*self._first_last, span["max"]]),
        ]
        self.rows += len(self._batch)
        self._batch, self._batch_characters = [], 0

    @property
    def first_last(self) -> tuple[int, int]:
        """Earliest and latest time, in microseconds since 1970. Only with rows, after `close`."""
        first, last = self._first_last
        return first, last

    @property
    def duplicates(self) -> int:
        """Rows that repeat an earlier one in every field (64-bit hashes compared)."""
        return len(self._hashes) - int(np.unique(np.frombuffer(self._hashes, np.int64)).size)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of `[columns, row, row, ...]`; after `close`."""
        whole = self._sha256.copy()
        whole.update(b"]")
        return whole.hexdigest()

    def schema(self) -> list[ColumnSchema]:
        """Name, type and number of empty values of each column; after `close`."""
        return [
            ColumnSchema(name=field.name, type=str(field.type), nulls=nulls)
            for field, nulls in zip(self._schema, self._nulls, strict=True)
        ]
