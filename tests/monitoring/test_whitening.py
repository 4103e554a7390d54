"""Seasons and the filter: what is identifiable, what comes out white, what a shift becomes."""

from datetime import UTC, datetime

import numpy as np
import pytest

from bailiwick.monitoring.seasons import Array, Season, hours_of_week
from bailiwick.monitoring.whitening import Latent, advance, fit_latent, start


def wandering(random: np.random.Generator, windows: int, phi: float, sd: float) -> Array:
    u = np.zeros(windows)
    u[0] = random.normal(scale=sd)
    for t in range(1, windows):
        u[t] = phi * u[t - 1] + random.normal(scale=sd * np.sqrt(1 - phi**2))
    return u


def filtered(latent: Latent, x: Array, rows: float) -> Array:
    state, found = start(latent), []
    for value in x:
        state, step = advance(latent, state, np.array([value]), np.array([rows]))
        found.append(step.z[0])
    return np.array(found)


def one(a: float, phi: float, v: float) -> Latent:
    return Latent(np.array([a]), np.array([phi]), np.array([v]))


def test_innovations_of_the_model_itself_are_white() -> None:
    random = np.random.default_rng(1)
    x = wandering(random, 6_000, 0.9, 0.05) + random.normal(scale=0.03, size=6_000)
    z = filtered(one(0.05**2, 0.9, 0.03**2 * 500), x, 500)
    assert z.var() == pytest.approx(1.0, abs=0.06)
    for lag in (1, 2, 24):
        assert abs(np.mean(z[lag:] * z[:-lag])) < 0.05


def test_the_latent_noise_is_found_from_residuals() -> None:
    random = np.random.default_rng(2)
    x = np.stack(
        [
            wandering(random, 672, 0.9, 0.05) + random.normal(scale=0.03, size=672)
            for _ in range(30)
        ],
        axis=1,
    )
    v = np.full(30, 0.03**2 * 500)
    found = fit_latent(x, np.full(30, 0.03**2), v, hidden=np.array([]))
    assert np.median(found.phi) == pytest.approx(0.9, abs=0.04)
    assert np.sqrt(np.median(found.a)) == pytest.approx(0.05, rel=0.15)


def test_pure_sampling_noise_leaves_next_to_no_latent_noise() -> None:
    x = np.random.default_rng(3).normal(scale=0.03, size=(672, 30))
    found = fit_latent(x, np.full(30, 0.03**2), np.ones(30), hidden=np.array([]))
    assert np.median(found.a) < 0.1 * 0.03**2


@pytest.mark.parametrize(("a", "phi"), [(0.0, 0.0), (0.05**2, 0.9), (0.02**2, 0.5)])
def test_a_lasting_shift_moves_the_innovations_by_the_response(a: float, phi: float) -> None:
    latent = one(a, phi, 0.5)
    state = start(latent)
    for _ in range(400):
        state, step = advance(latent, state, np.array([0.01]), np.array([500.0]))
    assert step.z[0] == pytest.approx(0.01 * step.response[0], rel=1e-6)


def test_a_window_without_rows_only_ages_the_filter() -> None:
    latent = one(0.04, 0.5, 1.0)
    state, _ = advance(latent, start(latent), np.array([0.3]), np.array([100.0]))
    aged, step = advance(latent, state, np.array([99.0]), np.array([0.0]))
    assert step.z[0] == 0
    assert aged.mean[0] == pytest.approx(0.5 * state.mean[0])
    assert aged.variance[0] > state.variance[0]


def test_a_wild_window_moves_the_filter_no_further_than_five_deviations() -> None:
    latent = one(0.04, 0.9, 1.0)
    wild, _ = advance(latent, start(latent), np.array([1e6]), np.array([100.0]))
    strange, _ = advance(latent, start(latent), np.array([1e3]), np.array([100.0]))
    assert wild.mean[0] == strange.mean[0] < 2


@pytest.mark.parametrize("hours", [1, 2, 3, 4, 6, 8, 12, 24])
@pytest.mark.parametrize("days", [7, 14, 28])
def test_the_season_has_no_columns_that_the_windows_cannot_tell_apart(
    hours: int, days: int
) -> None:
    season = Season.identifiable(window_hours=hours, days=days)
    design = season.design((np.arange(0, days * 24, hours) + hours / 2) % 168)
    assert np.linalg.matrix_rank(design) == design.shape[1]
    assert season.column_frequencies(hours).size == design.shape[1]
    assert season.column_groups().size == design.shape[1]
    assert np.all(season.frequencies(hours) < 0.5)


def test_the_season_fits_a_smooth_week_with_a_weekend() -> None:
    hours = (np.arange(672) + 0.5) % 168
    week = np.cos(2 * np.pi * hours / 24) * (1 - 0.5 * (hours >= 120)) - 0.3 * (hours >= 120)
    design = Season.identifiable(window_hours=1, days=28).design(hours)
    fitted = design @ np.linalg.lstsq(design, week, rcond=None)[0]
    assert np.abs(fitted - week).max() < 1e-9


def test_hours_follow_local_clocks() -> None:
    winter, summer = (datetime(2026, month, 5, 7, tzinfo=UTC) for month in (1, 7))
    found = hours_of_week([winter, summer], zone="Europe/Berlin", window_hours=1)
    assert found.tolist() == [8.5, 6 * 24 + 9.5]
