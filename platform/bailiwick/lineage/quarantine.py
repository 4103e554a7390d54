"""Rows that cannot be learned from: why, where, and the file that keeps them.

A rejected row is never dropped silently: it is counted under its reason, shown by its line
number, and kept word for word in an NDJSON file that is as confidential as its source.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TextIO

MAX_FIELD_CHARACTERS = 10_000
_SHOWN = 5


class Reason(StrEnum):
    """Why a row was set aside. The values are read by people and counted by reports."""

    FIELDS = "wrong number of fields"
    QUOTES = "quotes that do not close properly"
    NUL = "NUL byte"
    LONG = f"field longer than {MAX_FIELD_CHARACTERS:,} characters"
    DATE_MISSING = "date missing"
    DATE_UNREADABLE = "date not understood"
    DATE_ORDER = "date in the other order of day and month"
    DATE_OUT_OF_RANGE = "date before 1900 or after 2199"
    DATE_FUTURE = "date in the future"
    LABEL = "label empty"
    TEXT = "text empty"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row set aside.

    `line` is the 1-based physical line on which the row starts (in Parquet: the row's number).
    `raw` may be confidential: it goes to the quarantine file and nowhere else.
    """

    line: int
    reason: Reason
    raw: list[str] = field(repr=False)


class Quarantine:
    """Writes rejected rows to `file` as NDJSON `{"line", "reason", "raw"}` and counts them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.counts: Counter[Reason] = Counter()
        self.first: list[RejectedRow] = []

    def add(self, row: RejectedRow) -> None:
        """Keep `row` aside."""
        self.counts[row.reason] += 1
        if len(self.first) < _SHOWN:
            self.first.append(row)
        record = {"line": row.line, "reason": row.reason, "raw": row.raw}
        # ASCII: some readers take U+0085 or U+2028 inside a value for the end of a line.
        self._file.write(json.dumps(record) + "\n")

    @property
    def total(self) -> int:
        """How many rows were set aside."""
        return self.counts.total()

    def summary(self, unit: str) -> str:
        """The first rows with their reasons, in words, without any of their text."""
        return "; ".join(f"{unit} {row.line}: {row.reason}" for row in self.first)
