"""Processes of an installation that tests start, strike with faults, and wait for.

They are forked by a server that has loaded the product: one starts in milliseconds, is killed by
a signal like any other, and shares nothing with the test but files and the database.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from bailiwick.db import engine, session
from support.crashes import acts
from support.crashes.children import Children, use_children
from support.crashes.faults import FILLING, Fault, Striker, arm
from support.crashes.installations import Installation

WAIT_SECONDS = 90
PATIENCE_SECONDS = 1  # with which processes here wait for SQLite's only writer
USED = ("pandas",)  # pyarrow loads it on first use, in each process anew
TESTS = Path(__file__).parents[2]
PLATFORM = TESTS.parent / "platform"


_started: list[BaseProcess] = []


class Process:
    """One that has been started; `ended` waits for it."""

    def __init__(self, started: BaseProcess) -> None:
        self._started = started

    @property
    def pid(self) -> int:
        """Its number."""
        return self._started.pid or 0

    def ended(self) -> int:
        """Its exit status, once it has ended; of one that was killed the negative signal."""
        self._started.join(WAIT_SECONDS)
        status = self._started.exitcode
        assert status is not None, "the process did not end in time"
        return status

    def is_gone(self) -> bool:
        """Whether it has ended."""
        return not self._started.is_alive()

    def stopped_or_ended(self) -> bool:
        """Whether it was stopped, once it was or has ended."""
        wait_until(lambda: state_of(self.pid) in {"T", "Z", ""}, "it is stopped or has ended")
        return state_of(self.pid) == "T"

    def go_on(self) -> None:
        """Let it go on after it was stopped."""
        os.kill(self.pid, signal.SIGCONT)

    def tell_to_end(self) -> None:
        """Ask it to come to its end (SIGTERM)."""
        os.kill(self.pid, signal.SIGTERM)

    def end(self) -> None:
        """Kill it if it still lives."""
        self._started.kill()
        self._started.join(WAIT_SECONDS)


def start(
    installation: Installation,
    act: Callable[..., None],
    *given: Any,
    faults: Sequence[Fault] = (),
    children: Children = Children.QUICK,
) -> Process:
    """Start a process that opens the installation and does `act(installation, *given)`.

    What its job processes are like: those that are struck take the faults, else it does itself.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([acts.__name__, *USED])
    started = context.Process(
        target=_live, args=(installation, act, given, tuple(faults), children)
    )
    started.start()
    _started.append(started)
    return Process(started)


def end_all() -> None:
    """Kill what a test that failed has left, stopped or alive."""
    while _started:
        Process(_started.pop()).end()


def forks_find_us() -> str:
    """The `PYTHONPATH` under which the server that forks, and job processes, find the code."""
    return os.pathsep.join([str(TESTS), str(PLATFORM)])


def state_of(pid: int) -> str:
    """`T` of a stopped process, `Z` of one that has ended; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def left_over(installation: Installation) -> list[int]:
    """Processes that still work for the installation: job processes name a file of its folder."""
    home = str(installation.home).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if home in path.read_bytes() and state_of(int(path.parent.name)) not in {"Z", ""}:
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Look again and again, for a while."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"in time: {what}"
        time.sleep(0.01)


def _live(
    installation: Installation,
    act: Callable[..., None],
    given: tuple[Any, ...],
    faults: tuple[Fault, ...],
    children: Children,
) -> None:
    sys.stderr = installation.log.open("a", buffering=1)
    gc.freeze()  # what the server has loaded is never garbage
    engine.LOCK_WAIT_SECONDS = session.LOCK_WAIT_SECONDS = PATIENCE_SECONDS
    strikers = [
        Striker(
            fault,
            installation.database_url,
            installation.clock,
            installation.struck,
            installation.disk,
        )
        for fault in faults
    ]
    use_children(children, strikers)
    if children is not Children.STRUCK:
        arm(strikers)
    try:
        act(installation, *given)
    finally:
        if faults and faults[0].kind in FILLING:
            with contextlib.suppress(OSError):  # or what is left of the log would fail at the end
                sys.stderr.close()
