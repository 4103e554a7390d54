"""Reading the date of a row: ISO 8601, or slashed dates in one stated order.

`03/04/2021` is two different days to two readers, so nothing is guessed row by row: a file is
read day first unless its `RowSpec` says month first. A slashed date that only makes sense in
the other order is rejected and told apart, so that a file read in the wrong order is noticed.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from bailiwick.lineage.quarantine import Reason

SlashedDates = Literal["day-first", "month-first"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Outside these years a date is a typing error; inside, microseconds fit in 53 bits (RFC 8785).
_YEARS = range(1900, 2200)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_SLASHED = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.ASCII
)


# A month of feed holds few distinct dates: the cache is what makes 100,000 rows a second easy.
@lru_cache(maxsize=65_536)
def microseconds_of(text: str, slashed: SlashedDates) -> int | Reason:
    """Microseconds since 1970-01-01T00:00Z, or why `text` is not a usable date.

    A time without an offset is UTC; a date without a time is its midnight in UTC.

    >>> microseconds_of("1970-01-02", "day-first") == 24 * 60 * 60 * 1_000_000
    True
    >>> microseconds_of("02/01/1970", "day-first") == microseconds_of("1970-01-02", "day-first")
    True
    >>> microseconds_of("01/13/1970", "day-first").value
    'date in the other order of day and month'
    """
    text = text.strip()
    if not text:
        return Reason.DATE_MISSING
    if slash := _SLASHED.fullmatch(text):
        return _slashed(slash, slashed)
    try:
        moment = datetime.fromisoformat(text) if _ISO.match(text) else None
    except ValueError:
        moment = None
    return Reason.DATE_UNREADABLE if moment is None else _since_epoch(moment)


def _slashed(match: re.Match[str], order: SlashedDates) -> int | Reason:
    first, second, year, hour, minute, second_of_minute = (
        int(part or 0) for part in match.groups()
    )
    day, month = (first, second) if order == "day-first" else (second, first)
    if month > 12 >= day:  # noqa: PLR2004 - months of a year
        return Reason.DATE_ORDER
    try:
        moment = datetime(year, month, day, hour, minute, second_of_minute, tzinfo=UTC)
    except ValueError:
        return Reason.DATE_UNREADABLE
    return _since_epoch(moment)


def _since_epoch(moment: datetime) -> int | Reason:
    if moment.year not in _YEARS:
        return Reason.DATE_OUT_OF_RANGE
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """The UTC moment that lies `microseconds` after 1970-01-01T00:00Z."""
    return _EPOCH + microseconds * _MICROSECOND
