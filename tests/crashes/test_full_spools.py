"""A client's spool on a disk that is really full: what `log` has taken arrives, exactly once."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bailiwick.client.recorder import Recorder
from bailiwick.client.shapes import Taken
from support.crashes import spooling
from support.crashes.disks import ROOM_BYTES, fill, make_room, mounted, why_not
from support.crashes.spooling import log_until_full


@pytest.fixture
def disk() -> Iterator[Path]:
    if reason := why_not():
        pytest.skip(reason)
    with mounted() as folder:
        yield folder


class Api:
    """Takes records, unless it is away."""

    def __init__(self) -> None:
        self.away = True
        self.arrived: list[str] = []

    def __call__(self, lines: bytes) -> Taken:
        if self.away:
            return spooling.away(lines)
        rows = [json.loads(line) for line in lines.splitlines()]
        self.arrived += [row["record_id"] for row in rows]
        return {"new": len(rows), "known": 0, "rejected": [], "rejected_total": 0}


def open_recorder(api: Api, disk: Path, *, waits: bool = False) -> Recorder:
    return Recorder(
        api, spool=disk / "spool", on_full="block" if waits else "raise", interval_seconds=0.05
    )


@pytest.mark.parametrize("but_bytes", [0, ROOM_BYTES])
def test_a_full_disk_is_told_and_what_was_taken_arrives_once(disk: Path, but_bytes: int) -> None:
    api = Api()
    recorder = open_recorder(api, disk)
    first = recorder.log("Fuel")
    fill(disk, but_bytes=but_bytes)
    taken = [first, *log_until_full(recorder)]
    make_room(disk)
    taken.append(recorder.log("Travel"))
    api.away = False
    recorder.close()
    assert api.arrived == taken


def test_a_process_that_is_killed_on_a_full_disk_leaves_whole_records(disk: Path) -> None:
    done = subprocess.run([sys.executable, "-m", spooling.__name__, str(disk)], check=False)
    assert done.returncode == -signal.SIGKILL
    api = Api()
    api.away = False
    with open_recorder(api, disk):  # sends what was left while the disk is still full
        pass
    assert api.arrived == json.loads((disk / spooling.TAKEN).read_text())
    assert len(api.arrived) > 10


def test_one_that_waits_for_room_goes_on_once_there_is_some(disk: Path) -> None:
    api = Api()
    recorder = open_recorder(api, disk, waits=True)
    fill(disk)
    logged: list[str] = []
    waiting = threading.Thread(
        target=lambda: logged.extend(recorder.log("Fuel", text="x" * 5_000) for _ in range(2))
    )
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    make_room(disk)
    waiting.join(10)
    api.away = False
    recorder.close()
    assert len(api.arrived) == 2
    assert api.arrived == logged
