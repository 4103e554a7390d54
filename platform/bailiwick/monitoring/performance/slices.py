"""Where a model lost most: slices whose errors rose beyond chance, however many were looked at.

For each slice k of K, with a share a of its rows wrong since the change and b before it (where it
had fewer than 30 rows before: of all rows before), the excess a - b has Newcombe's hybrid score
interval (Statistics in Medicine 17 (1998) 873, method 10)

    a - b - sqrt((a - la)^2 + (ub - b)^2)   to   a - b + sqrt((ua - a)^2 + (b - lb)^2),

[la, ua] and [lb, ub] the Wilson intervals of a and b at level 1 - 0.05 / K (Bonferroni: all K
intervals hold together in 95 %). Slices whose interval lies above zero are told, the largest lower
end first: that puts what is certain before what is large by chance.

NOT guaranteed: rows that are not independent make intervals too narrow, and slices overlap.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import hypot
from typing import Final

from bailiwick.monitoring.statistics import wilson_interval

FEWEST_ROWS: Final = 30
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Slice:
    """Labelled rows of a slice, and how many of them were wrong, before and since the change.

    `name` is whatever names it to the caller: pairs of a column and a value.
    """

    name: tuple[tuple[str, str], ...]
    rows_before: int
    wrong_before: int
    rows_after: int
    wrong_after: int


@dataclass(frozen=True, slots=True)
class Excess:
    """How many more of a slice's rows are wrong than before, of 1, with its interval."""

    name: tuple[tuple[str, str], ...]
    error_before: float
    error_after: float
    size: float
    lower: float
    upper: float
    rows: int
    looked_at: int


def worst_slices(
    slices: Iterable[Slice], *, wrong_before: int, rows_before: int, most: int = 5
) -> list[Excess]:
    """The slices that lost beyond chance, the surest first; `..._before` of all rows.

    >>> steady = Slice((("region", "north"),), 500, 100, 500, 100)
    >>> worse = Slice((("region", "south"),), 500, 100, 500, 200)
    >>> [found] = worst_slices([steady, worse], wrong_before=200, rows_before=1_000)
    >>> found.name, round(found.size, 2), round(found.lower, 2), found.looked_at
    ((('region', 'south'),), 0.2, 0.14, 2)
    """
    looked_at = [one for one in slices if one.rows_after >= FEWEST_ROWS]
    level = 1 - _ALPHA / max(len(looked_at), 1)
    found = []
    for one in looked_at:
        own = one.rows_before >= FEWEST_ROWS
        before = (one.wrong_before, one.rows_before) if own else (wrong_before, rows_before)
        if not before[1]:
            continue
        size, lower, upper = _difference((one.wrong_after, one.rows_after), before, level)
        error = one.wrong_after / one.rows_after
        if lower > 0:
            found.append(
                Excess(
                    one.name,
                    error - size,
                    error,
                    size,
                    lower,
                    upper,
                    one.rows_after,
                    len(looked_at),
                )
            )
    return sorted(found, key=lambda one: (-one.lower, one.name))[:most]


def _difference(
    after: tuple[int, int], before: tuple[int, int], level: float
) -> tuple[float, float, float]:
    """(difference, lower, upper) of two shares, each (wrong, rows)."""
    (a, la, ua), (b, lb, ub) = (
        (wrong / rows, *wilson_interval(wrong, rows, level)) for wrong, rows in (after, before)
    )
    return a - b, a - b - hypot(a - la, ub - b), a - b + hypot(ua - a, b - lb)
