"""Of the crash matrix what is tried with all other tests: one cell of each way to come to harm."""

from collections.abc import Callable
from inspect import isfunction
from pathlib import Path

import pytest
from sqlalchemy import select

from bailiwick.lifecycle import Platform
from bailiwick.registry import ModelVersion
from bailiwick.worker import ticks
from support.alerting import Receiver
from support.crashes.acts import what_waits, work_until_told
from support.crashes.cells import CELLS
from support.crashes.faults import Kind
from support.crashes.grounds import Ground
from support.crashes.installations import Installation, opened
from support.crashes.matrix import Cell, finish
from support.crashes.processes import start, wait_until
from support.crashes.report import listed
from support.crashes.right_state import attempts, problems, trace
from support.crashes.worlds import WORLDS

EVERY_DAY = [
    ("renews its lease while a training goes on", Kind.KILL),
    ("has trained", Kind.OVERTAKEN),
    ("promotes the version", Kind.LOST),
    ("ends the job", Kind.KILL),
    ("ended the job", Kind.LOST),
    ("sent a message", Kind.KILL),
    ("moves records", Kind.KILL),
]
NO_CELLS = {"write_counts"}  # why: decision 21
PAGE = Path(__file__).parents[2] / "docs" / "crash-matrix.md"


def cell_of(step: str, kind: Kind) -> Cell:
    """The first of its name: of a worker the one that retrains."""
    return next(cell for cell in CELLS if (cell.step, cell.fault.kind) == (step, kind))


@pytest.mark.parametrize("cell", [cell_of(*one) for one in EVERY_DAY], ids=lambda cell: cell.name)
def test_a_fault_of_every_day_leaves_the_right_state(
    cell: Cell, try_out: Callable[[Cell], str]
) -> None:
    assert "; done" in try_out(cell)


def test_two_worker_commands_side_by_side_do_all_once_and_end_when_they_are_told(
    ground_of: Callable[[str], Ground],
    copy_of: Callable[[Ground], Installation],
    receiver: Receiver,
) -> None:
    ground = ground_of("alert")
    installation = copy_of(ground)
    workers = [start(installation, work_until_told) for _ in range(2)]
    with opened(installation) as platform:
        wait_until(lambda: is_replaced(platform) and not what_waits(platform), "all is done")
    for worker in workers:
        worker.tell_to_end()
    assert [worker.ended() for worker in workers] == [0, 0]
    finish("alert", installation)
    assert problems(installation, receiver.ids) == []
    assert trace(installation) == ground.after
    assert attempts(installation) == ground.attempts


def is_replaced(platform: Platform) -> bool:
    with platform.database.reading() as session:
        return len(session.scalars(select(ModelVersion.id)).all()) == 2


def test_cells_have_names_of_their_own_and_there_are_at_least_forty() -> None:
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert len(CELLS) >= 40


def test_the_page_lists_exactly_the_cells_each_with_its_end_on_both_databases() -> None:
    rows = listed(PAGE.read_text(encoding="utf-8"))
    assert [row[:3] for row in rows] == [
        (cell.process, cell.step, str(cell.fault.kind)) for cell in CELLS
    ]
    assert all(len(row) == 5 and all(row) for row in rows)


def test_every_tick_of_the_worker_is_struck_somewhere_or_said_to_need_no_cell() -> None:
    struck = {name for cell in CELLS for name in WORLDS[cell.world].ticks}
    every = {
        name
        for name, tick in vars(ticks).items()
        if isfunction(tick) and tick.__module__ == ticks.__name__
    }
    assert every - struck == NO_CELLS
    decision = PAGE.parent / "decisions" / "0021-crash-matrix.md"
    assert all(f"`{name}`" in decision.read_text(encoding="utf-8") for name in NO_CELLS)
