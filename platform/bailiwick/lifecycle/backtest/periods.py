"""Cutting time into days, weeks, months, quarters or years (UTC)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Unit(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"  # ISO 8601: from Monday
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Span:
    """A period from `start` up to and without `end`, and its rows in a frame ordered by time."""

    name: str
    start: datetime
    end: datetime
    first: int
    stop: int

    @property
    def rows(self) -> int:
        """How many rows are dated in it."""
        return self.stop - self.first


def spans_of(times: NDArray[np.datetime64], unit: Unit) -> tuple[Span, ...]:
    """The periods from the first to the last of ascending `times`, empty ones included.

    >>> [span.name for span in spans_of(np.array(["2023-12-31", "2024-01-01"], "M8[us]"),
    ...                                 Unit.QUARTER)]
    ['2023-Q4', '2024-Q1']
    """
    if not len(times):
        return ()
    edges = edges_between(_moment(times[0]), _moment(times[-1]), unit)
    naive = np.array([edge.replace(tzinfo=None) for edge in edges], "M8[us]")
    return _cut(edges, np.searchsorted(times, naive).tolist(), unit)


def edges_between(first: datetime, last: datetime, unit: Unit) -> list[datetime]:
    """Where the periods that hold `first` to `last` begin, and where the last of them ends."""
    edges = [begin_of(first, unit)]
    while edges[-1] <= last:
        edges.append(_next(edges[-1], unit))
    return edges


def _cut(edges: Sequence[datetime], rows: Sequence[int], unit: Unit) -> tuple[Span, ...]:
    return tuple(
        Span(_name(start, unit), start, end, first, stop)
        for start, end, first, stop in zip(edges, edges[1:], rows, rows[1:], strict=False)
    )


def _moment(time: np.datetime64) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(time.astype("int64")))


def begin_of(moment: datetime, unit: Unit) -> datetime:
    """When the period that `moment` (UTC) lies in began."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit is Unit.DAY:
        return day
    if unit is Unit.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1, month=(day.month - 1) // _MONTHS[unit] * _MONTHS[unit] + 1)


def _next(start: datetime, unit: Unit) -> datetime:
    if unit is Unit.DAY:
        return start + timedelta(days=1)
    if unit is Unit.WEEK:
        return start + timedelta(weeks=1)
    years, month = divmod(start.month - 1 + _MONTHS[unit], 12)
    return start.replace(year=start.year + years, month=month + 1)


def _name(start: datetime, unit: Unit) -> str:
    match unit:
        case Unit.DAY:
            return f"{start:%Y-%m-%d}"
        case Unit.WEEK:
            return f"{start:%G-W%V}"
        case Unit.MONTH:
            return f"{start:%Y-%m}"
        case Unit.QUARTER:
            return f"{start.year}-Q{(start.month + 2) // 3}"
        case Unit.YEAR:
            return f"{start.year}"
