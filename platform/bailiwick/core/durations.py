"""How long something took, in words."""

from itertools import pairwise

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def duration(seconds: float) -> str:
    """How long, in the two largest units.

    >>> [duration(seconds) for seconds in (7.4, 95, 3_700, 200_000)]
    ['7 s', '1 min 35 s', '1 h 1 min', '2 d 7 h']
    """
    whole = round(seconds)
    for (name, size), (below, smaller) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"
