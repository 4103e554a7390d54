"""Dated text rows: from a file that somebody sent to one canonical, digested Parquet file.

Whole-file faults are refused, faulty rows are set aside with their line and reason, and what
is left is written in one form, whatever the source looked like. Training and predict both form
a row's text with `compose_text`, so that a model is asked what it was taught.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from bailiwick.core.errors import Invalid, NotFound, Unavailable
from bailiwick.lineage.canonical_rows import TIME_COLUMN, CanonicalFile, ColumnSchema, Layout
from bailiwick.lineage.dates import SlashedDates, microseconds_of, moment_of
from bailiwick.lineage.formats import open_table
from bailiwick.lineage.headers import columns_of
from bailiwick.lineage.quarantine import MAX_FIELD_CHARACTERS, Quarantine, Reason, RejectedRow

__all__ = ["TIME_COLUMN", "Ingested", "RowSpec", "compose_text", "ingest"]

_HEADER_SEARCH_ROWS = 60
# More wrongly ordered dates than this are no slips: the others are misread without a sign.
_MAX_DATE_ORDER_RATIO = 0.05


@dataclass(frozen=True, slots=True)
class RowSpec:
    """Which columns hold the text, the label and the date, and how slashed dates are read."""

    text: tuple[str, ...]
    label: str
    date: str
    slashed_dates: SlashedDates = "day-first"

    def __post_init__(self) -> None:
        names = (*self.text, self.label, self.date)
        if not self.text or not all(names) or len(set(names)) < len(names):
            raise Invalid(
                "Name at least one text column, a label column and a date column, each different."
            )


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came out of one file.

    `rows` counts accepted rows, so `rows + rejected` is every data row of the source (blank
    lines are no rows). `duplicates` counts accepted rows that repeat an earlier one in every
    field: legal, since the same purchase happens twice. `labels` counts distinct labels.

    `content_digest` is the SHA-256 of the RFC 8785 form of `[columns, row, row, ...]`, each row
    an array in the order of `columns` with its time in microseconds since 1970: the same rows
    in the same order give the same digest from CSV, gzip or Parquet, under any writer version.
    `source_digest` is the SHA-256 of the bytes that were sent.
    """

    accepted_path: Path
    rejected_path: Path
    rows: int
    rejected: int
    duplicates: int
    reasons: dict[str, int]
    schema: list[ColumnSchema]
    columns: tuple[str, ...]
    content_digest: str
    source_digest: str
    first_time: datetime
    last_time: datetime
    labels: int


def compose_text(row: Mapping[str, str], columns: Sequence[str]) -> str:
    """The text of a row: its `columns` in order, white space collapsed, joined by ` | `.

    An empty value keeps its place, so that a field's position means the same in every row.
    Raises `KeyError` for a column that `row` lacks.

    >>> compose_text({"merchant": " bp   connect ", "cost_centre": "Fleet"},
    ...              ("merchant", "cost_centre"))
    'bp connect | Fleet'
    """
    return " | ".join(" ".join(row[column].split()) for column in columns)


def ingest(
    source: Path,
    spec: RowSpec,
    into: Path,
    *,
    max_bytes: int,
    max_rejected_ratio: float = 0.05,
    not_after: datetime | None = None,
) -> Ingested:
    """Sort the rows of `source` (CSV, gzipped CSV, Parquet) into accepted and rejected ones.

    Writes `accepted.parquet` and `rejected.ndjson` into the folder `into`, both or neither.
    The canonical file has `time` (timestamp[us, UTC]), the text columns, the label (white space
    collapsed) and then all other columns, as strings. Rows dated after `not_after` are rejected.
    Streams: memory does not grow with the file, but for 8 bytes a row. Raises `NotFound`,
    `Invalid` or `TooLarge` for a file that cannot be used, `Unavailable` if writing failed.
    """
    if not source.exists():
        raise NotFound(f"There is no file {source.name}: check the path.")
    if not source.is_file():
        raise Invalid(f"{source.name} is not a file: name one CSV or Parquet file.")
    try:
        with _staged(into, "accepted.parquet", "rejected.ndjson") as (accepted, rejected):
            canonical, quarantine, unit = _sort(
                source, spec, accepted, rejected, max_bytes, not_after
            )
            _refuse_too_many(canonical.rows, quarantine, unit, max_rejected_ratio)
        with source.open("rb") as file:
            source_digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unavailable(
            f"The rows could not be read or stored ({error.strerror or type(error).__name__}): "
            "nothing was kept. Check free space and permissions, then try again."
        ) from error
    first, last = canonical.first_last
    return Ingested(
        accepted_path=into / "accepted.parquet",
        rejected_path=into / "rejected.ndjson",
        rows=canonical.rows,
        rejected=quarantine.total,
        duplicates=canonical.duplicates,
        reasons={str(reason): count for reason, count in quarantine.counts.items()},
        schema=canonical.schema(),
        columns=canonical.columns,
        content_digest=canonical.digest(),
        source_digest=source_digest,
        first_time=moment_of(first),
        last_time=moment_of(last),
        labels=len(canonical.labels),
    )


