"""Weighted least squares of many series on one design, all at once and without each fold.

The normal equations of every fold are kept apart, so that leaving a fold out is a subtraction,
not another pass over the windows. Coefficients can be shrunk: a column with prior variance tau^2
and noise of spectral density S at its frequency gets the ridge penalty S / tau^2 (empirical Bayes;
Efron, Morris, JASA 68 (1973) 117).

Assumes that columns are nearly orthogonal where it sets tau^2 (waves over whole periods are).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bailiwick.monitoring.seasons import Array

_ROUNDS = 3
_RIDGE = 1e-6
_TINY = 1e-300
_STANDS_OUT = 2.0  # mean squared t of a group from which a series is believed by itself
_LEAST_SIGNAL = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class NormalEquations:
    """X'WX, shape (folds, C, columns, columns), and X'Wy, shape (folds, C, columns)."""

    grams: Array
    targets: Array

    @classmethod
    def of(
        cls,
        x: Array,
        seen: NDArray[np.bool_],
        noise: Array,
        design: Array,
        fold: NDArray[np.intp],
    ) -> "NormalEquations":
        """Weights 1 / (a + noise), mean 1, with `a` by moments in three rounds.

        x, seen, noise: shape (T, C); design: (T, columns); fold: (T,).
        """
        judged = np.maximum(seen.sum(axis=0), 1)
        freedom = judged / np.maximum(judged - design.shape[1], 1)
        a = np.zeros(x.shape[1])
        for _ in range(_ROUNDS):
            weights = np.where(seen, 1 / (a + noise), 0.0)
            weights /= np.maximum(weights.mean(axis=0), _TINY)
            equations = cls(*_sums(x, weights, design, fold))
            squared = (x - design @ equations.solved()) ** 2 * freedom - noise
            a = np.maximum((squared * seen).sum(axis=0) / judged, 0.0)
        return equations

    def solved(self, penalty: Array | None = None) -> Array:
        """Coefficients from all folds, shape (columns, C); `penalty` alike, on the diagonal."""
        return _solved(self.grams.sum(axis=0), self.targets.sum(axis=0), penalty)

    def solved_without(self, penalty: Array) -> Array:
        """Coefficients without each fold in turn, shape (folds, columns, C)."""
        grams, targets = self.grams.sum(axis=0), self.targets.sum(axis=0)
        without = [
            _solved(grams - gram, targets - target, penalty)
            for gram, target in zip(self.grams, self.targets, strict=True)
        ]
        return np.stack(without)


def shrinkage(
    coefficients: Array, design: Array, spectrum: Array, group: NDArray[np.intp]
) -> Array:
    """Penalties, shape (columns, C); 0 for the constant.

    Squared t values of a group of columns are averaged: over the series where its own average
    exceeds 2, else over all series. What they exceed 1 by is signal.

    coefficients, spectrum: shape (columns, C); group: (columns,), 0 the constant.
    """
    information = design.shape[0] * design.var(axis=0)[:, None] / np.maximum(spectrum, _TINY)
    squared = coefficients**2 * information
    penalty = np.zeros_like(coefficients)
    for number in range(1, int(group.max()) + 1):
        there = group == number
        if not there.any():
            continue
        own = squared[there].mean(axis=0)
        typical = np.where(own > _STANDS_OUT, own, own.mean())
        signal = np.maximum(typical - 1, _LEAST_SIGNAL)
        penalty[there] = design.shape[0] * design.var(axis=0)[there, None] / signal
    return penalty


def _sums(x: Array, weights: Array, design: Array, fold: NDArray[np.intp]) -> tuple[Array, Array]:
    grams, targets = [], []
    for number in range(int(fold.max()) + 1):
        there = fold == number
        regressors, weight = design[there], weights[there]
        products = regressors[:, :, None] * regressors[:, None, :]
        grams.append(np.tensordot(weight, products, axes=(0, 0)))
        targets.append((weight * x[there]).T @ regressors)
    return np.stack(grams), np.stack(targets)


def _solved(gram: Array, target: Array, penalty: Array | None) -> Array:
    columns = gram.shape[-1]
    diagonal = np.full((gram.shape[0], columns), _RIDGE)
    if penalty is not None:
        diagonal += penalty.T
    ridged = gram + diagonal[..., None] * np.eye(columns)
    return np.asarray(np.linalg.solve(ridged, target[..., None])[..., 0].T, dtype=np.float64)
