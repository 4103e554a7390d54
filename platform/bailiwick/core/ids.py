"""Identifiers: UUIDv7 (RFC 9562), so that ids sort by creation."""

import secrets
import struct
import threading
import time
from uuid import UUID

NANOSECONDS_PER_MILLISECOND = 1_000_000
STEPS_PER_MILLISECOND = 4096  # the 12 bits of rand_a count them (RFC 9562, 6.2, method 3)
_lock = threading.Lock()
_last_step = 0


def new_ids(count: int) -> list[UUID]:
    """As many UUIDv7 as rows of a batch: ascending, and greater than all before them."""
    global _last_step  # noqa: PLW0603 - the one counter of this process
    step = time.time_ns() * STEPS_PER_MILLISECOND // NANOSECONDS_PER_MILLISECOND
    with _lock:
        first = max(step, _last_step + 1)
        _last_step = first + count - 1
    noise = secrets.randbits(64 * count).to_bytes(8 * count, "big") if count else b""
    parts = struct.unpack(f">{count}Q", noise)
    return [
        UUID(
            int=(at // STEPS_PER_MILLISECOND & 0xFFFF_FFFF_FFFF) << 80
            | 0x7 << 76
            | at % STEPS_PER_MILLISECOND << 64
            | 0b10 << 62
            | part >> 2
        )
        for at, part in enumerate(parts, first)
    ]


def new_id() -> UUID:
    """A fresh UUIDv7: within this process each is greater than the one before.

    Between processes they sort as finely as the machine's clocks agree, to a quarter of a
    microsecond at best. After the clock was set back, ids go on from the latest one.
    """
    global _last_step  # noqa: PLW0603 - the one counter of this process
    nanoseconds = time.time_ns()
    step = nanoseconds * STEPS_PER_MILLISECOND // NANOSECONDS_PER_MILLISECOND
    with _lock:
        step = _last_step = max(step, _last_step + 1)
    milliseconds, fraction = divmod(step, STEPS_PER_MILLISECOND)
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | fraction << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)
