"""What wrong answers cost: a monitor's matrix, true label to answer to a number."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.confusion import MOST_LABELS

MOST = 1e12  # of any unit
_SHAPE = (
    "costs map a true label to what each answer costs, for instance "
    '{"Fuel": {"Travel": 3, "Food": 1}}; pairs that are left out cost nothing'
)


def check_costs(costs: Mapping[str, Any] | None) -> None:
    """Raise `Invalid` if they are no such matrix."""
    if costs is None:
        return
    if not costs or len(costs) > MOST_LABELS:
        raise Invalid(f"{_SHAPE}; name 1 to {MOST_LABELS} true labels, or leave costs out")
    for answers in costs.values():
        if not isinstance(answers, Mapping) or len(answers) > MOST_LABELS:
            raise Invalid(_SHAPE)
        if not all(_is_cost(one) for one in answers.values()):
            raise Invalid(f"every cost is a finite number of at least 0: {_SHAPE}")


def _is_cost(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return isfinite(value) and 0 <= value <= MOST
