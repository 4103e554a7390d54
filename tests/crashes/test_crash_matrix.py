"""Every fault at every step ends in the right state: `make crashes`."""

from collections.abc import Callable

import pytest

from support.crashes.cells import CELLS
from support.crashes.installations import Installation
from support.crashes.matrix import Cell, disturb
from support.crashes.right_state import problems, trace

pytestmark = pytest.mark.crashes


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_fault_leaves_the_right_state(
    cell: Cell, ground_of: Callable[[str], object], copy_of: Callable[[object], Installation]
) -> None:
    ground = ground_of(cell.world)
    installation = copy_of(ground)
    disturb(cell, installation)
    assert installation.struck.exists(), "the fault did not strike"
    assert problems(installation) == []
    assert trace(installation) == ground.after
