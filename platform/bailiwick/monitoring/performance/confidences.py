"""What is kept of a window to estimate its accuracy: counts by stratum, label and confidence.

Cells merge by addition and their number does not depend on the rows, nor does anything that is
computed from them. Labels that come late are a tally of their own without rows (`of_labels`),
merged into the window that the records belong to.

A stratum is any category known at prediction time that says how hard a row is. Best measured: how
much of the text the model never saw in training (`benchmarks/estimated_accuracy.py`).

NOT guaranteed: differences inside a cell are lost, and cells are all that estimates can re-weight.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.seasons import Array

Counts = NDArray[np.int64]
Words = Sequence[str] | NDArray[Any]

OWN_CELLS = 30
_MIDDLE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
EDGES = (*_MIDDLE, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999)  # finer where models crowd


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells, fixed once: tallies of different grids cannot be merged.

    `labels`: all that the model can say, most frequent first; the first `own` get cells of their
    own, the others share one. `strata`: names; rows of another name count in the last. `edges`:
    ascending bounds of left-closed bins of confidence.
    """

    labels: tuple[str, ...]
    strata: tuple[str, ...] = ("all",)
    edges: tuple[float, ...] = EDGES
    own: int = OWN_CELLS

    def __post_init__(self) -> None:
        if not (self.labels and self.strata and self.edges):
            raise Invalid("A grid needs at least one label, one stratum and one edge.")
        if any(low >= high for low, high in pairwise((0.0, *self.edges, 1.0))):
            raise Invalid("Edges of confidence must ascend strictly between 0 and 1.")
        for names in (self.labels, self.strata):
            if len(set(names)) != len(names):
                raise Invalid("Labels and strata must be different names.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(strata, labels with the shared cell, bins)."""
        return len(self.strata), min(self.own, len(self.labels)) + 1, len(self.edges) + 1

    @property
    def middles(self) -> Array:
        """The middle of each bin, shape (bins,)."""
        bounds = np.array([0.0, *self.edges, 1.0])
        middles: Array = (bounds[1:] + bounds[:-1]) / 2
        return middles

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON."""
        return digest_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Grid":
        """The grid that `to_json` wrote."""
        lists = {name: tuple(value[name]) for name in ("labels", "strata", "edges")}
        return cls(**lists, own=value["own"])


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """One window: arrays of shape `Grid.shape`.

    rows: predictions; labelled, correct: those of them whose label is known, and was met;
    confidence: sum of the confidences of labelled rows by bin, shape (bins,); unknown: labelled
    rows whose true label the model cannot say; missing: rows without a confidence, in no cell.
    """

    grid: str
    rows: Counts
    labelled: Counts
    correct: Counts
    confidence: Array
    unknown: int = 0
    missing: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        if self.grid != other.grid:
            raise Invalid(
                "These windows were counted on different grids; count their rows again on one."
            )
        return Tally(
            self.grid,
            self.rows + other.rows,
            self.labelled + other.labelled,
            self.correct + other.correct,
            self.confidence + other.confidence,
            self.unknown + other.unknown,
            self.missing + other.missing,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: only cells that hold something."""
        stacked = np.stack([self.rows, self.labelled, self.correct], axis=-1)
        places = np.argwhere(stacked.any(axis=-1))
        cells = [[*map(int, place), *map(int, stacked[tuple(place)])] for place in places]
        return {
            "grid": self.grid,
            "shape": list(self.rows.shape),
            "cells": cells,
            "confidence": self.confidence.tolist(),
            "unknown": self.unknown,
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Tally":
        """The tally that `to_json` wrote, to the last bit."""
        stacked = np.zeros((*value["shape"], 3), dtype=np.int64)
        for stratum, label, place, *counted in value["cells"]:
            stacked[stratum, label, place] = counted
        rows, labelled, correct = np.moveaxis(stacked, -1, 0)
        confidence = np.array(value["confidence"], dtype=np.float64)
        return cls(
            value["grid"], rows, labelled, correct, confidence, value["unknown"], value["missing"]
        )


def empty(grid: Grid) -> Tally:
    """A window of no rows."""
    nothing = np.zeros(grid.shape, dtype=np.int64)
    return Tally(grid.digest, nothing, nothing, nothing, np.zeros(grid.shape[2]))


def tally(
    grid: Grid,
    confidences: Sequence[float | None] | Array,
    predictions: Words,
    truths: Sequence[str | None] | NDArray[Any] | None = None,
    strata: Words | None = None,
) -> Tally:
    """Count some rows, given as columns of equal length; a truth of None is not known yet.

    Raises `Invalid` for confidences outside [0, 1] and columns of different lengths.

    >>> grid = Grid(("fuel", "food"))
    >>> window = tally(grid, [0.9, 0.6, 0.6], ["fuel", "food", "food"], ["fuel", None, "books"])
    >>> int(window.rows.sum()), int(window.labelled.sum()), int(window.correct.sum())
    (3, 2, 1)
    >>> window.unknown
    1
    """
    said = np.asarray(predictions, dtype=np.str_)
    sure = np.array([np.nan if value is None else value for value in confidences], np.float64)
    given = [len(column) for column in (truths, strata) if column is not None]
    if {said.size, *given} != {sure.size}:
        raise Invalid("All columns of a window must have the same number of rows.")
    there = ~np.isnan(sure)
    if np.any((sure[there] < 0) | (sure[there] > 1)):
        raise Invalid("A confidence lies between 0 and 1; send the probability of the prediction.")
    cell = (_strata(grid, strata, sure.size), _labels(grid, said), _bins(grid, sure))
    true = [None] * sure.size if truths is None else list(truths)
    known = np.array([truth is not None for truth in true], dtype=np.bool_)
    right = np.array([truth == word for truth, word in zip(true, said.tolist(), strict=True)], bool)
    labelled = there & known
    unknown = set(true) - set(grid.labels) - {None}
    return Tally(
        grid.digest,
        _counted(grid, cell, there),
        _counted(grid, cell, labelled),
        _counted(grid, cell, labelled & right),
        np.bincount(cell[2][labelled], sure[labelled], grid.shape[2]).astype(np.float64),
        sum(truth in unknown for truth, here in zip(true, there.tolist(), strict=True) if here),
        int(sure.size - there.sum()),
    )


def of_labels(
    grid: Grid,
    confidences: Sequence[float | None] | Array,
    predictions: Words,
    truths: Words,
    strata: Words | None = None,
) -> Tally:
    """Labels that came after their rows were counted: the same without rows."""
    found = tally(grid, confidences, predictions, truths, strata)
    return Tally(
        found.grid,
        np.zeros_like(found.rows),
        found.labelled,
        found.correct,
        found.confidence,
        found.unknown,
    )


def _strata(grid: Grid, strata: Words | None, rows: int) -> NDArray[np.intp]:
    places = {name: place for place, name in enumerate(grid.strata)}
    last = len(places) - 1
    given = [grid.strata[0]] * rows if strata is None else strata
    return np.array([places.get(str(name), last) for name in given], dtype=np.intp)


def _labels(grid: Grid, said: NDArray[np.str_]) -> NDArray[np.intp]:
    shared = grid.shape[1] - 1
    places = {label: place for place, label in enumerate(grid.labels[:shared])}
    return np.array([places.get(str(word), shared) for word in said], dtype=np.intp)


def _bins(grid: Grid, sure: Array) -> NDArray[np.intp]:
    return np.searchsorted(np.array(grid.edges), np.nan_to_num(sure), side="right")


def _counted(grid: Grid, cell: tuple[NDArray[np.intp], ...], chosen: NDArray[np.bool_]) -> Counts:
    flat = np.ravel_multi_index([place[chosen] for place in cell], grid.shape)
    counts = np.bincount(flat, minlength=int(np.prod(grid.shape)))
    return counts.reshape(grid.shape).astype(np.int64)
