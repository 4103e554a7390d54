"""Which windows a baseline is made of, and how long they are. Pure.

A deployment's first baseline is made as soon as seven days allow one, provisionally, and made anew
as more of the same first weeks are there, until it is full. From then on it stands: only a
promotion or a person brings another one.

Traffic is kept by the hour; windows are as long as it takes until most of them can be judged.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.baselines import Baseline, Window, fit_baseline
from bailiwick.monitoring.calibration import MIN_ROWS
from bailiwick.monitoring.hours import windows_of
from bailiwick.monitoring.shapes import Layout
from bailiwick.monitoring.summaries import Summary

LENGTHS_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)  # that divide a week
SPANS_DAYS = (7, 14, 28, 42, 56)
_JUDGED_RATIO = 0.5

Hours = Mapping[datetime, Summary]


def midnight(moment: datetime) -> datetime:
    """The start of its day: windows of every length begin there."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def next_midnight(moment: datetime) -> datetime:
    """The first midnight from a moment on."""
    start = midnight(moment)
    return start if start == moment else start + timedelta(days=1)


def longest_span(first: datetime, until: datetime) -> timedelta | None:
    """The longest of `SPANS_DAYS` from `first` that has ended by `until`."""
    ended = [days for days in SPANS_DAYS if first + timedelta(days=days) <= until]
    return timedelta(days=ended[-1]) if ended else None


def next_span(span: timedelta) -> timedelta | None:
    """The next longer one, after which a provisional baseline is made anew."""
    longer = [days for days in SPANS_DAYS if timedelta(days=days) > span]
    return timedelta(days=longer[0]) if longer else None


def window_length(hours: Hours, first: datetime, end: datetime) -> int:
    """The shortest window, in hours, of which at least half can be judged; else a day.

    >>> from datetime import UTC
    >>> busy = Summary("", 40, {}, {})
    >>> start = datetime(2026, 1, 1, tzinfo=UTC)
    >>> daytime = {start + timedelta(days=d, hours=h): busy for d in range(7) for h in range(8, 16)}
    >>> window_length(daytime, start, start + timedelta(days=7))
    3
    """
    for length in LENGTHS_HOURS:
        windows = list(windows_of(hours, first, end, timedelta(hours=length)))
        judged = sum(one is not None and one.rows >= MIN_ROWS for _, one in windows)
        if judged >= _JUDGED_RATIO * len(windows):
            return length
    return LENGTHS_HOURS[-1]


def fitted(
    layout: Layout,
    hours: Hours,
    first: datetime,
    end: datetime,
    *,
    window_hours: int | None,
    zone: str,
    count_requests: bool = False,
) -> Baseline:
    """The baseline of these hours; raises `Invalid` if they are too few."""
    length = window_hours or window_length(hours, first, end)
    windows: Sequence[Window] = [
        Window(start, summary)
        for start, summary in windows_of(hours, first, end, timedelta(hours=length))
        if summary is not None
    ]
    if not windows:
        raise Invalid("no traffic has come in yet; a baseline is made of windows of traffic")
    return fit_baseline(
        layout, windows, window_hours=length, zone=zone, count_requests=count_requests
    )
