"""Two models on the same rows: counts, intervals, and tests of many slices at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

Z_95 = 1.959964  # two-sided 95 % of the normal distribution
_EXACT_ROWS = 1_000  # beyond, the normal distribution (corrected for whole numbers) will do


@dataclass(frozen=True, slots=True)
class Paired:
    """How candidate and champion answered the same rows (counts)."""

    both: int
    only_candidate: int
    only_champion: int
    neither: int

    @property
    def rows(self) -> int:
        """All rows that were compared."""
        return self.both + self.only_candidate + self.only_champion + self.neither

    @property
    def gain(self) -> float:
        """The candidate's accuracy minus the champion's."""
        return (self.only_candidate - self.only_champion) / self.rows

    def gain_interval(self) -> tuple[float, float]:
        """95 % interval of the gain.

        With b rows that only the candidate and c rows that only the champion got right, of n:
        (b - c)/n ± 1.96 · sqrt(b + c - (b - c)²/n)/n, Wald's interval for a difference of
        paired proportions (Agresti, Categorical Data Analysis, 10.1.1). It is too short when
        b + c is below about 25, which is why tiers demand a minimum of rows.

        >>> low, high = Paired(both=600, only_candidate=130, only_champion=70, neither=200
        ...     ).gain_interval()
        >>> round(low, 3), round(high, 3)
        (0.033, 0.087)
        """
        n, b, c = self.rows, self.only_candidate, self.only_champion
        half = Z_95 * math.sqrt(b + c - (b - c) ** 2 / n) / n
        return self.gain - half, self.gain + half

    def cautious_interval(self, *, intervals: int = 1) -> tuple[float, float]:
        """Interval of the gain that also holds where few rows differ; 95 % for all `intervals`.

        Adjusted Wald: as if one row more had been won, one lost, of two more (Bonett and Price,
        2012, doi:10.3102/1076998611411915); for several at once each gets its share of the 5 %
        (Bonferroni). Even two that answered alike may differ by a little.

        >>> low, high = Paired(200, 0, 0, 0).cautious_interval()
        >>> round(low, 3), round(high, 3)
        (-0.014, 0.014)
        """
        z = NormalDist().inv_cdf(1 - 0.025 / intervals)
        n, b, c = self.rows + 2, self.only_candidate + 1, self.only_champion + 1
        half = z * math.sqrt(b + c - (b - c) ** 2 / n) / n
        return (b - c) / n - half, (b - c) / n + half

    def chance_of_so_many_lost(self) -> float:
        """One-sided exact p-value of McNemar's test: lost at least so many of those that differ.

        P(X >= c) for X ~ Binomial(b + c, 1/2): how often a candidate that is as good as the
        champion would do so badly (Agresti, Categorical Data Analysis, 10.1.4).

        >>> Paired(both=80, only_candidate=2, only_champion=8, neither=10).chance_of_so_many_lost()
        0.0546875
        """
        n, c = self.only_candidate + self.only_champion, self.only_champion
        if n > _EXACT_ROWS:
            return NormalDist().cdf((n / 2 - c + 0.5) / math.sqrt(n / 4))
        return math.fsum(math.comb(n, k) / 2**n for k in range(c, n + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, adjusted so that one below 5 % by chance is 5 % likely among all of them.

    Holm (1979), Scandinavian Journal of Statistics 6: holds however the tests depend on
    each other, which slices of the same rows do.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
