"""A clock that all processes of one installation share: a file that tests move."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path


@dataclass(frozen=True)
class FileClock:
    """Stands still at the moment that its file holds; unlike time itself it may be set back."""

    path: Path

    def now(self) -> datetime:
        """The moment in the file."""
        return datetime.fromisoformat(self.path.read_text())

    def set(self, moment: datetime) -> None:
        """Move to `moment`; whoever reads meanwhile sees one of the two."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(moment.isoformat())
        fresh.replace(self.path)

    def move(self, by: timedelta) -> None:
        """Move on, or back."""
        self.set(self.now() + by)

    def advance_to(self, moment: datetime) -> None:
        """Move on to `moment`, never back, like a replay's clock."""
        self.set(max(self.now(), moment))
