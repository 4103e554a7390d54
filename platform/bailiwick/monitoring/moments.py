"""Moments as whole microseconds since 1970: how columns of many records carry them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(moments: Sequence[datetime]) -> list[int]:
    """Since 1970, of moments with their zones."""
    try:
        times = pa.array(moments, pa.timestamp("us", "UTC"))
    except (pa.ArrowException, OverflowError):  # by Arrow's own bounds; Python's are wider
        return [(moment - EPOCH) // MICROSECOND for moment in moments]
    found: list[int] = times.cast(pa.int64()).to_pylist()
    return found
