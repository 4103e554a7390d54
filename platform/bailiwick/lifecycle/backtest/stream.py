"""A dated, labelled file as a stream of periods, whose parts are known by their content."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from bailiwick.blobs import file_digest
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.backtest.periods import Span, Unit, spans_of
from bailiwick.lifecycle.selection import frame_of, write_frame
from bailiwick.lineage.rows import Ingested, RowSpec, ingest

LEAST_ROWS = 50  # of a first model; what training asks for


@dataclass(frozen=True)
class Stream:
    """Rows in order of time: `frame` (a Parquet file of time, text, label) and its periods."""

    frame: Path
    sha256: str
    spans: tuple[Span, ...]
    set_aside: int  # rows of the file that could not be used
    table: pa.Table

    def digest(self, first: int, stop: int) -> str:
        """SHA-256 of the rows from `first` to `stop`, each by its time, text and label."""
        return hashlib.sha256(self._bytes[self._ends[first] : self._ends[stop]]).hexdigest()

    def digest_until(self, stop: int) -> str:
        """A digest of all rows up to `stop`: of the whole periods before, and of the rest."""
        chain = hashlib.sha256()
        for span in self.spans:
            if span.first < stop:
                chain.update(self._digest_of_span(span.first, min(span.stop, stop)).encode())
        return chain.hexdigest()

    def first_model(self) -> int:
        """The first period after which there is something to learn: rows, and two labels.

        Raises `Invalid` where there never is.
        """
        labels = self.table["label"].to_pylist()
        if len(set(labels)) == 1:
            raise Invalid(
                f"All {len(labels):,} rows carry one label, so there is nothing to tell apart. "
                "Name another column with --label."
            )
        for place, span in enumerate(self.spans):
            older = labels[: span.stop - span.stop // 10]  # as training keeps the newest tenth
            if span.stop >= LEAST_ROWS and len(set(older)) > 1:
                return place
        raise Invalid(
            f"There are {len(labels):,} rows, too few for a first model ({LEAST_ROWS} rows with "
            "two labels). Give more rows."
        )

    def _digest_of_span(self, first: int, stop: int) -> str:
        if (first, stop) not in self._digests:
            self._digests[first, stop] = self.digest(first, stop)
        return self._digests[first, stop]

    @cached_property
    def _digests(self) -> dict[tuple[int, int], str]:
        return {}

    @cached_property
    def _encoded(self) -> list[bytes]:
        times = self.table["time"].cast(pa.int64()).to_pylist()
        texts, labels = self.table["text"].to_pylist(), self.table["label"].to_pylist()
        return [
            repr(row).encode("utf-8", "surrogatepass")
            for row in zip(times, texts, labels, strict=True)
        ]

    @cached_property
    def _bytes(self) -> bytes:
        return b"".join(self._encoded)

    @cached_property
    def _ends(self) -> Sequence[int]:
        lengths = np.array([0, *map(len, self._encoded)])
        ends: list[int] = lengths.cumsum().tolist()
        return ends


def open_stream(
    source: Path, spec: RowSpec, unit: Unit, folder: Path, *, max_bytes: int
) -> tuple[Stream, Ingested]:
    """Read `source` (CSV, gzipped CSV, Parquet); working files go to `folder`.

    Raises what `ingest` raises: for missing columns with those there are, for rows that cannot be
    used, if they are many, with their number and the first lines.
    """
    ingested = ingest(source, spec, folder / "rows", max_bytes=max_bytes)
    frame = frame_of(ingested.accepted_path, spec.text, spec.label)
    return stream_of(frame, unit, folder, set_aside=ingested.rejected), ingested


def stream_of(frame: pa.Table, unit: Unit, folder: Path, *, set_aside: int = 0) -> Stream:
    """A frame (time, text, label) as a stream; rows of one moment keep their order."""
    times = frame["time"].to_numpy()
    order = np.argsort(times, kind="stable")
    frame = frame.take(order).combine_chunks()
    path = folder / "frame.parquet"
    write_frame(frame, path)
    spans = spans_of(times[order].astype("M8[us]"), unit)
    return Stream(path, file_digest(path), spans, set_aside, frame)
