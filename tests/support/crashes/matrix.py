"""The crash matrix: who is struck by what at which step, and what must come of it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from support.crashes import acts
from support.crashes.children import Children
from support.crashes.faults import Fault, Kind
from support.crashes.installations import LEASE_SECONDS, Installation
from support.crashes.processes import Process, start
from support.crashes.requests import ask_again, ask_and_fail
from support.crashes.worlds import WORLDS

STARTS = "starts"  # the step at which a process may also end, if it says why
TAKEN_OVER = timedelta(seconds=2 * LEASE_SECONDS)


class Ends(StrEnum):
    """How the work ends in which a fault struck."""

    DONE = "all done, once"
    FAILED = "the job failed and says why, nothing else happened"


@dataclass(frozen=True)
class Cell:
    """A fault at a step of a process, in a world; `times`: how many attempts it strikes."""

    process: str
    step: str
    fault: Fault
    world: str
    ends: Ends = Ends.DONE
    children: Children | None = None  # of the process that is struck; None: as in its world
    times: int = 1

    @property
    def name(self) -> str:
        """One word, the same in every run."""
        words = f"{self.process} {self.step} {self.fault.kind}"
        return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def disturb(cell: Cell, installation: Installation) -> str:
    """Let the fault strike, and pass; how the process ended."""
    if WORLDS[cell.world].request is None:
        return [_struck(cell, installation) for _ in range(cell.times)][-1]
    return ask_and_fail(installation, cell.fault)


def finish(world_name: str, installation: Installation) -> None:
    """Let the installation work until nothing waits any more; no tick may fail.

    Clients that got no answer ask again.
    """
    world = WORLDS[world_name]
    if world.request is not None:
        ask_again(installation)
    status = start(installation, acts.settle, world.ticks, children=world.children).ended()
    assert status == 0, installation.log.read_text()


def _struck(cell: Cell, installation: Installation) -> str:
    """One turn of a worker that the fault strikes; how its process ended."""
    process = _turn(cell, installation, cell.fault)
    if cell.fault.kind in MEANWHILE and process.stopped_or_ended():
        MEANWHILE[cell.fault.kind](cell, installation, process)
    status = process.ended()
    installation.make_room()
    installation.clock.move(TAKEN_OVER)
    if cell.children is Children.STRUCK:
        return "its worker went on"
    if status < 0:
        return "killed"
    assert status == 0 or cell.step == STARTS, (status, installation.log.read_text())
    return "went on" if status == 0 else "ended"


def _another_works(cell: Cell, installation: Installation, stopped: Process) -> None:
    """Beside a process that holds its leases."""
    _turn(cell, installation).ended()
    stopped.go_on()


def _another_has_worked(cell: Cell, installation: Installation, stopped: Process) -> None:
    """All work was taken over and done when the process comes back."""
    installation.clock.move(TAKEN_OVER)
    finish(cell.world, installation)
    stopped.go_on()


def _another_is_at_work(cell: Cell, installation: Installation, stopped: Process) -> None:
    """The work was taken over, and has come to the same step, when the process comes back."""
    installation.clock.move(TAKEN_OVER)
    other = _turn(cell, installation, cell.fault)
    assert other.stopped_or_ended(), "the second process did not come to the step"
    stopped.go_on()
    stopped.ended()
    other.go_on()
    other.ended()


MEANWHILE = {
    Kind.RIVAL: _another_works,
    Kind.STOP: _another_has_worked,
    Kind.OVERTAKEN: _another_is_at_work,
}


def _turn(cell: Cell, installation: Installation, *faults: Fault) -> Process:
    world = WORLDS[cell.world]
    children = cell.children or world.children
    return start(installation, acts.turn, world.ticks, faults=faults, children=children)
