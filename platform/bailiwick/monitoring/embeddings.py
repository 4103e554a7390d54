"""Where a text lies in its model's own space, as eight bounded numbers that say little else.

An embedding x is brought to unit length and seen through random Fourier features

    phi_j(x) = sqrt(2) cos(w_j.x + b_j),    w_j normal with deviation 1 / (its direction's scale),

whose inner products approximate Gaussian kernels (Rahimi, Recht, NeurIPS 2007). Each of eight
directions is the sum of 32 of them with random signs, divided by sqrt(32); two directions share a
scale: pooled outputs of encoders lie anywhere from close together to spread out, and scales that
are fixed before any text was seen need no sample of raw embeddings. Means of the eight over a
window move when texts are about something else.

They lie in [-8, 8] and are kept as 16-bit integers, so that sums are exact in any order.

NOT guaranteed: equal texts have equal directions, and texts that are alike similar ones.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bailiwick.monitoring.seasons import Array

DIRECTIONS = 8
STEPS = 4_095  # of the integers to one
EMBEDDING_BYTES = 2 * DIRECTIONS
SEED = 20_261_123
_TERMS = 32
_SCALES = (0.15, 0.3, 0.6, 1.2)  # distances of unit vectors lie in [0, 2]

Directions = NDArray[np.int16]


def directions_of(vectors: NDArray[Any], *, seed: int = SEED) -> Directions:
    """(n, dimensions) to (n, 8), in steps of 1 / 4095.

    >>> directions_of(np.eye(3)).shape
    (3, 8)
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(length > 0, length, 1.0)
    weights, phases, signs = _draw(vectors.shape[1], seed)
    features = np.sqrt(2.0) * np.cos(units @ weights + phases)
    grouped = (features * signs).reshape(-1, DIRECTIONS, _TERMS).sum(axis=2) / np.sqrt(_TERMS)
    found: Directions = np.rint(grouped * STEPS).astype(np.int16)
    return found


def packed(directions: Directions) -> list[bytes]:
    """Each row as the bytes that a record keeps: little-endian, 16 of them."""
    whole = directions.astype("<i2").tobytes()
    return [whole[at : at + EMBEDDING_BYTES] for at in range(0, len(whole), EMBEDDING_BYTES)]


def unpacked(rows: Sequence[bytes]) -> Directions:
    """(n, 8) of what `packed` made."""
    found: Directions = np.frombuffer(b"".join(rows), dtype="<i2").reshape(-1, DIRECTIONS)
    return found


def packed_rows(vectors: Sequence[Sequence[float] | Array | None]) -> list[bytes | None]:
    """The same of embeddings as they come: of any length, or none at all."""
    found: list[bytes | None] = [None] * len(vectors)
    places: dict[int, list[int]] = {}
    for place, vector in enumerate(vectors):
        if vector is not None:
            places.setdefault(len(vector), []).append(place)
    for rows in places.values():
        alike = np.array([vectors[row] for row in rows], dtype=np.float64)
        for row, kept in zip(rows, packed(directions_of(alike)), strict=True):
            found[row] = kept
    return found


@lru_cache(maxsize=8)
def _draw(dimensions: int, seed: int) -> tuple[Array, Array, Array]:
    """(dimensions, terms), (terms,), (terms,), the same for ever.

    NumPy promises that of a bit generator's raw stream, not of its normal distribution (NEP 19);
    hence Box and Muller.
    """
    terms = DIRECTIONS * _TERMS
    stream = np.random.PCG64(np.random.SeedSequence([seed, dimensions]))

    def uniform(count: int) -> Array:
        raw = np.array(stream.random_raw(count) >> np.uint64(11), dtype=np.float64)
        return (raw + 0.5) / 2.0**53

    radius = np.sqrt(-2 * np.log(uniform(dimensions * terms)))
    normal = radius * np.cos(2 * np.pi * uniform(dimensions * terms))
    scales = np.repeat(np.resize(_SCALES, DIRECTIONS), _TERMS)
    signs = np.where(uniform(terms) < 0.5, -1.0, 1.0)  # noqa: PLR2004 - a fair coin
    return normal.reshape(dimensions, terms) / scales, 2 * np.pi * uniform(terms), signs
