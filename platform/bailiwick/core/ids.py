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


def new_hex_ids(count: int) -> list[str]:
    """As many UUIDv7 as rows of a batch, in hexadecimal: ascending, after all before them."""
    global _last_step  # noqa: PLW0603 - the one counter of this process
    step = time.time_ns() * STEPS_PER_MILLISECOND // NANOSECONDS_PER_MILLISECOND
    with _lock:
        first = max(step, _last_step + 1)
        _last_step = first + count - 1
    noise = struct.unpack(f">{count}Q", secrets.token_bytes(8 * count))
    # The high half: milliseconds, version, fraction. The low one: variant, noise.
    return [
        f"{(at >> 12 & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | at & 0xFFF:016x}"
        f"{0b10 << 62 | part >> 2:016x}"
        for at, part in enumerate(noise, first)
    ]


def new_ids(count: int) -> list[UUID]:
    """The same as UUIDs."""
    return [UUID(identifier) for identifier in new_hex_ids(count)]


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
