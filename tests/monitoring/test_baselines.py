"""Baselines: how much is enough, what becomes of gaps, constants, strangers and thin traffic."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.baselines import (
    Baseline,
    Window,
    coalesce,
    fit_baseline,
    folds,
)
from bailiwick.monitoring.calibration import MIN_ROWS
from bailiwick.monitoring.shapes import CategoricalShape, Layout
from bailiwick.monitoring.summaries import summarize
from support.quiet_traffic import LAYOUT, MONDAY, drawn, quiet, window


@pytest.fixture(scope="module")
def month() -> list[Window]:
    return quiet(np.random.default_rng(11), 0, 672)


@pytest.fixture(scope="module")
def full(month: list[Window]) -> Baseline:
    return fit_baseline(LAYOUT, month, window_hours=1)


def places(baseline: Baseline, feature: str) -> list[int]:
    return [place for place, asked in enumerate(baseline.contrasts) if asked.feature == feature]


def test_four_weeks_make_a_full_baseline(full: Baseline) -> None:
    assert (full.grade, full.windows, full.unwatched) == ("full", 672, ())
    assert full.end == MONDAY + timedelta(weeks=4)
    assert full.reference.rows == 672 * 120


def test_the_daily_rhythm_is_learned(full: Baseline) -> None:
    level = places(full, "amount")[0]
    noon, midnight = (
        full.model.expected(full.design([MONDAY + timedelta(days=30, hours=hour)])[0])[level]
        for hour in (12, 0)
    )
    per_sd = full.contrasts[level].per_unit
    assert (midnight - noon) / per_sd == pytest.approx(0.6, abs=0.1)


def test_independent_windows_are_calibrated_as_such(full: Baseline) -> None:
    level = places(full, "words")[0]
    noise = full.model.v[level] / 120
    assert full.model.a[level] < 0.1 * noise
    assert 1.0 <= full.model.spread[level] < 1.4


def test_a_baseline_survives_json_to_the_last_bit_and_is_named_by_its_digest(
    full: Baseline,
) -> None:
    again = Baseline.from_json(full.to_json())
    assert again.digest == full.digest
    assert again.contrasts == full.contrasts
    assert np.array_equal(again.model.spread, full.model.spread)
    assert again.reference == full.reference


@pytest.mark.parametrize(("days", "grade"), [(7, "provisional"), (14, "provisional")])
def test_less_than_four_weeks_are_provisional(month: list[Window], days: int, grade: str) -> None:
    short = fit_baseline(LAYOUT, month[: days * 24], window_hours=1)
    assert short.grade == grade
    assert bool(short.season.weekly) == (days == 14)


@pytest.mark.parametrize("count", [0, 1, 23, 6 * 24])
def test_less_than_a_week_is_refused(month: list[Window], count: int) -> None:
    with pytest.raises(Invalid, match=r"too few|there are none"):
        fit_baseline(LAYOUT, month[:count], window_hours=1)


def test_daily_windows_make_a_full_baseline_of_28() -> None:
    random = np.random.default_rng(12)
    daily = [window(24 * day, drawn(random, 400)) for day in range(28)]
    baseline = fit_baseline(LAYOUT, daily, window_hours=24)
    assert (baseline.grade, baseline.windows) == ("full", 28)
    assert (baseline.season.daily, baseline.season.weekly) == (0, 3)
    assert np.all(np.isfinite(baseline.model.spread))


def test_gaps_stay_gaps(month: list[Window], full: Baseline) -> None:
    holes = [own for hour, own in enumerate(month) if hour % 24 not in (3, 4) and hour // 48 != 5]
    baseline = fit_baseline(LAYOUT, holes, window_hours=1)
    assert (baseline.grade, baseline.windows) == ("full", 672)
    level = places(full, "words")[0]
    assert float(baseline.model.windows) == len(holes)
    assert baseline.model.spread[level] == pytest.approx(full.model.spread[level], rel=0.25)


def test_a_baseline_that_is_mostly_gap_is_provisional(month: list[Window]) -> None:
    assert fit_baseline(LAYOUT, month[::3], window_hours=1).grade == "provisional"


def test_bursts_in_the_baseline_do_not_blunt_it(month: list[Window], full: Baseline) -> None:
    random = np.random.default_rng(13)
    bursts = [
        window(hour, drawn(random, 6_000, hour)) if hour % 97 == 5 else own
        for hour, own in enumerate(month)
    ]
    baseline = fit_baseline(LAYOUT, bursts, window_hours=1)
    level = places(full, "words")[0]
    assert baseline.model.spread[level] == pytest.approx(full.model.spread[level], rel=0.25)
    assert baseline.model.a[level] < 0.1 * full.model.v[level] / 120


def test_constants_and_empty_shares_get_finite_numbers(full: Baseline) -> None:
    constant = places(full, "constant")
    assert [full.contrasts[place].name for place in constant] == ["level", "missing"]
    assert np.all(full.model.v[constant] > 0)
    assert np.all(full.model.spread >= 0.5)


def test_a_feature_never_seen_is_named_as_unwatched() -> None:
    wider = Layout((*LAYOUT.features, CategoricalShape("channel", ("web",))), LAYOUT.labels)
    random = np.random.default_rng(14)
    windows = [window(hour, drawn(random, 60, hour), wider) for hour in range(24 * 7)]
    baseline = fit_baseline(wider, windows, window_hours=1)
    assert baseline.unwatched == ("channel",)
    assert places(baseline, "channel") == []


def test_windows_off_the_grid_twice_or_backwards_are_refused(month: list[Window]) -> None:
    late = [*month[:200], Window(month[200].start + timedelta(minutes=7), month[200].summary)]
    for wrong in (late, [*month[:200], month[199]], month[200::-1]):
        with pytest.raises(Invalid, match="order of time"):
            fit_baseline(LAYOUT, wrong, window_hours=1)


def test_a_length_that_does_not_divide_the_week_is_refused(month: list[Window]) -> None:
    with pytest.raises(Invalid, match="divide a week"):
        fit_baseline(LAYOUT, month, window_hours=5)


def test_windows_of_another_layout_are_not_judged(full: Baseline) -> None:
    with pytest.raises(Invalid, match="another baseline"):
        full.observe(summarize(Layout(LAYOUT.features[:1]), {}))


def test_thin_traffic_is_added_up_until_it_can_be_judged() -> None:
    random = np.random.default_rng(15)
    thin = [window(hour, drawn(random, 12)) for hour in range(8)]
    merged = coalesce(thin)
    assert [own.summary.rows for own in merged] == [36, 36, 24]
    assert merged[0].start == thin[2].start
    joined = coalesce([merged[-1], *[window(hour, drawn(random, 12)) for hour in (8, 9)]])
    assert [own.summary.rows for own in joined] == [36, 12]


def test_thin_traffic_is_not_added_up_for_ever() -> None:
    empty = [window(hour, {}) for hour in range(50)]
    assert [own.start for own in coalesce(empty)] == [empty[k].start for k in (23, 47, 49)]


def test_coalesced_windows_make_a_baseline_where_single_ones_cannot() -> None:
    random = np.random.default_rng(16)
    thin = [window(hour, drawn(random, 11, hour)) for hour in range(672)]
    with pytest.raises(Invalid, match="too few"):
        fit_baseline(LAYOUT, thin, window_hours=1)
    merged = [own for own in coalesce(thin) if own.summary.rows >= MIN_ROWS]
    assert fit_baseline(LAYOUT, merged, window_hours=1).grade == "provisional"


def test_what_is_left_after_whole_weeks_belongs_to_the_last() -> None:
    assert np.bincount(folds(700, 1)).tolist() == [168, 168, 168, 196]
    assert np.bincount(folds(29, 24)).tolist() == [7, 7, 7, 8]
    assert np.bincount(folds(8 * 24, 1)).tolist() == [24] * 8


def test_drift_inside_the_baseline_makes_it_slow_not_noisy() -> None:
    random = np.random.default_rng(17)

    def columns(hour: int) -> dict[str, Any]:
        own = drawn(random, 120, hour)
        return {**own, "words": own["words"] + 0.5 * (hour >= 336)}

    drifted = fit_baseline(LAYOUT, [window(h, columns(h)) for h in range(672)], window_hours=1)
    level = places(drifted, "words")[0]
    quiet_level = places(drifted, "amount")[0]
    assert drifted.model.a[level] > 10 * drifted.model.a[quiet_level]


def test_a_zone_that_does_not_exist_and_moments_without_one_are_refused(
    month: list[Window],
) -> None:
    with pytest.raises(Invalid, match="no time zone"):
        fit_baseline(LAYOUT, month, window_hours=1, zone="Europe/Atlantis")
    naive = [Window(own.start.replace(tzinfo=None), own.summary) for own in month]
    with pytest.raises(Invalid, match="must carry its time zone"):
        fit_baseline(LAYOUT, naive, window_hours=1)