@contextmanager
def _staged(into: Path, *names: str) -> Iterator[list[Path]]:
    """Paths to write to, that take their `names` in `into` only if all went well."""
    into.mkdir(parents=True, exist_ok=True)
    staged = [into / f".{name}.part" for name in names]
    try:
        yield staged
        for path, name in zip(staged, names, strict=True):
            path.replace(into / name)
    finally:
        for path in staged:
            path.unlink(missing_ok=True)


def _sort(
    source: Path,
    spec: RowSpec,
    accepted: Path,
    rejected: Path,
    max_bytes: int,
    not_after: datetime | None,
) -> tuple[CanonicalFile, Quarantine, str]:
    """Read every row of `source` and write it to one of the two files."""
    with ExitStack() as stack:
        table = open_table(source, max_bytes, stack)
        wanted = (*spec.text, spec.label, spec.date)
        following = ((line, fields) for line, fields, _ in islice(table.rows, _HEADER_SEARCH_ROWS))
        names = columns_of(table.header, wanted, following)
        layout = Layout.of(names, spec.text, spec.label, spec.date)
        quarantine = Quarantine(stack.enter_context(rejected.open("w", encoding="utf-8")))
        canonical = CanonicalFile(accepted, layout)
        stack.callback(canonical.close)
        judge = _judge(layout, spec.slashed_dates, not_after)
        for line, fields, fault in table.rows:
            verdict = fault or judge(fields)
            if isinstance(verdict, Reason):
                quarantine.add(RejectedRow(line, verdict, fields))
            else:
                canonical.add(verdict, fields)
    return canonical, quarantine, table.unit


def _judge(
    layout: Layout, slashed: SlashedDates, not_after: datetime | None
) -> Callable[[list[str]], int | Reason]:
    """The function from a row's fields to its time in microseconds, or what is wrong with it."""
    width, date, label, text = len(layout.names), layout.date, layout.label, layout.text
    latest = None if not_after is None else microseconds_of(not_after.isoformat(), slashed)

    def judge(fields: list[str]) -> int | Reason:
        if fault := _misshapen(fields, width):
            return fault
        time = microseconds_of(fields[date], slashed)
        if isinstance(time, Reason):
            return time
        if isinstance(latest, int) and time > latest:
            return Reason.DATE_FUTURE
        if not fields[label].strip():
            return Reason.LABEL
        return time if any(fields[place].strip() for place in text) else Reason.TEXT

    return judge


def _misshapen(fields: list[str], width: int) -> Reason | None:
    if len(fields) != width:
        return Reason.FIELDS
    whole = "".join(fields)
    if len(whole) > MAX_FIELD_CHARACTERS and max(map(len, fields)) > MAX_FIELD_CHARACTERS:
        return Reason.LONG
    return Reason.NUL if "\0" in whole else None


def _refuse_too_many(accepted: int, quarantine: Quarantine, unit: str, limit_ratio: float) -> None:
    """Raise `Invalid` when the file as a whole is not what it was said to be."""
    rejected, total = quarantine.total, accepted + quarantine.total
    if total == 0:
        raise Invalid("The file has a header and no rows: nothing was registered.")
    reasons = {str(reason): count for reason, count in quarantine.counts.items()}
    wrong_order = quarantine.counts[Reason.DATE_ORDER]
    if wrong_order > _MAX_DATE_ORDER_RATIO * total:
        raise Invalid(
            f"{wrong_order:,} of {total:,} rows have dates like 12/31/2024 in the other order of "
            "day and month than assumed, so the rest would be misread: write dates as "
            "2024-12-31, or state the order (slashed_dates).",
            reasons=reasons,
        )
    if accepted == 0 or rejected > limit_ratio * total:
        share = "Every row" if accepted == 0 else f"{rejected:,} of {total:,} rows"
        raise Invalid(
            f"{share} had to be set aside, more than the allowed {limit_ratio:.1%}: "
            f"{quarantine.summary(unit)}. Check the columns you named and the file, or raise "
            "max_rejected_ratio.",
            reasons=reasons,
        )
