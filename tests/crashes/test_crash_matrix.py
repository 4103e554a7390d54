"""Every fault at every step ends in the right state: `make crashes`."""

from collections.abc import Callable

import pytest

from support.crashes import report
from support.crashes.cells import CELLS
from support.crashes.matrix import Cell
from support.databases import TEMPLATE

pytestmark = pytest.mark.crashes


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_fault_leaves_the_right_state(
    cell: Cell, try_out: Callable[[Cell], str], request: pytest.FixtureRequest
) -> None:
    database = report.DATABASES[bool(request.config.stash[TEMPLATE])]
    try:
        came = try_out(cell)  # asks that the fault struck and the end is right
    except pytest.skip.Exception as skipped:
        report.note(cell.name, database, f"not tried: {skipped}")
        raise
    assert "; " in came
    report.note(cell.name, database, came)
