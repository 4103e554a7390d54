"""Every fault at every step ends in the right state: `make crashes`."""

from collections.abc import Callable
from typing import Any

import pytest

from support.alerting import Receiver
from support.crashes.cells import CELLS
from support.crashes.faults import Kind
from support.crashes.installations import Installation
from support.crashes.matrix import Cell, Ends, disturb
from support.crashes.right_state import attempts, of_a_failed_job, problems, trace

pytestmark = pytest.mark.crashes


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_fault_leaves_the_right_state(
    cell: Cell,
    ground_of: Callable[[str], Any],
    copy_of: Callable[[Any], Installation],
    receiver: Receiver,
) -> None:
    ground = ground_of(cell.world)
    installation = copy_of(ground)
    disturb(cell, installation)
    assert installation.struck.exists(), "the fault did not strike"
    assert problems(installation, receiver.ids) == []
    found = trace(installation)
    expected = {Ends.DONE: ground.after, Ends.FAILED: of_a_failed_job(ground.before, found)}
    assert found == expected[cell.ends]
    if cell.fault.kind is Kind.RIVAL:
        assert attempts(installation) == ground.attempts
