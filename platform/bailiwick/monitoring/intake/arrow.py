"""Records as Arrow columns: checked and converted whole columns at a time."""

from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.monitoring.intake.records import (
    FIELDS,
    LANGUAGE,
    MAX_COMPONENT,
    MAX_COUNT,
    MAX_DIMENSIONS,
    MAX_ENTROPY,
    MAX_NAME,
    MAX_TEXT,
    MAX_TEXT_KEY,
    REQUIRED,
    Batch,
    Fault,
    read_lines,
)

BATCH_ROWS = 10_000
OBJECTS = ("segments", "features")
_MOMENT = pa.timestamp("us", "UTC")
EMBEDDING, REFUSAL = "embedding", "refusal"
_TEXTS = {
    "record_id": MAX_NAME,
    "prediction": MAX_NAME,
    "subject": MAX_NAME,
    "join_key": MAX_NAME,
    "text_key": MAX_TEXT_KEY,
    "form_key": MAX_TEXT_KEY,
}
_NUMBERS = {
    "confidence": (pa.float64(), 0, 1),
    "unseen_words_ratio": (pa.float64(), 0, 1),
    "latency_ms": (pa.float64(), 0, 1e12),
    "mean_log_probability": (pa.float64(), -1e6, 0),
    "tokens_per_word": (pa.float64(), 0, MAX_TEXT),
    "non_letter_ratio": (pa.float64(), 0, 1),
    "entropy": (pa.float64(), 0, MAX_ENTROPY),
    "repetition_ratio": (pa.float64(), 0, 1),
    "characters": (pa.int64(), 0, MAX_COUNT),
    "words": (pa.int64(), 0, MAX_COUNT),
    "tokens": (pa.int64(), 0, MAX_COUNT),
}
_OWN_KINDS = {EMBEDDING: pa.list_(pa.float64()), REFUSAL: pa.bool_()}
_SAID = (
    "the body is no Arrow IPC stream that can be used: its columns are named like a record's "
    "fields, `at` has a time zone, and texts are valid UTF-8"
)


def read_arrow(body: IO[bytes]) -> Iterator[Batch]:
    """The records of an Arrow IPC stream, at most `BATCH_ROWS` at a time."""
    start = 0
    try:
        with pa.ipc.open_stream(pa.PythonFile(body, "r")) as reader:
            check_columns(reader.schema)
            for batch in reader:
                batch.validate(full=True)
                for offset in range(0, batch.num_rows, BATCH_ROWS):
                    part = batch.slice(offset, BATCH_ROWS)
                    yield read_columns(part, start)
                    start += part.num_rows
    except BailiwickError:
        raise
    except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
        raise Invalid(_SAID) from error
    if start == 0:
        raise Invalid("the body holds no records; send at least one row")


def check_columns(schema: pa.Schema) -> None:
    """Only the fields of a record, each once, and those that every record has."""
    names = schema.names
    if set(names) - set(FIELDS) or len(set(names)) < len(names):
        raise Invalid(
            f"a column is no field of a record, or there twice; the fields are {', '.join(FIELDS)}"
        )
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise Invalid(f"the column {missing[0]} is missing")
    at = schema.field("at").type
    if not pa.types.is_timestamp(at) or at.tz is None:
        raise Invalid("the column at must be a timestamp with a time zone")


def read_columns(rows: pa.RecordBatch, start: int) -> Batch:
    """A batch of Arrow rows whose columns were checked; the first has place `start`."""
    columns: dict[str, pa.Array] = {}
    wrong: dict[str, pa.Array] = {}
    for name in FIELDS:
        if name not in rows.schema.names or pa.types.is_null(rows[name].type):
            columns[name] = pa.nulls(len(rows), pa.string())
        else:
            columns[name] = _typed(name, rows[name])
        if name not in OBJECTS:
            wrong[name] = _misfits(name, columns[name])
    good = pa.array([True] * len(rows))
    for mask in wrong.values():
        good = pc.and_(good, pc.invert(mask))
    faults = [] if pc.all(good).as_py() else _faults(rows, columns, wrong, start)
    kept: list[int] = pc.indices_nonzero(good).to_pylist()
    values = {name: _values(name, column.filter(good)) for name, column in columns.items()}
    batch = Batch(values, [start + row for row in kept], _raw(rows, kept), faults)
    given = any(any(values[name]) for name in OBJECTS)
    return batch.without(_checked_objects(rows, kept) if given else {})


