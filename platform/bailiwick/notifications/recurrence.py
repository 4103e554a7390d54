"""Times that come back every week, by the clock on the wall of some place. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bailiwick.core.errors import Invalid

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Weekly:
    """From `begins` to `ends` of the wall clock in `zone`, on days that begin on `weekdays`.

    An end that is no later than the beginning is on the next day. When clocks are changed, a
    time that does not exist moves by the change (02:30 becomes 03:30), and of a time that comes
    twice the beginning is the first and the end the second: nothing is cut short.
    """

    weekdays: frozenset[str]
    begins: time
    ends: time
    zone: str

    def __post_init__(self) -> None:
        if not self.weekdays or not self.weekdays <= set(WEEKDAYS):
            raise Invalid(f"name one or more weekdays: {', '.join(WEEKDAYS)}")
        if self.begins.tzinfo or self.ends.tzinfo:
            raise Invalid("write the hours without an offset; the zone says what they mean")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Invalid(
                f"there is no time zone {self.zone!r}; take one like Europe/London"
            ) from error

    def around(self, at: datetime) -> tuple[datetime, datetime] | None:
        """The period (UTC, end excluded) that `at` lies in, if it lies in one.

        >>> nights = Weekly(frozenset({"friday"}), time(22), time(2), "Europe/London")
        >>> [str(end) for end in nights.around(datetime(2026, 1, 3, 1, tzinfo=UTC))]
        ['2026-01-02 22:00:00+00:00', '2026-01-03 02:00:00+00:00']
        >>> nights.around(datetime(2026, 1, 3, 2, tzinfo=UTC))
        """
        today = at.astimezone(ZoneInfo(self.zone)).date()
        # A night's change of clocks cannot move a period by more than one day.
        for day in (today, today - DAY, today + DAY):
            if WEEKDAYS[day.weekday()] in self.weekdays:
                start, end = self._on(day)
                if start <= at < end:
                    return start, end
        return None

    def _on(self, day: date) -> tuple[datetime, datetime]:
        zone = ZoneInfo(self.zone)
        last = day + DAY if self.ends <= self.begins else day
        start = datetime.combine(day, self.begins, zone).replace(fold=0)
        end = datetime.combine(last, self.ends, zone).replace(fold=int(_is_twice(last, self, zone)))
        return start.astimezone(UTC), end.astimezone(UTC)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "weekdays": [day for day in WEEKDAYS if day in self.weekdays],
            "begins": self.begins.isoformat("minutes"),
            "ends": self.ends.isoformat("minutes"),
            "zone": self.zone,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(
            frozenset(data["weekdays"]),
            time.fromisoformat(data["begins"]),
            time.fromisoformat(data["ends"]),
            data["zone"],
        )


def _is_twice(day: date, weekly: Weekly, zone: ZoneInfo) -> bool:
    """Whether the end's time comes twice on that day; in a gap, fold would mean the opposite."""
    first = datetime.combine(day, weekly.ends, zone).replace(fold=0)
    offsets = first.utcoffset(), first.replace(fold=1).utcoffset()
    return offsets[0] is not None and offsets[1] is not None and offsets[0] > offsets[1]
