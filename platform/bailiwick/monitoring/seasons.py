"""The weekly rhythm of traffic as a linear model: harmonics of the day and week, and a weekend.

Columns, in this order: constant; cosine and sine of 1 to 4 cycles a day; cosine and sine of 1 to
3 cycles a week; weekend; the daily pairs once more at weekends. Periods shorter than two windows
cannot be seen and are left out, and so is whatever the baseline is too short to tell apart: the
day below 4 days, the week below 14, daily harmonics of their own at weekends below 28.

Assumes that one week looks like the next in the deployment's own time zone.
NOT guaranteed: holidays, pay days, months and years are not in the model. Edges sharper than a
quarter of a day remain as residuals, which the long-run variance measures and pays for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid

Array = NDArray[np.float64]

HOURS_PER_DAY, HOURS_PER_WEEK = 24.0, 168.0
DAILY_HARMONICS, WEEKLY_HARMONICS = 4, 3
_FRIDAY_MIDNIGHT = 120.0  # hours after the start of Monday
_DAYS_FOR = {"day": 4.0, "week": 14.0, "weekend day": 28.0}


def hours_of_week(starts: Sequence[datetime], *, zone: str, window_hours: float) -> Array:
    """Hours from local Monday 00:00 to the middle of each window, in [0, 168): shape (T,).

    Local wall-clock time, so that people's habits keep their hour when clocks change. Raises
    `Invalid` for a zone that does not exist and for moments without one.

    >>> from datetime import UTC
    >>> hours_of_week([datetime(2026, 7, 6, 6, tzinfo=UTC)], zone="Europe/Paris", window_hours=1)
    array([8.5])
    """
    if any(start.tzinfo is None for start in starts):
        raise Invalid("The start of a window must carry its time zone, for instance UTC.")
    clock = clock_of(zone)
    local = [start.astimezone(clock) for start in starts]
    hours = [at.weekday() * 24 + at.hour + at.minute / 60 + at.second / 3600 for at in local]
    return np.mod(np.array(hours, dtype=np.float64) + window_hours / 2, HOURS_PER_WEEK)


def clock_of(zone: str) -> ZoneInfo:
    """The time zone of that name, or `Invalid`."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise Invalid(f"{zone!r} is no time zone; name one such as Europe/Berlin.") from unknown


@dataclass(frozen=True, slots=True)
class Season:
    """Which cycles a baseline of some span and window length can tell apart."""

    daily: int
    weekly: int
    weekend: bool
    weekend_daily: bool

    @classmethod
    def identifiable(cls, *, window_hours: float, days: float) -> "Season":
        """The richest season that `days` of windows can hold; none of it below 4 days.

        >>> Season.identifiable(window_hours=24, days=28)
        Season(daily=0, weekly=3, weekend=False, weekend_daily=False)
        >>> Season.identifiable(window_hours=1, days=7)
        Season(daily=4, weekly=0, weekend=False, weekend_daily=False)
        """
        daily = weekly = 0
        if days >= _DAYS_FOR["day"]:
            daily = _visible(DAILY_HARMONICS, HOURS_PER_DAY, window_hours)
        if days >= _DAYS_FOR["week"]:
            weekly = _visible(WEEKLY_HARMONICS, HOURS_PER_WEEK, window_hours)
        # From daily windows three weekly cycles already make every day of the week its own.
        weekend = weekly > 0 and window_hours < HOURS_PER_DAY
        own_day = weekend and daily > 0 and days >= _DAYS_FOR["weekend day"]
        return cls(daily, weekly, weekend, own_day)

    def design(self, hours: Array) -> Array:
        """The regressors at `hours` of the week, shape (T,): shape (T, columns)."""
        daily = _waves(hours, HOURS_PER_DAY, self.daily)
        columns = [np.ones((hours.size, 1)), daily, _waves(hours, HOURS_PER_WEEK, self.weekly)]
        if self.weekend:
            weekend = (hours >= _FRIDAY_MIDNIGHT).astype(np.float64)[:, None]
            columns.append(weekend)
            if self.weekend_daily:
                columns.append(weekend * daily)
        return np.concatenate(columns, axis=1)

    def frequencies(self, window_hours: float) -> Array:
        """The cycles a window that the season takes out of a series, besides 0."""
        week = window_hours / HOURS_PER_WEEK
        own = self.column_frequencies(window_hours)[1:]
        if not self.weekend_daily:
            return own
        # A day that is another one at weekends also has cycles a week or two beside the day's.
        day = window_hours / HOURS_PER_DAY
        return np.concatenate([own, [day + turn * week for turn in (-2, -1, 1, 2)]])

    def column_frequencies(self, window_hours: float) -> Array:
        """Cycles a window of each column of the design; 0 for the constant."""
        day, week = window_hours / HOURS_PER_DAY, window_hours / HOURS_PER_WEEK
        daily = np.tile(day * np.arange(1, self.daily + 1), 2)
        weekly = np.tile(week * np.arange(1, self.weekly + 1), 2)
        at_weekends = [np.array([week])] if self.weekend else []
        at_weekends += [daily] if self.weekend_daily else []
        return np.concatenate([np.zeros(1), daily, weekly, *at_weekends])

    def column_groups(self) -> NDArray[np.intp]:
        """What stands or falls together: 0 constant, 1 day, 2 week, 3 the day at weekends."""
        counts = (1, 2 * self.daily, 2 * self.weekly + self.weekend)
        return np.repeat(np.arange(4), [*counts, 2 * self.daily * self.weekend_daily])


def _visible(harmonics: int, period: float, window_hours: float) -> int:
    return sum(period / cycles > 2 * window_hours for cycles in range(1, harmonics + 1))


def _waves(hours: Array, period: float, harmonics: int) -> Array:
    angles = 2 * np.pi / period * np.outer(hours, np.arange(1, harmonics + 1))
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
