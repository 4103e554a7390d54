"""How often a model is wrong while nothing is wrong: the baseline of the test on labels.

From windows of labelled rows, k_t wrong of n_t, in order:

    b = sum k / sum n                                      the loss to expect
    a = max over block lengths B of the between-window variance that blocks of B windows show,
        ((1 + 1.645 sqrt(2 / blocks)) mean u^2 - mean b (1 - b) / n) / mean(sum n_t^2 / n^2),
        u a block's loss less b, n its rows; B = 1, a day, three days
    rho = a / (b (1 - b)),    se^2 = b (1 - b) / N + a sum n_t^2 / N^2

rho is how alike the fates of two rows of one window are (intraclass correlation; moments as in
Kleinman, JASA 68 (1973) 46). Blocks longer than a window charge for losses that wander, like the
long-run variance of `monitoring.calibration`; the factor is the upper 95 % limit of a variance from
so many blocks. Fewer than 8 blocks of a length are not looked at.

Assumes that these windows are quiet and carry final labels. NOT guaranteed: wandering slower than
the blocks, and rhythms longer than the baseline, are unseen.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.calibration import block_of
from bailiwick.monitoring.seasons import Array

FEWEST_WINDOWS, FEWEST_ROWS = 8, 300
DAILY_RHO = 0.0025
_UPPER_95 = 1.645
_DAY = 24.0
_BLOCKS = 3  # days
_LEAST_LOSS, _MOST_LOSS = 0.002, 0.95
_LEAST_RHO, _MOST_RHO = 1e-6, 0.5


@dataclass(frozen=True, slots=True)
class LabelledWindow:
    """Labelled rows of one window of predictions, and how many of them were wrong.

    `window`: the number of the window on the deployment's grid of time.
    """

    window: int
    wrong: int
    rows: int

    def __post_init__(self) -> None:
        if not 0 <= self.wrong <= self.rows:
            raise Invalid("A window cannot have more wrong rows than rows, or fewer than none.")


@dataclass(frozen=True, slots=True)
class Expected:
    """The baseline: loss b, its standard error, rho, and what it was made from. Immutable."""

    loss: float
    error: float
    rho: float
    windows: int
    rows: int
    window_hours: float

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON."""
        return digest_of(self.to_json())

    def variance(self, rows: Array) -> Array:
        """Of a window's loss: b (1 - b) (1 / n + rho)."""
        found: Array = self.loss * (1 - self.loss) * (1 / rows + self.rho)
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Expected":
        """What `to_json` wrote."""
        return cls(**value)


def expect(windows: Sequence[LabelledWindow], *, window_hours: float) -> Expected:
    """Fit the baseline to quiet windows, in order of time.

    Raises `Invalid` below 8 windows or 300 labelled rows: too little to tell noise from change.

    >>> random = np.random.default_rng(1)
    >>> shares = random.beta(40, 160, 400)  # 20 % wrong, rho = 1 / 201
    >>> found = expect(
    ...     [LabelledWindow(t, int(random.binomial(500, p)), 500) for t, p in enumerate(shares)],
    ...     window_hours=24,
    ... )
    >>> round(found.loss, 2), 1 / 201 < found.rho < 2 / 201
    (0.2, True)
    """
    labelled = [window for window in windows if window.rows]
    wrong = np.array([window.wrong for window in labelled], dtype=np.float64)
    rows = np.array([window.rows for window in labelled], dtype=np.float64)
    total = int(rows.sum())
    if len(labelled) < FEWEST_WINDOWS or total < FEWEST_ROWS:
        raise Invalid(
            f"{total} labelled rows in {len(labelled)} windows are too few to know how often the "
            f"model is wrong: {FEWEST_ROWS} rows in {FEWEST_WINDOWS} windows are needed."
        )
    loss = float(np.clip(wrong.sum() / total, _LEAST_LOSS, _MOST_LOSS))
    day = block_of(window_hours)
    between = max(_between(wrong, rows, loss, length) for length in (1, day, _BLOCKS * day))
    rho = float(np.clip(between / (loss * (1 - loss)), _LEAST_RHO, _MOST_RHO))
    alike = rho * float((rows**2).sum()) / total**2
    error = sqrt(loss * (1 - loss) * (1 / total + alike))
    return Expected(loss, error, rho, len(labelled), total, window_hours)


def promised(accuracy: float, rows: int, *, window_hours: float) -> Expected:
    """What an evaluation on `rows` rows lets one expect of a version that has no labels yet.

    How much days differ is not known then; it is taken to be `DAILY_RHO`, two points of sd where
    four of five rows are right, and as much more in shorter windows as wandering within a day
    needs. That the rows are like later requests is assumed: where they are not, it shows at once.

    >>> found = promised(0.8, 1_600, window_hours=24)
    >>> round(found.loss, 2), round(found.error, 2), found.rho
    (0.2, 0.01, 0.0025)
    """
    if rows < 1:
        raise Invalid("An evaluation without rows promises nothing; evaluate the version first.")
    loss = float(np.clip(1 - accuracy, _LEAST_LOSS, _MOST_LOSS))
    rho = min(DAILY_RHO * max(_DAY / window_hours, 1.0), _MOST_RHO)
    error = sqrt(loss * (1 - loss) / rows)
    return Expected(loss, error, rho, 0, rows, window_hours)


def _between(wrong: Array, rows: Array, loss: float, length: int) -> float:
    blocks = rows.size // length
    if blocks < FEWEST_WINDOWS:
        return 0.0
    k = wrong[: blocks * length].reshape(blocks, length).sum(axis=1)
    own = rows[: blocks * length].reshape(blocks, length)
    n = own.sum(axis=1)
    seen = float(((k / n - loss) ** 2).mean()) * (1 + _UPPER_95 * sqrt(2 / blocks))
    by_chance = float((loss * (1 - loss) / n).mean())
    return (seen - by_chance) / float(((own**2).sum(axis=1) / n**2).mean())
