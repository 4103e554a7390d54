"""Rows for detectors that read rows: the very streams of which ours reads the counts.

A window is a draw of counts in the bins of each feature. Given the counts, each row is drawn from
the world's distribution inside its bin, in random order: so the rows have exactly those counts, and
are distributed as rows of that world are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from drift_worlds import (
    CATEGORIES,
    FEATURES,
    NUMERIC,
    Array,
    Traffic,
    distribution,
    quantiles,
)
from numpy.typing import NDArray

from bailiwick.monitoring.shapes import NumericShape

REFERENCE_ROWS, REFERENCE_WINDOWS = 20_000, 42
_NEARLY = 1e-16  # a row at infinity has no place in a stream


@dataclass(frozen=True, slots=True)
class Rows:
    """`numeric`: (rows, 10) float64. `codes`: (rows, 5) int8, places in each column's categories.

    `ends`: (windows,), the number of rows up to and with each window.
    """

    numeric: Array
    codes: NDArray[np.int8]
    ends: NDArray[np.int64]


def rows_of(
    traffic: Traffic, stream: int, windows: Iterable[int], random: np.random.Generator
) -> Rows:
    """The rows of these windows of one stream, in order."""
    numeric, codes = [np.zeros((0, len(NUMERIC)))], [np.zeros((0, len(CATEGORIES)), np.int8)]
    sizes = []
    for window in windows:
        columns = [_column(traffic, stream, window, name, random) for name in FEATURES]
        numeric.append(np.stack(columns[: len(NUMERIC)], axis=1))
        codes.append(np.stack(columns[len(NUMERIC) :], axis=1).astype(np.int8))
        sizes.append(int(traffic.rows[stream, window]))
    return Rows(np.concatenate(numeric), np.concatenate(codes), np.cumsum(sizes, dtype=np.int64))


def _column(
    traffic: Traffic, stream: int, window: int, name: str, random: np.random.Generator
) -> Array | NDArray[np.intp]:
    counts = traffic.counts[name][stream, window]
    places = random.permutation(np.repeat(np.arange(counts.size), counts))
    if name in CATEGORIES:
        return places
    shape = next(shape for shape in traffic.layout.features if shape.name == name)
    if not isinstance(shape, NumericShape):
        raise TypeError(f"{name} is not numeric.")
    where = traffic.location[stream, window, FEATURES.index(name)]
    below = np.concatenate(
        [[0.0], distribution(np.array(shape.edges) - where, heavy=traffic.world.heavy), [1.0]]
    )
    inside = below[places] + random.random(places.size) * (below[places + 1] - below[places])
    inside = np.clip(inside, _NEARLY, 1 - _NEARLY)
    return where + quantiles(inside, heavy=traffic.world.heavy)


def reference_windows(rows: int, baseline: int, random: np.random.Generator) -> list[int]:
    """Windows of the baseline, drawn from all of it, that give peers at least 20,000 rows.

    42 windows at least, so that a peer that learns from whole windows sees days and nights.
    """
    wanted = min(baseline, max(REFERENCE_WINDOWS, -(-REFERENCE_ROWS // rows)))
    return sorted(random.choice(baseline, wanted, replace=False).tolist())


def write(path: Path, *, reference: Rows, before: Rows, windows: Rows) -> Path:
    """One stream for peers: reference, quiet windows before, and the windows to judge."""
    parts = {"reference": reference, "before": before, "windows": windows}
    np.savez(
        path,
        numeric_names=np.array(NUMERIC),
        category_names=np.array(list(CATEGORIES)),
        categories=np.array([len(shares) for shares in CATEGORIES.values()]),
        **{
            f"{name}_{field}": getattr(rows, field)
            for name, rows in parts.items()
            for field in Rows.__slots__
        },
    )
    return path


def write_stream(
    path: Path,
    traffic: Traffic,
    stream: int,
    *,
    baseline: int,
    before: Sequence[int],
    windows: Sequence[int],
    seed: int,
) -> Path:
    """These windows of a stream with its own reference; rows come from `seed` alone."""
    random = np.random.default_rng(seed)
    typical = int(np.median(traffic.rows[stream, :baseline]))
    chosen = reference_windows(typical, baseline, random)
    return write(
        path,
        reference=rows_of(traffic, stream, chosen, random),
        before=rows_of(traffic, stream, before, random),
        windows=rows_of(traffic, stream, windows, random),
    )
