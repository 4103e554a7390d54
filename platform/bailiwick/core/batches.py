"""Many values in pieces: both databases bound the variables of one statement."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

BATCH_ROWS: Final = 1_000  # SQLite takes 32,766 variables, PostgreSQL 65,535
T = TypeVar("T")


def in_batches(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in order, at most `BATCH_ROWS` at a time.

    >>> [len(some) for some in in_batches(range(1_500))]
    [1000, 500]
    """
    every = list(values)
    for start in range(0, len(every), BATCH_ROWS):
        yield every[start : start + BATCH_ROWS]
