"""Counts of labelled requests that add up and can be taken back: confusion, confidence, slices.

All are whole numbers, so that what was added and taken back leaves exactly nothing: confidences
are summed in millionths. Labels are places (`tables.LabelLedger`); `OTHER` is that of all labels
after the last one. Two others may be different labels: `correct` knows, the cell does not.
"""

import json
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bailiwick.monitoring.performance.confidences import EDGES

MOST_LABELS: Final = 64
MOST_VALUES: Final = 32  # of one segment
OTHER: Final = MOST_LABELS
MILLION: Final = 1_000_000
# What is summed in a bin of confidence: rows, right rows, confidence, its square, and that of
# right rows; in millionths, the square in millionths of millionths.
ROWS, RIGHT, SURE, SQUARE, SURE_RIGHT = range(5)


@dataclass(slots=True)
class LabelCounts:
    """Labelled rows, and how many of them are right.

    `cells` by (predicted, true); `bins` by (bin, what); `slices` by (segment, value, predicted,
    1 if wrong), where the value is None beyond the last place. Nothing is stored at zero.
    """

    rows: int = 0
    correct: int = 0
    cells: Counter[tuple[int, int]] = field(default_factory=Counter)
    bins: Counter[tuple[int, int]] = field(default_factory=Counter)
    slices: Counter[tuple[str, int | None, int, int]] = field(default_factory=Counter)

    def add(
        self,
        said: int,
        true: int,
        *,
        correct: bool,
        confidence: float | None,
        segments: Mapping[str, int | None],
        sign: int,
    ) -> None:
        """Count one labelled record, or take it back with `sign` -1."""
        self.rows += sign
        self.correct += sign * correct
        self.cells[said, true] += sign
        for name, value in segments.items():
            self.slices[name, value, said, int(not correct)] += sign
        if confidence is None:
            return
        sure = round(confidence * MILLION)
        sums = (1, int(correct), sure, sure * sure, sure * correct)
        place = bisect_right(EDGES, confidence)
        for what, value in enumerate(sums):
            self.bins[place, what] += sign * value

    def merge(self, other: "LabelCounts") -> None:
        """Add other counts to these."""
        self.rows += other.rows
        self.correct += other.correct
        for name in ("cells", "bins", "slices"):
            own: Counter[object] = getattr(self, name)
            own.update(getattr(other, name))

    def to_bytes(self) -> bytes:
        """Compressed JSON; the same counts give the same bytes."""
        told = {
            name: sorted(([*key, n] for key, n in getattr(self, name).items() if n), key=str)
            for name in ("cells", "bins", "slices")
        }
        counts = {"rows": self.rows, "correct": self.correct, **told}
        return zlib.compress(json.dumps(counts, separators=(",", ":")).encode())

    @classmethod
    def from_bytes(cls, stored: bytes) -> "LabelCounts":
        """What `to_bytes` made."""
        told = json.loads(zlib.decompress(stored))
        return cls(
            told["rows"],
            told["correct"],
            *(
                Counter({tuple(key): n for *key, n in told[name]})
                for name in ("cells", "bins", "slices")
            ),
        )


def total(counts: Iterable[LabelCounts]) -> LabelCounts:
    """All of them as one.

    >>> one = LabelCounts()
    >>> one.add(0, 1, correct=False, confidence=0.9, segments={"region": 2}, sign=1)
    >>> back = LabelCounts()
    >>> back.add(0, 1, correct=False, confidence=0.9, segments={"region": 2}, sign=-1)
    >>> total([one, back]).to_bytes() == LabelCounts().to_bytes()
    True
    """
    found = LabelCounts()
    for one in counts:
        found.merge(one)
    return found
