"""From a correlated series to nearly independent steps: a latent AR(1) seen through sampling noise.

Model of one contrast after its season is removed, at window t with N_t rows:

    r_t = u_t + e_t,   u_t = phi u_{t-1} + w_t,   Var u = a,   Var e_t = v / N_t

v is the multinomial variance of one row, a the spread of what windows really are. `a` is what
stops a large N from turning every wiggle into "drift": the floor below which more rows do not
help. The Kalman filter turns r_t into innovations z_t, which are standard normal and independent
if the model is true (Anderson, Moore, "Optimal Filtering", 1979, chapter 5).

(a, phi) are chosen on a grid by the Whittle likelihood of the periodogram (Whittle, Arkiv foer
Matematik 2 (1953) 423), with a prior over the grid that all contrasts share and is learned from
them (empirical Bayes, two rounds), so that one noisy contrast borrows from the others.

NOT guaranteed: one time scale and Gaussian steps are a model, not the truth. What it leaves over
is measured by the long-run variance of the innovations in `baselines`.
"""

from dataclasses import dataclass

import numpy as np

from bailiwick.monitoring.seasons import Array

MAX_STEP = 5.0  # innovations beyond this many standard deviations move the filter no further

_PHI = np.array([0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98])
_RATIO = np.concatenate([[0.0], np.geomspace(0.01, 3000.0, 24)])  # a over the mean of v / N
_ROUNDS = 2
_NO_POWER = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """What the filter assumes of each contrast; arrays of shape (..., C)."""

    a: Array
    phi: Array
    v: Array

    def spectrum(self, frequency: Array, noise: Array) -> Array:
        """Spectral density at `frequency` (F,) cycles a window, over mean v / N (C,): (F, C)."""
        turn = np.cos(2 * np.pi * frequency)[:, None]
        found: Array = noise + self.a * (1 - self.phi**2) / (1 + self.phi**2 - 2 * self.phi * turn)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class FilterState:
    """Predicted latent value and its variance, before the next window: shape (..., C)."""

    mean: Array
    variance: Array


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Standardised innovation z, and how far z moves, in the long run, per unit of a shift."""

    z: Array
    response: Array


def start(latent: Latent) -> FilterState:
    """Before the first window nothing is known but the stationary distribution."""
    return FilterState(np.zeros_like(latent.a), latent.a.copy())


def advance(
    latent: Latent, state: FilterState, residual: Array, rows: Array, *, clip: float = MAX_STEP
) -> tuple[FilterState, Step]:
    """One window: `residual` and `rows` of shape (..., C); contrasts without rows only age.

    A constant shift of size delta moves the innovations, once the filter has settled with gain
    K, by delta (1 - phi) / (1 - phi + phi K) / sd: that factor is `response`. It is smaller than
    the first innovation, because the filter follows a part of every shift.
    """
    seen = rows > 0
    total = state.variance + latent.v / np.maximum(rows, 1.0)
    deviation = np.sqrt(total)
    z = np.where(seen, (residual - state.mean) / deviation, 0.0)
    gain = np.where(seen, state.variance / total, 0.0)
    mean = latent.phi * (state.mean + gain * deviation * np.clip(z, -clip, clip))
    squared = latent.phi**2
    variance = squared * state.variance * (1 - gain) + (1 - squared) * latent.a
    settled = (1 - latent.phi) / (1 - latent.phi + latent.phi * gain)
    return FilterState(mean, variance), Step(z, settled / deviation)


def fit_latent(residual: Array, noise: Array, v: Array, *, hidden: Array) -> Latent:
    """(a, phi) of every contrast from its residuals.

    `residual`: shape (T, C), 0 where a window is missing. `noise`: mean of v / N_t, shape (C,).
    `hidden`: frequencies that the season's regression has taken out, in cycles a window; they
    are left out, as is frequency 0, since a periodogram is near 0 there whatever the truth.
    """
    windows = residual.shape[0]
    frequency = np.fft.rfftfreq(windows)[1:]
    power = np.abs(np.fft.rfft(residual, axis=0)[1:]) ** 2 / windows
    resolution = 0.75 / windows
    kept = np.array([np.all(np.abs(f - hidden) > resolution) for f in frequency], dtype=bool)
    turn = np.cos(2 * np.pi * frequency[kept])
    shape = (1 - _PHI[:, None] ** 2) / (1 + _PHI[:, None] ** 2 - 2 * _PHI[:, None] * turn)
    level = 1 + _RATIO[:, None, None] * shape[None]
    level = level.reshape(-1, turn.size)  # (grid, frequencies)
    scaled = power[kept] / np.maximum(noise, _NO_POWER)
    fit = -np.log(level).sum(axis=1)[:, None] - (1 / level) @ scaled  # (grid, C)
    prior = np.full(level.shape[0], 1 / level.shape[0])
    posterior = _posterior(fit, prior)
    for _ in range(_ROUNDS):
        posterior = _posterior(fit, posterior.mean(axis=1))
    ratio = np.repeat(_RATIO, _PHI.size)[:, None]
    phi = np.tile(_PHI, _RATIO.size)[:, None]
    a = (posterior * ratio).sum(axis=0)
    weighted = (posterior * ratio * phi).sum(axis=0)
    return Latent(a * noise, weighted / np.maximum(a, _NO_POWER), v)


def _posterior(fit: Array, prior: Array) -> Array:
    weighted = fit + np.log(prior + _NO_POWER)[:, None]
    weighted = np.exp(weighted - weighted.max(axis=0))
    found: Array = weighted / weighted.sum(axis=0)
    return found