def _typed(name: str, column: pa.Array) -> pa.Array:
    """The column in the one type that its field has here."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if name in OBJECTS:
        return column
    kind = pa.string()
    if name == "at":
        return column.cast(_MOMENT, safe=False)  # nanoseconds are cut off
    if name in _OWN_KINDS:
        kind = _OWN_KINDS[name]
    elif name in _NUMBERS:
        kind = _NUMBERS[name][0]
    elif not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise Invalid(f"the column {name} holds no text")
    return column.cast(kind)


def _misfits(name: str, column: pa.Array) -> pa.Array:
    """Where the values are out of the field's bounds, or missing though every record has them."""
    if name in _NUMBERS and not pa.types.is_string(column.type):
        _, least, most = _NUMBERS[name]
        fits = pc.and_(pc.greater_equal(column, least), pc.less_equal(column, most))
    elif name == "at":
        fits = pc.is_valid(column)
    elif name in _OWN_KINDS and not pa.types.is_string(column.type):
        return _unbounded(column) if name == EMBEDDING else _nowhere(column)
    elif name == "language":
        fits = pc.match_substring_regex(column, LANGUAGE)
    else:
        size = pc.utf8_length(column)
        # Only what must be short must not be empty.
        least, most = (1, _TEXTS[name]) if name in _TEXTS else (0, MAX_TEXT)
        fits = pc.and_(pc.greater_equal(size, least), pc.less_equal(size, most))
        fits = pc.and_(fits, pc.invert(pc.match_substring(column, "\0")))
    return pc.invert(pc.fill_null(fits, name not in REQUIRED))


def _nowhere(column: pa.Array) -> pa.Array:
    return pa.array(np.zeros(len(column), dtype=bool))


def _unbounded(embeddings: pa.Array) -> pa.Array:
    """Where an embedding is empty, too long, or holds something out of bounds or missing."""
    there = embeddings.is_valid().to_numpy(zero_copy_only=False)
    sizes = pc.fill_null(pc.list_value_length(embeddings), 0).to_numpy(zero_copy_only=False)
    wrong = there & ((sizes == 0) | (sizes > MAX_DIMENSIONS))
    inner = embeddings.flatten().to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    wrong[rows[~(np.abs(inner) <= MAX_COMPONENT)]] = True
    return pa.array(wrong)


def _values(name: str, column: pa.Array) -> list[Any]:
    if name == "at":
        column = column.cast(pa.int64())
    if name == EMBEDDING and pa.types.is_list(column.type):
        return [one.values.to_numpy() if one.is_valid else None for one in column]
    values: list[Any] = column.to_pylist()
    if name in OBJECTS:
        return [_object(value) for value in values]
    return values


def _object(value: Any) -> dict[str, Any] | None:
    """Of a map (pairs) or of a struct, in which what is absent is null."""
    if value is None:
        return None
    pairs = value.items() if isinstance(value, dict) else value
    return {name: one for name, one in pairs if one is not None}


def _faults(
    rows: pa.RecordBatch, columns: dict[str, pa.Array], wrong: dict[str, pa.Array], start: int
) -> list[Fault]:
    found: dict[int, str] = {}
    for name, mask in wrong.items():
        for row in pc.indices_nonzero(mask).to_pylist():
            found.setdefault(row, name)
    every = _raw(rows, range(len(rows)))
    ids = columns["record_id"]
    return [
        Fault(
            start + row,
            (ids[row].as_py() or "")[:MAX_NAME] or None,
            "unfit",
            f"{name}: is missing or out of bounds",
            every(row),
        )
        for row, name in sorted(found.items())
    ]


def _checked_objects(rows: pa.RecordBatch, kept: list[int]) -> dict[int, tuple[str, str]]:
    """Rows whose segments or features no record could have, by the rules of JSON records."""
    given = [name for name in rows.schema.names if name != EMBEDDING]  # checked as a column
    raw = _raw(rows.select(given), kept)
    faults = read_lines([raw(row) for row in range(len(kept))], 0).faults
    return {fault.place: (fault.code, fault.detail) for fault in faults}


def _raw(rows: pa.RecordBatch, places: Any) -> Callable[[int], bytes]:
    """A row as the JSON object that it could have come as."""

    def raw(index: int) -> bytes:
        row = rows.slice(places[index], 1).to_pylist()[0]
        given = {name: value for name, value in row.items() if value is not None}
        given |= {name: _object(given[name]) for name in OBJECTS if name in given}
        return msgspec.json.encode(given, enc_hook=str)

    return raw
