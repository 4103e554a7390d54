"""What a scan counted: columns, kinds and numbers, never a value."""

from collections.abc import Mapping
from dataclasses import dataclass

PERSONAL_DATA, FREE_TEXT, IDENTIFIER = "personal-data", "free-text", "identifier"


@dataclass(frozen=True, slots=True)
class Tally:
    """What one recogniser made of one column: `matched` of `sampled` values that are not empty.

    `score` is the mean of the surest find of each value that matched, `recogniser` the one with
    the most finds. `is_evident`: enough to propose the mark.
    """

    column: str
    mark: str
    entity: str
    recogniser: str
    score: float
    sampled: int
    matched: int
    is_evident: bool = True


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found. `sampled`: for each column how many values were looked at."""

    rows: int
    sampled_rows: int
    sampled: Mapping[str, int]
    tallies: tuple[Tally, ...]
