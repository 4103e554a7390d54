"""One record as clients send it, many of them as columns, and why one cannot be used."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bailiwick.monitoring.moments import microseconds

MAX_NAME, MAX_TEXT = 200, 10_000
MAX_COUNT = 2**31 - 1
MAX_SEGMENTS, MAX_FEATURES = 8, 40
MAX_TEXT_KEY, MAX_DIMENSIONS, MAX_COMPONENT = 64, 4_096, 1e6
MAX_ENTROPY = 100  # nats: of more labels than there are atoms
LANGUAGE = r"^[a-z]{2,3}$"
SEGMENT_NAME = r"^[a-z][a-z0-9_]{0,39}$"

Short = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Feature = Annotated[float, Meta(ge=-1e15, le=1e15)] | Annotated[str, Meta(max_length=200)] | None
SegmentName = Annotated[str, Meta(pattern=SEGMENT_NAME)]
TextKey = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_KEY)]
Component = Annotated[float, Meta(ge=-MAX_COMPONENT, le=MAX_COMPONENT)]
SegmentValue = Annotated[str, Meta(max_length=100)]


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """A request that was answered elsewhere by a version of ours.

    `subject` and `join_key` are hashed on arrival, `text_key` and `form_key` too; `text` is only
    for a deployment that keeps it, and where it is not kept, the categories among the `features`
    are hashed. Of an `embedding` eight numbers are kept (`embeddings`).
    """

    record_id: Short
    at: Annotated[datetime, Meta(tz=True)]
    prediction: Short
    confidence: Ratio | None = None
    characters: Count | None = None
    words: Count | None = None
    unseen_words_ratio: Ratio | None = None
    text: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None
    latency_ms: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    tokens: Count | None = None
    mean_log_probability: Annotated[float, Meta(ge=-1e6, le=0)] | None = None
    segments: Annotated[dict[SegmentName, SegmentValue], Meta(max_length=MAX_SEGMENTS)] | None = (
        None
    )
    features: Annotated[dict[SegmentName, Feature], Meta(max_length=MAX_FEATURES)] | None = None
    subject: Short | None = None
    join_key: Short | None = None
    tokens_per_word: Annotated[float, Meta(ge=0, le=MAX_TEXT)] | None = None
    non_letter_ratio: Ratio | None = None
    language: Annotated[str, Meta(pattern=LANGUAGE)] | None = None
    text_key: TextKey | None = None
    form_key: TextKey | None = None
    embedding: Annotated[list[Component], Meta(min_length=1, max_length=MAX_DIMENSIONS)] | None = (
        None
    )
    entropy: Annotated[float, Meta(ge=0, le=MAX_ENTROPY)] | None = None
    refusal: bool | None = None
    repetition_ratio: Ratio | None = None


FIELDS = Record.__struct_fields__
REQUIRED = ("record_id", "at", "prediction")
SCHEMA: dict[str, Any] = msgspec.json.schema_components([Record], ref_template="{name}")[1][
    "Record"
]

_decoder = msgspec.json.Decoder(Record)
_values = attrgetter(*FIELDS)
# Names of fields and numbers; a key of a mapping is written `[...]`.
_PLACE = re.compile(r" - at (?:`key` in )?`\$\.?([a-z_.\[\]0-9]*)`")
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_NUL = b"\\u0000"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the record at `place` of its request was not taken. Nothing of its text is told."""

    place: int
    record_id: str | None
    code: str
    detail: str
    raw: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the record as it came."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """Records by columns, equally long: what is stored, summarised and archived.

    `at` is in microseconds since 1970; `places` are those in the request; `raw` gives the bytes
    of a row as they came; `faults` are the rows that could not be read.
    """

    columns: Mapping[str, Sequence[Any]]
    places: Sequence[int]
    raw: Callable[[int], bytes]
    faults: list[Fault] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.places)

    @property
    def rows(self) -> int:
        """With those that could not be read."""
        return len(self.places) + len(self.faults)

    def without(self, faults: Mapping[int, tuple[str, str]]) -> "Batch":
        """The batch with some rows (index: code and detail) turned away."""
        if not faults:
            return self
        kept = [row for row in range(len(self)) if row not in faults]
        found = [
            Fault(self.places[row], self.columns["record_id"][row], *why, self.raw(row))
            for row, why in faults.items()
        ]
        raw = self.raw
        return Batch(
            {name: [values[row] for row in kept] for name, values in self.columns.items()},
            [self.places[row] for row in kept],
            lambda row: raw(kept[row]),
            self.faults + found,
        )


def read_lines(lines: Sequence[bytes | msgspec.Raw], start: int) -> Batch:
    """A batch of JSON objects; the first has place `start`."""
    records: list[Record] = []
    places: list[int] = []
    faults: list[Fault] = []
    decode = _decoder.decode
    for place, line in enumerate(lines, start):
        try:
            record = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            faults.append(_unreadable(place, bytes(line), error))
            continue
        records.append(record)
        places.append(place)
    columns = columns_of(records)
    batch = Batch(columns, places, lambda row: bytes(lines[places[row] - start]), faults)
    suspects = [row for row, place in enumerate(places) if _NUL in bytes(lines[place - start])]
    return batch.without(_with_nul(columns, suspects))


def columns_of(records: Collection[Record]) -> dict[str, Sequence[Any]]:
    """The columns of records."""
    columns: Iterable[Sequence[Any]] = zip(*map(_values, records), strict=True)
    by_name: dict[str, Sequence[Any]] = dict(zip(FIELDS, columns, strict=True)) if records else {}
    by_name = by_name or dict.fromkeys(FIELDS, ())
    by_name["at"] = microseconds(by_name["at"])
    return by_name


def _with_nul(columns: Mapping[str, Sequence[Any]], rows: list[int]) -> dict[int, tuple[str, str]]:
    """Those of the rows that hold a NUL character, which no database keeps."""
    found = {}
    for row in rows:
        values = [columns[name][row] for name in FIELDS]
        given = (columns[name][row] for name in ("segments", "features"))
        inner = [value for one in given if one for value in one.values()]
        if any("\0" in value for value in [*values, *inner] if isinstance(value, str)):
            found[row] = ("unstorable", "a text holds a NUL character")
    return found


def _unreadable(place: int, raw: bytes, error: Exception) -> Fault:
    record_id = None
    if isinstance(error, msgspec.ValidationError):
        code, detail = "unfit", worded(str(error))
        record_id = _record_id(raw)
    else:
        code, detail = "malformed", "this is no JSON object"
    return Fault(place, record_id, code, detail, raw)


def _record_id(raw: bytes) -> str | None:
    """Of a record that does not fit, if it can be told."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # worse faults after the first
        return None
    given = found.get("record_id") if isinstance(found, dict) else None
    return given[:MAX_NAME] if isinstance(given, str) else None


def worded(message: str) -> str:
    """Msgspec's words, which quote no values; a name that can be no field's may be a text."""
    if message.startswith("Object contains unknown field"):
        name = message.partition("`")[2].partition("`")[0]
        shown = name if _SAFE_NAME.fullmatch(name) else "…"
        return f"{shown}: no field of a record"
    if message.startswith("Object missing required field"):
        return f"{message.partition('`')[2].partition('`')[0]}: is missing"
    place = _PLACE.search(message)
    what = message.split(" - at ", maxsplit=1)[0].replace("`", "")
    name = place.group(1) if place else ""
    return f"{name}: {what}" if name else what
