"""A client's process that logs until its disk is full, and is killed then.

What it was told to be taken stands in a file that had its room before.
"""

import json
import os
import signal
import sys
from pathlib import Path

from bailiwick.client.errors import NotReachable
from bailiwick.client.recorder import Recorder
from bailiwick.client.shapes import Taken
from bailiwick.client.spool import SpoolFull
from support.crashes.disks import ROOM_BYTES, fill

TAKEN = "taken"
TAKEN_BYTES = 64_000


def log_until_full(recorder: Recorder) -> list[str]:
    """The ids that it was given before the spool said that it takes no more."""
    taken = []
    while True:
        try:
            taken.append(recorder.log("Fuel", features={"text": "x" * 300}))
        except SpoolFull as full:
            if "No space left" in str(full) or "disk is full" in str(full):
                return taken
            raise


def away(_: bytes) -> Taken:
    """An API that nobody reaches."""
    raise NotReachable("the API is away", is_passing=True)


def main(disk: Path) -> None:
    """Log until the disk is full, say what was taken, and die."""
    (disk / TAKEN).write_bytes(b" " * TAKEN_BYTES)
    recorder = Recorder(away, spool=disk / "spool", on_full="raise")
    fill(disk, but_bytes=ROOM_BYTES)
    with (disk / TAKEN).open("r+") as told:
        json.dump(log_until_full(recorder), told)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
