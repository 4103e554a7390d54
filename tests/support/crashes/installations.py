"""One installation on disk and in a database, as each process of a test opens it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bailiwick.core.settings import Settings
from bailiwick.lifecycle import Platform, open_platform
from support.crashes.clocks import FileClock
from support.crashes.disks import make_room
from support.hashing import cheap_hasher

LEASE_SECONDS = 60


@dataclass(frozen=True)
class Installation:
    """Where its files and its database are; processes are told no more than that."""

    home: Path
    database_url: str
    disk: Path | None = None  # of its own, with its home and its database

    @property
    def clock(self) -> FileClock:
        """What time it is in it."""
        return FileClock(self.home / "now")

    @property
    def struck(self) -> Path:
        """Where faults leave a mark."""
        return self.home / "struck"

    @property
    def request(self) -> Path:
        """Where the request is written down that clients send."""
        return self.home / "request.json"

    @property
    def log(self) -> Path:
        """What its processes said."""
        return self.home / "processes.log"

    def open(self) -> Platform:
        """As a process does at its start."""
        settings = Settings(
            home=self.home,
            database_url=self.database_url,
            threads=1,
            lease_seconds=LEASE_SECONDS,
        )
        return replace(open_platform(settings, self.clock), hasher=cheap_hasher())

    def make_room(self) -> None:
        """On its disk, if it has been filled."""
        if self.disk is not None:
            make_room(self.disk)

    def copied(self, home: Path, database_url: str, *, disk: Path | None = None) -> "Installation":
        """Its files again in `home`, for a copy of its database."""
        shutil.copytree(self.home, home)
        return Installation(home, database_url, disk)


@contextmanager
def opened(installation: Installation) -> Iterator[Platform]:
    """The installation as the test itself looks at it; nobody stays connected."""
    platform = installation.open()
    try:
        yield platform
    finally:
        platform.close()
