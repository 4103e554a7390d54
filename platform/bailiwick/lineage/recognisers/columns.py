"""What a column is as a whole: free text, or identifiers. Pure, from a sample of its values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

MIN_VALUES = 20
# Free text: sentences rather than names of things, hardly two of them alike.
MIN_MEAN_WORDS = 5.0
MIN_DISTINCT_TEXTS_RATIO = 0.5
# Identifiers: one word with digits, of few shapes, never twice.
MIN_DISTINCT_IDS_RATIO = 0.98
MIN_SHAPED_RATIO = 0.95
MAX_ID_CHARACTERS = 64
MAX_SHAPES = 6
_ID = re.compile(r"(?=[^\d]*\d)[A-Za-z0-9][A-Za-z0-9_./:#-]*")
_NUMBER_OR_DATE = re.compile(
    r"[-+]?\d+[.,]\d+|\d{4}-\d\d?-\d\d?(?:[T ].*)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}"
)
_LETTERS, _DIGITS = re.compile(r"[A-Za-z]+"), re.compile(r"\d+")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True)
class Shape:
    """How far a column is of a kind: `matched` of its values are, with this score."""

    entity: str
    matched: int
    score: float


def free_text(values: Sequence[str]) -> Shape | None:
    """Whether the values read like text that people wrote; None if not, or with too few.

    The score is the share of distinct values: 1.0 where none occurs twice.
    """
    if len(values) < MIN_VALUES:
        return None
    distinct = len(set(values)) / len(values)
    lengths = [len(value.split()) for value in values]
    if mean(lengths) < MIN_MEAN_WORDS or distinct < MIN_DISTINCT_TEXTS_RATIO:
        return None
    return Shape("FREE_TEXT", sum(length >= MIN_MEAN_WORDS for length in lengths), distinct)


def identifier(values: Sequence[str]) -> Shape | None:
    """Whether the values look like keys: distinct, one word, with digits, of a few shapes.

    UUIDs and digests are `UNIQUE_ID` by their form. Decimal numbers and dates are no keys.
    """
    if len(values) < MIN_VALUES or len(set(values)) < MIN_DISTINCT_IDS_RATIO * len(values):
        return None
    if (unique := sum(bool(_UUID.fullmatch(value)) for value in values)) >= (
        MIN_SHAPED_RATIO * len(values)
    ):
        return Shape("UNIQUE_ID", unique, 1.0)
    keys = [value for value in values if _is_key(value)]
    shapes = {_DIGITS.sub("9", _LETTERS.sub("A", value)) for value in keys}
    if len(keys) < MIN_SHAPED_RATIO * len(values) or len(shapes) > MAX_SHAPES:
        return None
    return Shape("IDENTIFIER", len(keys), len(set(values)) / len(values))


def _is_key(value: str) -> bool:
    return (
        len(value) <= MAX_ID_CHARACTERS
        and _ID.fullmatch(value) is not None
        and _NUMBER_OR_DATE.fullmatch(value) is None
    )
