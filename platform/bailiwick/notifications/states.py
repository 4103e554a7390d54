"""Where a message stands, which moves there are, and when it is tried again. Pure."""

from datetime import timedelta
from enum import StrEnum

MAX_ATTEMPTS = 12
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
LEASE = timedelta(seconds=60)  # a worker that has said nothing for so long has died


class DeliveryState(StrEnum):
    """Where a message to one channel stands."""

    PENDING = "pending"
    HELD = "held"  # by a silence; looked at again when that ends
    FAILED = "failed"  # tried in vain, and tried again later
    DELIVERED = "delivered"
    GAVE_UP = "gave-up"
    WITHDRAWN = "withdrawn"  # not needed any more


WAITING = (DeliveryState.PENDING, DeliveryState.HELD, DeliveryState.FAILED)
# Whatever waits may come to any end or wait on; an end is one. But a message that was withdrawn
# while it was on its way has been delivered all the same.
TRANSITIONS: dict[DeliveryState, set[DeliveryState]] = {
    **{state: set(DeliveryState) - {DeliveryState.PENDING} for state in WAITING},
    DeliveryState.DELIVERED: set(),
    DeliveryState.GAVE_UP: set(),
    DeliveryState.WITHDRAWN: {DeliveryState.DELIVERED},
}


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 10 s, doubled each time, at most an hour.

    >>> [int(wait_after(n).total_seconds()) for n in (1, 2, 3, 9, 10, 11)]
    [10, 20, 40, 2560, 3600, 3600]
    """
    return min(FIRST_WAIT * (1 << (attempts - 1)), LONGEST_WAIT)
