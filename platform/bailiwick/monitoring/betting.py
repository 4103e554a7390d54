"""Is a mean above what is tolerated? A betting e-process that may be looked at after every row.

For values d_t in [low, 1] and the null hypothesis E[d_t | past] <= m for every t:

    W_t(lambda) = W_{t-1}(lambda) (1 + lambda (d_t - m)),   W_0 = 1,   0 <= lambda <= 1 / (m - low)
    E_t = mean of W_t(lambda) over the grid lambda = f / (m - low), f in `FRACTIONS`

Each factor is at least 0 and has a conditional mean of at most 1 under the null, so each W, and
their mean, is a non-negative supermartingale that starts at 1. By Ville's inequality

    P(E_t >= 1 / alpha for any t) <= alpha,

however often somebody looks and whenever they stop (Waudby-Smith, Ramdas, "Estimating means of
bounded random variables by betting", JRSS-B 86, 2024, 2010.09686; Ville 1939). The grid spares
choosing lambda: small ones find small excesses late, large ones large excesses at once. It costs
a factor of at most the grid's size, 6, over the best of its members.

Two arms, one of which gets few of the requests, become pairs: within a stretch of time each value
of the rarer arm is compared with the mean of as many of the other arm as there are for each.
Both arms saw the same stretch, so what changes with time changes both, and is no evidence.

NOT guaranteed: E[d_t | past] <= m needs that what an arm shows next does not follow from what it
showed before. Requests that come in bundles from one key (a subject whose rows all fail) stay in
one arm, and bring evidence sooner than the bound allows for.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

FRACTIONS = (1 / 64, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 0.95)  # of the largest bet; 1 could lose it all
_MOST = 600.0  # logarithms of wealth are kept finite: the threshold was crossed long before


@dataclass(frozen=True, slots=True)
class Wager:
    """How much was won against the null so far: a pair of counts and one number for each bet.

    log_wealth: natural logarithms, one for each of `FRACTIONS`; rows: values so far; total: their
    sum, so that total / rows is the mean that was seen.
    """

    log_wealth: tuple[float, ...] = (0.0,) * len(FRACTIONS)
    rows: int = 0
    total: float = 0.0

    @property
    def log_evidence(self) -> float:
        """Ln E_t."""
        largest = max(self.log_wealth)
        mean = sum(math.exp(one - largest) for one in self.log_wealth) / len(self.log_wealth)
        return largest + math.log(mean)

    @property
    def mean(self) -> float | None:
        """Of the values; None without any."""
        return self.total / self.rows if self.rows else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"log_wealth": list(self.log_wealth), "rows": self.rows, "total": self.total}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Wager":
        """The wager that `to_json` wrote, to the last bit."""
        return cls(tuple(value["log_wealth"]), value["rows"], value["total"])


def bet(wager: Wager, values: Iterable[float], *, tolerated: float, low: float) -> Wager:
    """The wager after more values in [low, 1]; `tolerated` is m, and lies above `low`.

    >>> import random
    >>> chance, wager = random.Random(4), Wager()
    >>> for row in range(1, 2_001):  # 8 % where 2 % are tolerated
    ...     wager = bet(wager, [chance.random() < 0.08], tolerated=0.02, low=0.0)
    ...     if exceeds(wager, alpha=0.01):
    ...         print(row, round(wager.mean, 3))
    ...         break
    106 0.085
    """
    bets = [fraction / (tolerated - low) for fraction in FRACTIONS]
    wealth, rows, total = list(wager.log_wealth), wager.rows, wager.total
    for value in values:
        for place, size in enumerate(bets):
            grown = wealth[place] + math.log1p(size * (value - tolerated))
            wealth[place] = min(max(grown, -_MOST), _MOST)
        rows, total = rows + 1, total + value
    return Wager(tuple(wealth), rows, total)


def exceeds(wager: Wager, *, alpha: float) -> bool:
    """Whether E_t has reached 1 / alpha: under the null, that ever happens with chance alpha."""
    return wager.log_evidence >= -math.log(alpha)


def group_size(first: int, second: int) -> int:
    """How many values of the larger arm are compared with each of the smaller one's.

    >>> group_size(5, 100), group_size(40, 40), group_size(3, 0)
    (20, 1, 0)
    """
    return max(first, second) // min(first, second) if min(first, second) else 0


def differences(standing: Sequence[float], other: Sequence[float]) -> list[float]:
    """By how much `other` is above `standing`, pair by pair; both hold values in [0, 1].

    Of the arm with more values, groups are averaged; what fills no group is left out, unseen.

    >>> differences([0, 0, 1, 1], [1, 0])
    [1.0, -1.0]
    """
    size = group_size(len(standing), len(other))
    if len(standing) >= len(other):
        return [
            value - sum(standing[place * size : (place + 1) * size]) / size
            for place, value in enumerate(other)
        ]
    return [
        sum(other[place * size : (place + 1) * size]) / size - value
        for place, value in enumerate(standing)
    ]
