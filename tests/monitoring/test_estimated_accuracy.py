"""Estimates without labels: right under covariate shift, and doubtful for the right reasons."""

from dataclasses import replace

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.performance import (
    Calibration,
    Drop,
    Estimate,
    Grid,
    Tally,
    TrustTerms,
    Verified,
    empty,
    estimate,
    fit,
    loss_of,
    tally,
    verify,
)

GRID = Grid(("fuel", "food"), ("known", "new"))
TOO_SURE = {"known": 0.02, "new": 0.25}  # by how much the model overrates itself


def rows_of(
    seed: int, *, new: float = 0.2, count: int = 4_000, lost: float = 0.0, unheard: float = 0.0
) -> Tally:
    random = np.random.default_rng(seed)
    strata = np.where(random.random(count) < new, "new", "known")
    sure = random.uniform(0.5, 1, count)
    chance = sure - np.where(strata == "new", TOO_SURE["new"], TOO_SURE["known"]) - lost
    right = random.random(count) < chance
    wrong = np.where(random.random(count) < unheard, "rent", "food")
    return tally(GRID, sure, ["fuel"] * count, np.where(right, "fuel", wrong).tolist(), strata)


def true_accuracy(window: Tally) -> float:
    return float(window.correct.sum() / window.labelled.sum())


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return fit(GRID, rows_of(1))


def kinds(found: Estimate) -> set[str]:
    return {doubt.kind for doubt in found.doubts}


@pytest.mark.parametrize("new", [0.05, 0.5, 0.9])
def test_reweighting_follows_a_shift_that_plain_cbpe_does_not(
    calibration: Calibration, new: float
) -> None:
    window = rows_of(2, new=new)
    found = estimate(calibration, window)
    truth = true_accuracy(window)
    assert abs(found.accuracy - truth) < 0.025
    assert abs(found.plain - truth) > 0.025
    assert found.trusted


def test_the_interval_holds_the_truth_nearly_always_while_the_concept_stands_still(
    calibration: Calibration,
) -> None:
    inside = []
    for seed in range(40):
        window = rows_of(100 + seed, new=0.4, count=1_000)
        found = estimate(calibration, window)
        inside.append(found.lower <= true_accuracy(window) <= found.upper)
    assert np.mean(inside) >= 0.9


def test_the_measured_error_is_the_mean_over_the_remembered_windows(
    calibration: Calibration,
) -> None:
    record = [verify(calibration, rows_of(seed)) for seed in range(10, 20)]
    found = estimate(calibration, rows_of(3), record, terms=TrustTerms(remembered=4))
    assert found.verified == 4
    assert found.measured_error == pytest.approx(np.mean([abs(own.error) for own in record[-4:]]))
    assert estimate(calibration, rows_of(3)).measured_error is None


def test_a_changed_concept_is_invisible_until_labels_come(calibration: Calibration) -> None:
    changed = rows_of(4, lost=0.2)
    assert estimate(calibration, changed).trusted
    doubted = estimate(calibration, changed, [verify(calibration, changed)])
    assert {"error", "concept"} <= kinds(doubted)
    assert doubted.upper - doubted.lower > 0.2


def test_a_refit_on_the_new_labels_is_right_again(calibration: Calibration) -> None:
    again = fit(GRID, rows_of(5, lost=0.2))
    window = rows_of(6, lost=0.2)
    assert abs(estimate(again, window).accuracy - true_accuracy(window)) < 0.03
    assert again.digest != calibration.digest


def test_early_labels_are_compared_with_the_estimate_on_exactly_their_rows(
    calibration: Calibration,
) -> None:
    early, rest = rows_of(7, new=0.9, count=800), rows_of(8, new=0.1)
    half = early + replace(rest, labelled=rest.labelled * 0, correct=rest.correct * 0)
    assert verify(calibration, half).estimated == verify(calibration, early).estimated


def test_labels_that_the_model_cannot_say_are_a_doubt(calibration: Calibration) -> None:
    seen = verify(calibration, rows_of(9, unheard=0.8))
    assert "labels" in kinds(estimate(calibration, rows_of(10), [seen]))


def test_rows_unlike_the_reference_are_a_doubt() -> None:
    calibration = fit(GRID, rows_of(11, new=0.0))
    assert "unseen" in kinds(estimate(calibration, rows_of(12, new=0.6)))
    nameless = replace(rows_of(13, new=0.0), missing=2_000)
    assert kinds(estimate(calibration, nameless)) == {"unseen"}


def test_a_small_reference_is_a_doubt() -> None:
    assert "reference" in kinds(estimate(fit(GRID, rows_of(14, count=200)), rows_of(15)))


def test_a_test_on_labels_and_old_labels_are_doubts(calibration: Calibration) -> None:
    assert kinds(estimate(calibration, rows_of(16), concept_changed=True)) == {"concept"}
    assert kinds(estimate(calibration, rows_of(16), days_without_labels=100)) == {"stale"}


def test_estimates_and_verified_windows_come_back_from_json(calibration: Calibration) -> None:
    seen = verify(calibration, rows_of(17))
    assert Verified.from_json(seen.to_json()) == seen
    found = estimate(calibration, rows_of(18), [seen], concept_changed=True)
    assert Estimate.from_json(found.to_json()) == found


def test_what_cannot_be_estimated_is_refused(calibration: Calibration) -> None:
    with pytest.raises(Invalid, match="no row"):
        estimate(calibration, empty(GRID))
    with pytest.raises(Invalid, match="another grid"):
        estimate(calibration, empty(Grid(("fuel",))))
    with pytest.raises(Invalid, match="between 0 and 1"):
        TrustTerms(max_error=1.5)


def test_only_labels_or_a_trusted_estimate_wake_somebody(calibration: Calibration) -> None:
    worse = rows_of(19, new=0.9)
    trusted = estimate(calibration, worse)
    assert loss_of(calibration.accuracy, smallest_drop=0.05, estimate=trusted).worth_waking
    doubted = estimate(calibration, worse, concept_changed=True)
    said = loss_of(calibration.accuracy, smallest_drop=0.05, estimate=doubted)
    assert not said.worth_waking
    assert "cannot be estimated" in said.sentence
    small = Drop(3, 2, 4, 0.01, 0.0, 0.02, gradual=False)
    told = loss_of(calibration.accuracy, smallest_drop=0.05, drop=small, estimate=trusted)
    assert (told.worth_waking, told.source) == (False, "labels")
