"""How often a model is right at a given confidence, re-weighted to look like a window.

The reference is a tally of labelled rows that the model did not learn from, n and k right of them
by (stratum s, label l, bin b). For a window with w rows by cell:

    r_sl = min(w_sl. / n_sl., 20 w.../ n...)        the reference re-weighted to the window's mix
    c_b  = isotonic in b of (sum_sl r_sl k_slb + m_b) / (sum_sl r_sl n_slb + 1)
    accuracy = sum_b w_b c_b / w                    the mean calibrated confidence

m_b is the bin's middle: one row's worth of believing the model. With r = 1 this is CBPE (Bialek
et al., 2407.08649: average calibrated confidence); re-weighting and calibrating anew for each
window is the idea of PAPE (Bialek et al., 2401.08348), which estimates r_x for every row by a
classifier; here r is known on strata and labels only, from counts, so that it merges and costs
the same at any traffic. Isotonic regression: pool adjacent violators (Ayer et al., 1955).

Assumes covariate shift: P(right | stratum, label, confidence) is as in the reference. NOT
guaranteed, and not to be seen from confidences: a changed concept (labels that mean something
else, new labels). Only labels tell; see `estimates`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.performance.confidences import Counts, Grid, Tally
from bailiwick.monitoring.seasons import Array

LARGEST_WEIGHT = 20.0  # a few rows of the reference never speak for a whole window
FEWEST_IN_CELL = 10
_CONFIDENCE_OF_ROWS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Labelled reference counts on a grid; it never changes: a refit is another calibration."""

    grid: Grid
    labelled: Counts
    correct: Counts
    unknown: int

    @property
    def rows(self) -> int:
        """Labelled rows."""
        return int(self.labelled.sum())

    @property
    def accuracy(self) -> float:
        """Accuracy on the reference."""
        return float(self.correct.sum() / self.labelled.sum())

    @property
    def unknown_share(self) -> float:
        """Share of the labelled rows whose label the model cannot say."""
        return self.unknown / self.rows

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON."""
        return digest_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: only cells that hold something."""
        cells = [
            [*map(int, place), int(self.labelled[tuple(place)]), int(self.correct[tuple(place)])]
            for place in np.argwhere(self.labelled)
        ]
        return {"grid": self.grid.to_json(), "cells": cells, "unknown": self.unknown}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Calibration":
        """The calibration that `to_json` wrote."""
        grid = Grid.from_json(value["grid"])
        labelled, correct = np.zeros((2, *grid.shape), dtype=np.int64)
        for stratum, label, place, rows, right in value["cells"]:
            labelled[stratum, label, place] = rows
            correct[stratum, label, place] = right
        return cls(grid, labelled, correct, value["unknown"])


@dataclass(frozen=True, slots=True)
class Reading:
    """What a calibration makes of some cells, before anybody asks whether to believe it.

    accuracy: re-weighted; plain: CBPE, without re-weighting; sampling, common: variance of the
    error from the window's own rows, and from the reference's, which all windows share;
    unseen_share: of the window, where the reference holds fewer than `FEWEST_IN_CELL` rows of the
    stratum and label, or of the confidence; effective_rows: the re-weighted reference's,
    (sum r n)^2 / sum r^2 n.
    """

    accuracy: float
    plain: float
    sampling: float
    common: float
    rows: int
    unseen_share: float
    effective_rows: float


def fit(grid: Grid, reference: Tally) -> Calibration:
    """From labelled rows that the model has not learned from, best the newest ones.

    Raises `Invalid` for a tally of another grid or without labels. Calling it again with newer
    labels is how one refits: nothing here does so by itself.
    """
    if reference.grid != grid.digest:
        raise Invalid("The reference was counted on another grid; count its rows on this one.")
    if not reference.labelled.any():
        raise Invalid("No row of the reference has a label: confidences cannot be calibrated.")
    return Calibration(grid, reference.labelled, reference.correct, reference.unknown)


def read(calibration: Calibration, cells: Counts) -> Reading:
    """The accuracy to expect of `cells`, shape `Grid.shape`; raises `Invalid` if they are empty.

    >>> from bailiwick.monitoring.performance.confidences import tally
    >>> random, grid = np.random.default_rng(3), Grid(("fuel", "food"))
    >>> def rows(sure):  # a model that is 10 points too sure
    ...     right = random.random(sure.size) < sure - 0.1
    ...     return tally(grid, sure, ["fuel"] * sure.size, np.where(right, "fuel", "food").tolist())
    >>> known = fit(grid, rows(random.uniform(0.5, 1.0, 4_000)))
    >>> window = rows(random.uniform(0.5, 0.7, 4_000))
    >>> round(read(known, window.rows).accuracy, 2), round(float(window.correct.sum()) / 4_000, 2)
    (0.51, 0.5)
    """
    total = int(cells.sum())
    if not total:
        raise Invalid("This window has no row with a confidence; its accuracy cannot be estimated.")
    mix, known = cells.sum(axis=2), calibration.labelled.sum(axis=2)
    even = total / calibration.rows
    weight = np.minimum(mix / np.maximum(known, 1), LARGEST_WEIGHT * even) / even
    shares = cells.sum(axis=(0, 1)) / total
    curve, error = _curve(calibration, weight)
    plain, _ = _curve(calibration, np.ones_like(weight))
    counted = weight * known
    squares = float((weight * counted).sum())
    return Reading(
        accuracy=float(shares @ curve),
        plain=float(shares @ plain),
        sampling=float(shares @ (curve * (1 - curve))) / total,
        common=float(shares**2 @ error),
        rows=total,
        unseen_share=_unseen(calibration, cells),
        effective_rows=float(counted.sum()) ** 2 / squares if squares else 0.0,
    )


def isotonic(values: Array, weights: Array) -> Array:
    """The non-decreasing sequence nearest to `values` in weighted squares, by pooling.

    >>> isotonic(np.array([1.0, 3.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0, 1.0])).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, length = value, weight, 1
        while pools and pools[-1][0] >= mean:
            before, held, places = pools.pop()
            mean = (before * held + mean * mass) / (held + mass)
            mass, length = held + mass, length + places
        pools.append((mean, mass, length))
    return np.repeat([mean for mean, _, _ in pools], [length for _, _, length in pools])


def _curve(calibration: Calibration, weight: Array) -> tuple[Array, Array]:
    """Accuracy by bin and its variance, both of shape (bins,)."""
    rows = np.einsum("sl,slb->b", weight, calibration.labelled)
    right = np.einsum("sl,slb->b", weight, calibration.correct)
    mass = rows + _CONFIDENCE_OF_ROWS
    raw = (right + _CONFIDENCE_OF_ROWS * calibration.grid.middles) / mass
    curve = isotonic(raw, mass)
    noise = np.einsum("sl,slb->b", weight**2, calibration.labelled) + _CONFIDENCE_OF_ROWS
    error: Array = curve * (1 - curve) * noise / mass**2
    return curve, error


def _unseen(calibration: Calibration, cells: Counts) -> float:
    mixed = calibration.labelled.sum(axis=2) >= FEWEST_IN_CELL
    binned = calibration.labelled.sum(axis=(0, 1)) >= FEWEST_IN_CELL
    seen = mixed[:, :, None] & binned
    return float(cells[~seen].sum() / cells.sum())
