"""Time is passed in: live code reads the system clock, a replay moves its own."""

import threading
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Whatever can say what time it is (timezone-aware, UTC)."""

    def now(self) -> datetime:
        """The current moment in UTC."""
        ...


def month_of(at: datetime) -> datetime:
    """When the calendar month of a moment began."""
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current moment in UTC."""
        return datetime.now(UTC)


class ReplayClock:
    """A clock that stands still until it is moved, and never goes back. Thread-safe."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The moment the replay has reached."""
        with self._lock:
            return self._now

    def advance_to(self, moment: datetime) -> None:
        """Move forward to `moment`; moments in the past are ignored."""
        with self._lock:
            self._now = max(self._now, moment.astimezone(UTC))
