"""Rows in order of time: the first months to learn from, the later ones to be played."""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bailiwick.core.errors import Invalid
from bailiwick.lineage.formats import open_table
from bailiwick.lineage.rows import RowSpec, compose_text, ingest

MAX_BYTES = 2 * 1024**3
MONTHS_PER_QUARTER = 3
MIN_QUARTERS = 2


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what."""

    text: tuple[str, ...]
    label: str
    date: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row to be played: its place in the file names it."""

    record_id: str
    at: datetime
    features: Mapping[str, str]
    label: str


@dataclass(frozen=True, slots=True)
class Month:
    """The rows of one month, and when it ends."""

    end: datetime
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Quarter:
    """A period of the result."""

    name: str
    end: datetime
    months: tuple[Month, ...]

    @property
    def rows(self) -> int:
        """How many rows are played."""
        return sum(len(month.rows) for month in self.months)


@dataclass(frozen=True, slots=True)
class Traffic:
    """The file of the first months as it would have arrived then, and the quarters after it."""

    history: Path
    history_end: datetime
    quarters: tuple[Quarter, ...]
    columns: Columns


def load_traffic(
    source: Path,
    columns: Columns,
    folder: Path,
    *,
    history_quarters: int,
    rows_per_quarter: int,
    seed: int,
) -> Traffic:
    """Split a file by time.

    Of each later quarter at most `rows_per_quarter` rows are played, a seeded sample. The
    history keeps the source's unusable rows, so that registering it shows them.
    """
    spec = RowSpec(text=columns.text, label=columns.label, date=columns.date)
    ingested = ingest(source, spec, folder, max_bytes=MAX_BYTES)
    rows = pq.read_table(ingested.accepted_path).sort_by("time").to_pylist()
    starts = sorted({_quarter_start(row["time"]) for row in rows})
    if len(starts) < history_quarters + MIN_QUARTERS:
        raise Invalid(
            f"the demo needs at least {history_quarters + MIN_QUARTERS} quarters of rows, this "
            f"file has {len(starts)}; give a file that spans more time"
        )
    cut = starts[history_quarters]
    history = folder / "history.csv"
    first = [row for row in rows if row["time"] < cut]
    _write_history(history, source, first, columns.date, ingested.rejected_path)
    later = [
        Row(
            record_id=f"row-{place}",
            at=row["time"],
            features={name: row[name] for name in columns.text},
            label=row[columns.label],
        )
        for place, row in enumerate(rows)
        if row["time"] >= cut and compose_text(row, columns.text)
    ]
    quarters = _quarters(later, rows_per_quarter, np.random.default_rng(seed))
    return Traffic(history, cut, tuple(quarters), columns)


def _write_history(
    path: Path, source: Path, rows: list[dict[str, Any]], date: str, rejected: Path
) -> None:
    """The columns in the source's own order, so that its unusable rows fit in as they are."""
    with ExitStack() as stack:
        names = list(open_table(source, MAX_BYTES, stack).header)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        for row in rows:
            named = row | {date: row["time"].isoformat()}
            writer.writerow(named[name] for name in names)
        with rejected.open(encoding="utf-8") as lines:
            writer.writerows(json.loads(line)["raw"] for line in lines)


def _quarters(
    rows: list[Row], rows_per_quarter: int, generator: np.random.Generator
) -> Iterator[Quarter]:
    starts = sorted({_quarter_start(row.at) for row in rows})
    for start in starts:
        end = _months_after(start, MONTHS_PER_QUARTER)
        chosen = [row for row in rows if start <= row.at < end]
        if len(chosen) > rows_per_quarter:
            places = np.sort(generator.choice(len(chosen), rows_per_quarter, replace=False))
            chosen = [chosen[place] for place in places]
        months = []
        for number in range(MONTHS_PER_QUARTER):
            first, last = _months_after(start, number), _months_after(start, number + 1)
            months.append(Month(last, tuple(row for row in chosen if first <= row.at < last)))
        name = f"{start.year} Q{(start.month - 1) // MONTHS_PER_QUARTER + 1}"
        yield Quarter(name, end, tuple(months))


def _quarter_start(moment: datetime) -> datetime:
    month = (moment.month - 1) // MONTHS_PER_QUARTER * MONTHS_PER_QUARTER + 1
    return datetime(moment.year, month, 1, tzinfo=UTC)


def _months_after(start: datetime, months: int) -> datetime:
    month = start.month - 1 + months
    return datetime(start.year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
