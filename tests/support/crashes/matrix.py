"""The crash matrix: who is struck by what at which step, and what must come of it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from support.crashes import acts
from support.crashes.children import Children
from support.crashes.faults import Fault, Kind
from support.crashes.installations import LEASE_SECONDS, Installation
from support.crashes.processes import start
from support.crashes.worlds import WORLDS

TAKEN_OVER = timedelta(seconds=2 * LEASE_SECONDS)


class Ends(StrEnum):
    """How the work ends in which a fault struck."""

    DONE = "done, as if nothing had happened"
    FAILED = "the job failed with its reason, nothing else happened"


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
    """Let the fault strike, then let the installation finish; how the process ended."""
    world = WORLDS[cell.world]
    end = ""
    for _ in range(cell.times):
        process = start(
            installation,
            acts.turn,
            world.ticks,
            faults=[cell.fault],
            children=cell.children or world.children,
        )
        stopped = cell.fault.kind is Kind.STOP and process.stopped_or_ended()
        if stopped:
            installation.clock.move(TAKEN_OVER)
            finish(cell.world, installation)
            process.go_on()
        status = process.ended()
        end = "killed" if status < 0 else "taken over, went on" if stopped else "went on"
        installation.clock.move(TAKEN_OVER)
    finish(cell.world, installation)
    return end


def finish(world_name: str, installation: Installation) -> None:
    """Let the installation work until nothing waits any more; no tick may fail."""
    world = WORLDS[world_name]
    status = start(installation, acts.settle, world.ticks, children=world.children).ended()
    assert status == 0, installation.log.read_text()
