"""Opening a table by its content: CSV in UTF-8, the same gzipped, or Parquet.

Nothing about the file is trusted: not its name, not what a header promises about sizes. Every
fault of the bytes is raised as `Invalid` or `TooLarge`; encodings are never guessed.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bailiwick.core.errors import Invalid, TooLarge
from bailiwick.lineage.quarantine import Reason

# Where a row starts, its fields, and what is wrong with it already (then: its physical lines).
Row = tuple[int, list[str], Reason | None]

_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file: save the sheet as CSV",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: decompress it, or use gzip",
    b"\xfd7zXZ": "compressed with xz: decompress it, or use gzip",
    b"BZh": "compressed with bzip2: decompress it, or use gzip",
    b"%PDF": "a PDF: ask for the data itself",
    b"\xff\xfe": "UTF-16 text: convert it with `iconv -f UTF-16 -t UTF-8`",
    b"\xfe\xff": "UTF-16 text: convert it with `iconv -f UTF-16 -t UTF-8`",
    _GZIP: "gzip inside gzip: decompress it once",
    _PARQUET: "Parquet inside gzip: decompress it, Parquet is compressed inside",
}
_CHUNK_BYTES = 1 << 20
_MAX_LINE_BYTES = 16 << 20
_PARQUET_ROWS = 4_096
_MAX_PARQUET_VALUE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Table:
    """An open table: its first line, the rows after it, and what a row's number counts."""

    header: list[str]
    rows: Iterator[Row]
    unit: str


def open_table(source: Path, max_bytes: int, stack: ExitStack) -> Table:
    """Open `source`; at most `max_bytes` are read from it, decompressed. `stack` closes it.

    Raises `Invalid` and `TooLarge`, here and while rows are read.
    """
    size = source.stat().st_size
    if size == 0:
        raise Invalid("The file is empty: it has not even a header.")
    if size > max_bytes:
        raise TooLarge(_too_large(max_bytes))
    file = stack.enter_context(source.open("rb"))
    head = file.read(len(_PARQUET))
    file.seek(0)
    if head == _PARQUET:
        return _parquet_table(file, max_bytes)
    if head.startswith(_GZIP):
        return _csv_table(stack.enter_context(gzip.GzipFile(fileobj=file)), max_bytes)
    return _csv_table(file, max_bytes)


def _too_large(max_bytes: int) -> str:
    return (
        f"The file holds more than {max_bytes:,} bytes of data, the limit for one upload: "
        "split it by date, or raise the limit."
    )


class _Bounded(io.RawIOBase):
    """Reads `inner` up to `max_bytes`, in lines of sane length, as valid UTF-8."""

    def __init__(self, inner: IO[bytes] | gzip.GzipFile, max_bytes: int) -> None:
        super().__init__()
        self._inner = inner
        self._max_bytes = max_bytes
        self._read_bytes = 0
        self._line_bytes = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        try:
            data = self._inner.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Invalid(
                f"The gzip file is damaged or cut short after {self._read_bytes:,} bytes of data: "
                "send it again."
            ) from error
        self._check(data)
        buffer[: len(data)] = data
        return len(data)

    def _check(self, data: bytes) -> None:
        if self._read_bytes == 0:
            _refuse_foreign(data)
        pending = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            at = self._read_bytes - pending + error.start
            raise Invalid(
                f"The file is not UTF-8: byte {at:,} (counted from 0) cannot be read. If it comes "
                "from an older Windows program, convert it: `iconv -f WINDOWS-1252 -t UTF-8`.",
                byte=at,
            ) from None
        self._read_bytes += len(data)
        if self._read_bytes > self._max_bytes:
            raise TooLarge(_too_large(self._max_bytes))
        last = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._line_bytes = len(data) - last - 1 if last >= 0 else self._line_bytes + len(data)
        if self._line_bytes > _MAX_LINE_BYTES:
            raise Invalid(
                f"A line is longer than {_MAX_LINE_BYTES:,} bytes: this is not a CSV file."
            )


def _refuse_foreign(head: bytes) -> None:
    for magic, advice in _FOREIGN.items():
        if head.startswith(magic):
            raise Invalid(f"The file is {advice}.")


def _csv_table(plain: IO[bytes] | gzip.GzipFile, max_bytes: int) -> Table:
    buffered = io.BufferedReader(_Bounded(plain, max_bytes), _CHUNK_BYTES)
    rows = _csv_rows(io.TextIOWrapper(buffered, encoding="utf-8-sig", newline=""))
    first = next(rows, None)
    if first is None:
        raise Invalid("The file holds blank lines only: it has not even a header.")
    if first[2] is not None:
        raise Invalid(f"The header cannot be read: it has {first[2]}.")
    return Table(header=first[1], rows=rows, unit="line")


def _csv_rows(text: io.TextIOWrapper) -> Iterator[Row]:
    """Rows with the physical line they start on (RFC 4180: quoted fields may span lines)."""
    seen: list[str] = []
    # Strict: a lenient reader swallows all rows up to the next stray quote without a word.
    reader = csv.reader(_remembered(text, seen), strict=True)
    while True:
        line = reader.line_num + 1
        seen.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                raise Invalid(
                    f"A field that starts near line {line} never ends: close its quotes."
                ) from error
            yield line, list(seen), Reason.QUOTES
        else:
            if fields:
                yield line, fields, None


def _remembered(text: io.TextIOWrapper, seen: list[str]) -> Iterator[str]:
    for line in text:
        seen.append(line)
        yield line


def _parquet_table(file: IO[bytes], max_bytes: int) -> Table:
    try:
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Invalid("The Parquet file is damaged or cut short: write it again.") from error
    nested = [f"'{f.name}' ({f.type})" for f in schema if not _is_plain(f.type)]
    if nested:
        raise Invalid(f"Parquet columns hold no plain values: {', '.join(nested)}. Leave them out.")
    if not schema.names or parquet.metadata.num_rows == 0:
        raise Invalid("The Parquet file holds no rows.")
    return Table(header=schema.names, rows=_parquet_rows(parquet, max_bytes), unit="row")


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_date,
        pa.types.is_timestamp,
        pa.types.is_null,
    )
    return any(test(kind) for test in tests)


def _parquet_rows(parquet: pq.ParquetFile, max_bytes: int) -> Iterator[Row]:
    """Rows as strings (null is the empty string), numbered from 1."""
    read_bytes, number = 0, 0
    try:
        for batch in parquet.iter_batches(batch_size=_PARQUET_ROWS):
            read_bytes += batch.nbytes
            if read_bytes > max_bytes:
                raise TooLarge(_too_large(max_bytes))
            columns = [pc.fill_null(pc.cast(column, pa.string()), "") for column in batch.columns]
            longest = max(pc.max(pc.binary_length(column)).as_py() or 0 for column in columns)
            if longest > _MAX_PARQUET_VALUE_BYTES:
                raise TooLarge(f"A value has {longest:,} bytes: it is no text to classify.")
            for fields in zip(*(column.to_pylist() for column in columns), strict=True):
                number += 1
                yield number, list(fields), None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"The Parquet file is damaged after row {number:,}: write it again."
        ) from error
