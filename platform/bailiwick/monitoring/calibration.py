"""What quiet windows look like: season, latent noise, and how far its innovations really wander.

Steps, for contrasts x of shape (T, C) over T windows:

1. Weighted least squares on the season's columns, weights 1 / (a + v / N_t), `a` by moments.
2. (a, phi) of the latent AR(1) from the residuals (`whitening.fit_latent`), and from their
   spectrum how far each part of the season stands out of the noise: it is shrunk accordingly.
3. Leave-one-fold-out residuals (a fold is a week), so that every window is judged by a season
   that has not seen it; they go through the filter, and out come innovations z.
4. Pairs (z_i + z_j) / sqrt 2 and (z_i - z_j) / sqrt 2 of main contrasts: two features that move
   together show twice the information of one, and a difference is free of what both share.
5. Long-run variance of every single and pair by means of blocks of a day (Carlstein, Annals of
   Statistics 14 (1986) 1171), half shrunk to the mean over all of its kind; times the upper 95 %
   limit of that mean over itself. Where features wander independently the mean is sharp and the
   limit costs 5 %; where they share a factor it is not, and costs what it must.
6. For each lambda of the detector a charge max(0, log G), G the mean over the same innovations,
   standardised and clipped, of exp(lambda y - lambda^2 / 2), half shrunk likewise: Gaussian
   innovations have G = 1, heavier tails more, and then their evidence is worth less.

What steps 1 and 2 get wrong (a second time scale, a sharper season, coefficients learned from
few weeks) appears in 3 as innovations that wander, and 5 charges for it.

Assumes that the baseline holds no drift of its own: a change inside it inflates `a` and makes the
detector slow, not noisy. NOT guaranteed: wandering slower than the baseline is long is unseen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bailiwick.monitoring.contrasts import Contrast
from bailiwick.monitoring.regression import NormalEquations, shrinkage
from bailiwick.monitoring.seasons import Array, Season
from bailiwick.monitoring.shapes import is_cut
from bailiwick.monitoring.whitening import (
    MAX_STEP,
    FilterState,
    Latent,
    advance,
    fit_latent,
    start,
)

MIN_ROWS = 30  # below, a window is not judged: its share of anything is hardly a share
LAMBDAS = np.array([0.25, 0.5, 1.0, 2.0])
CLIP = 5.0
MAX_PAIRED_FEATURES = 24
PAIRED_SHARES = 4

_MIN_VARIANCE = 0.01  # of one row: a category of 1 %, below the tolerance of any share
_FEWEST_BLOCK = 3
_HOURS_PER_DAY = 24.0
_MIN_BLOCKS = 8
_UPPER_95 = 1.645


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The numbers of a baseline; leading axes may stack several baselines of one shape.

    Compared by identity, as all values here that hold arrays: a baseline's digest says what is
    equal.

    coefficients (..., columns, C); a, phi, v (..., C): see `whitening`; spread (..., C + P):
    long-run standard deviation of the innovations of C singles and P pairs; charge (..., C + P, 4):
    for each lambda, what tails heavier than Gaussian cost; windows (...,): judged windows behind
    the means.
    """

    coefficients: Array
    a: Array
    phi: Array
    v: Array
    spread: Array
    charge: Array
    windows: Array

    @property
    def latent(self) -> Latent:
        """What the whitening filter needs."""
        return Latent(self.a, self.phi, self.v)

    def expected(self, design: Array) -> Array:
        """The season at one row of the design, shape (columns,): shape (..., C)."""
        found: Array = np.einsum("p,...pc->...c", design, self.coefficients)
        return found

    def to_json(self) -> dict[str, Any]:
        """Nested lists of numbers."""
        return {item.name: getattr(self, item.name).tolist() for item in fields(self)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Model":
        """The model that `to_json` wrote, to the last bit."""
        return cls(**{name: np.array(inner, dtype=np.float64) for name, inner in value.items()})

    def part(self, singles: NDArray[np.intp], pairs: NDArray[np.intp]) -> "Model":
        """The model of some contrasts and pairs only, given by their places."""
        both = np.concatenate([singles, self.v.shape[-1] + pairs])
        return Model(
            coefficients=self.coefficients[..., singles],
            a=self.a[..., singles],
            phi=self.phi[..., singles],
            v=self.v[..., singles],
            spread=self.spread[..., both],
            charge=self.charge[..., both, :],
            windows=self.windows,
        )

    def beside(self, other: "Model") -> "Model":
        """Both as one: the singles of the other, which has no pairs, come after those here."""
        singles = self.v.shape[-1]

        def joined(mine: Array, theirs: Array, *, axis: int = -1) -> Array:
            own, pairs = np.split(mine, [singles], axis=axis)
            return np.concatenate([own, theirs, pairs], axis=axis)

        return Model(
            coefficients=joined(self.coefficients, other.coefficients),
            a=joined(self.a, other.a),
            phi=joined(self.phi, other.phi),
            v=joined(self.v, other.v),
            spread=joined(self.spread, other.spread),
            charge=joined(self.charge, other.charge, axis=-2),
            windows=self.windows,
        )

    @classmethod
    def stacked(cls, models: Sequence["Model"]) -> "Model":
        """Several models of one shape as one, along a new first axis."""
        return cls(
            *(np.stack([getattr(model, item.name) for model in models]) for item in fields(cls))
        )


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Places of two contrasts, and whether they are added (+1) or subtracted (-1): shape (P,)."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    sign: Array

    def extend(self, z: Array) -> Array:
        """(..., C) to (..., C + P)."""
        pairs = (z[..., self.first] + self.sign * z[..., self.second]) / np.sqrt(2.0)
        return np.concatenate([z, pairs], axis=-1)

    def widen(self, band: Array) -> Array:
        """Half widths (..., C) to (..., C + P): both of a pair may use theirs up."""
        pairs = (band[..., self.first] + band[..., self.second]) / np.sqrt(2.0)
        return np.concatenate([band, pairs], axis=-1)


def pairs_of(contrasts: Sequence[Contrast]) -> Pairs:
    """Levels of two numeric features, added and subtracted; shares of one feature, subtracted.

    At most the first `MAX_PAIRED_FEATURES` levels and, of each categorical feature, its
    `PAIRED_SHARES` most frequent names.
    """
    levels = [place for place, contrast in enumerate(contrasts) if contrast.main]
    found = [
        (first, second, sign)
        for first, second in combinations(levels[:MAX_PAIRED_FEATURES], 2)
        for sign in (1.0, -1.0)
    ]
    shares: dict[str, list[int]] = {}
    for place, contrast in enumerate(contrasts):
        if contrast.name.startswith("share of ") and not is_cut(contrast.feature):
            shares.setdefault(contrast.feature, []).append(place)
    for places in shares.values():
        found += [
            (first, second, -1.0) for first, second in combinations(places[:PAIRED_SHARES], 2)
        ]
    first, second, sign = zip(*found, strict=True) if found else ((), (), ())
    return Pairs(np.array(first, np.intp), np.array(second, np.intp), np.array(sign, np.float64))


def block_of(window_hours: float) -> int:
    """Windows a block of the long-run variance: a day, at least three."""
    return max(round(_HOURS_PER_DAY / window_hours), _FEWEST_BLOCK)


def calibrate(
    x: Array,
    rows: Array,
    *,
    season: Season,
    hours: Array,
    fold: NDArray[np.intp],
    variance: Array,
    pairs: Pairs,
    window_hours: float,
) -> Model:
    """Fit one baseline.

    x, rows: shape (T, C) on a gapless grid of windows, `rows` 0 where there is none; hours,
    fold: shape (T,); variance: v of one row, shape (C,).
    """
    seen = rows >= MIN_ROWS
    v = np.maximum(variance, _MIN_VARIANCE)
    noise = v / np.where(seen, rows, 1.0)
    judged = np.maximum(seen.sum(axis=0), 1)
    mean_noise = (noise * seen).sum(axis=0) / judged
    design = season.design(hours)
    equations = NormalEquations.of(x, seen, noise, design, fold)
    plain = equations.solved()
    residual = np.where(seen, x - design @ plain, 0.0)
    hidden = season.frequencies(window_hours)
    latent = fit_latent(residual, mean_noise, v, hidden=hidden)
    spectrum = latent.spectrum(season.column_frequencies(window_hours), mean_noise)
    penalty = shrinkage(plain, design, spectrum, season.column_groups())
    coefficients, without = equations.solved(penalty), equations.solved_without(penalty)
    held_out = x - np.einsum("tp,tpc->tc", design, without[fold])
    z = _innovations(latent, held_out, np.where(seen, rows, 0.0))
    singles = x.shape[1]
    everything, there = pairs.extend(z), _extended(seen, pairs)
    blocks = _block_squares(everything, there, block_of(window_hours))
    long_run = [_long_run_variance(blocks[:, :singles]), _long_run_variance(blocks[:, singles:])]
    spread = np.sqrt(np.concatenate([np.maximum(long_run[0], 1.0), long_run[1]]))
    charge = _charge(everything / spread, there, singles)
    windows = np.array(float(judged.min()))
    return Model(coefficients, latent.a, latent.phi, v, spread, charge, windows)


def _innovations(latent: Latent, residual: Array, rows: Array) -> Array:
    state: FilterState = start(latent)
    z = np.zeros_like(residual)
    for place in range(residual.shape[0]):
        state, step = advance(latent, state, residual[place], rows[place])
        z[place] = np.clip(step.z, -MAX_STEP, MAX_STEP)
    return z


def _extended(seen: NDArray[np.bool_], pairs: Pairs) -> NDArray[np.bool_]:
    both = seen[:, pairs.first] & seen[:, pairs.second]
    return np.concatenate([seen, both], axis=1)


def _block_squares(z: Array, seen: NDArray[np.bool_], block: int) -> Array:
    """Squares of block sums over the mean number of windows judged in a block: (blocks, K)."""
    length = max(1, min(block, z.shape[0] // _MIN_BLOCKS))
    whole = z.shape[0] // length * length
    sums = np.where(seen, z, 0.0)[:whole].reshape(-1, length, z.shape[1]).sum(axis=1)
    counts = seen[:whole].reshape(-1, length, z.shape[1]).sum(axis=1)
    found: Array = sums**2 / np.maximum(counts.mean(axis=0), 1.0)
    return found


def _long_run_variance(blocks: Array) -> Array:
    """(blocks, K) to (K,): half own, half the mean of the kind, with its uncertainty on top."""
    own: Array = blocks.mean(axis=0)
    moving = blocks[:, own > 0]  # constants say nothing about the others
    if not moving.size:
        return np.ones_like(own)
    typical = moving.mean(axis=1)
    mean = float(typical.mean())
    error = float(typical.std(ddof=1)) / np.sqrt(typical.size) / mean
    found: Array = float(1 + _UPPER_95 * error) * (own + mean) / 2
    return found


def _charge(y: Array, seen: NDArray[np.bool_], singles: int) -> Array:
    """max(0, log G) of every single and pair and every lambda, shape (K, 4)."""
    both = np.clip(np.stack([y, -y]), -CLIP, CLIP)
    judged = np.maximum(seen.sum(axis=0), 1)
    growth = np.stack(
        [
            (np.exp(rate * both - rate**2 / 2).mean(axis=0) * seen).sum(axis=0) / judged
            for rate in LAMBDAS
        ],
        axis=-1,
    )
    for kind in (slice(0, singles), slice(singles, None)):
        if growth[kind].size:
            growth[kind] = (growth[kind] + growth[kind].mean(axis=0)) / 2
    found: Array = np.log(np.maximum(growth, 1.0))
    return found
