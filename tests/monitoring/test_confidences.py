"""Counts of confidences: what merges, what goes to JSON and back, what is refused."""

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.performance import Calibration, Grid, Tally, empty, fit, of_labels, tally
from bailiwick.monitoring.performance.reliability import isotonic, read

GRID = Grid(("fuel", "food", "books"), ("known", "new"), own=2)


def rows_of(seed: int, count: int = 400, *, labelled: bool = True) -> Tally:
    random = np.random.default_rng(seed)
    said = random.choice(["fuel", "food", "books"], count)
    truths = random.choice(["fuel", "food", "books", "rent"], count).tolist() if labelled else None
    strata = random.choice(["known", "new"], count)
    return tally(GRID, random.random(count), said, truths, strata)


def same(first: Tally, second: Tally) -> bool:
    return first.to_json() == second.to_json()


def test_windows_add_up_in_any_order() -> None:
    first, second, third = rows_of(1), rows_of(2), rows_of(3, labelled=False)
    one, other = (first + second) + third, third + (second + first)
    assert np.allclose(one.confidence, other.confidence)
    for name in ("rows", "labelled", "correct"):
        assert (getattr(one, name) == getattr(other, name)).all()
    assert one.unknown == other.unknown > 0
    assert same(empty(GRID) + first, first)


def test_late_labels_merge_into_the_window_of_their_rows() -> None:
    sure, said, truths = [0.9, 0.4, 0.7], ["fuel", "food", "books"], ["fuel", "fuel", "rent"]
    strata = ["known", "new", "new"]
    at_once = tally(GRID, sure, said, truths, strata)
    late = tally(GRID, sure, said, strata=strata) + of_labels(GRID, sure, said, truths, strata)
    assert same(at_once, late)


def test_columns_may_be_lists_or_arrays() -> None:
    sure, said, truths = [0.9, 0.4], ["fuel", "food"], ["fuel", "rent"]
    arrays = tally(GRID, np.array(sure), np.array(said), np.array(truths))
    assert same(arrays, tally(GRID, sure, said, truths))
    assert tally(GRID, [], [], []).rows.sum() == 0


def test_rows_without_a_confidence_are_counted_as_missing_and_nowhere_else() -> None:
    window = tally(GRID, [None, 0.5, np.nan], ["fuel"] * 3, ["rent", "fuel", "fuel"])
    assert window.missing == 2
    assert window.rows.sum() == window.labelled.sum() == window.correct.sum() == 1
    assert window.unknown == 0


def test_labels_and_strata_beyond_the_grid_share_the_last_cell() -> None:
    window = tally(GRID, [0.5, 0.5], ["books", "unheard of"], strata=["new", "unheard of"])
    assert window.rows[1, 2].sum() == 2


def test_tallies_and_calibrations_come_back_from_json_as_they_were() -> None:
    window = rows_of(4)
    assert same(Tally.from_json(window.to_json()), window)
    calibration = fit(GRID, window)
    again = Calibration.from_json(calibration.to_json())
    assert again.digest == calibration.digest
    assert read(again, window.rows) == read(calibration, window.rows)


def test_a_refit_on_other_labels_has_another_digest() -> None:
    assert fit(GRID, rows_of(5)).digest != fit(GRID, rows_of(6)).digest


@pytest.mark.parametrize("sure", [[1.2], [-0.1]])
def test_confidences_that_are_no_probabilities_are_refused(sure: list[float]) -> None:
    with pytest.raises(Invalid, match="between 0 and 1"):
        tally(GRID, sure, ["fuel"])


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(Invalid, match="same number"):
        tally(GRID, [0.5, 0.5], ["fuel", "food"], ["fuel"])


def test_windows_of_different_grids_are_not_added_or_calibrated() -> None:
    with pytest.raises(Invalid, match="different grids"):
        _ = rows_of(1) + empty(Grid(("fuel",)))
    with pytest.raises(Invalid, match="another grid"):
        fit(Grid(("fuel",)), rows_of(1))
    with pytest.raises(Invalid, match="No row"):
        fit(GRID, rows_of(1, labelled=False))


def test_grids_with_unusable_edges_or_names_are_refused() -> None:
    with pytest.raises(Invalid, match="ascend"):
        Grid(("fuel",), edges=(0.5, 0.5))
    with pytest.raises(Invalid, match="different names"):
        Grid(("fuel", "fuel"))
    with pytest.raises(Invalid, match="at least one"):
        Grid(())


def test_isotonic_never_falls_and_keeps_the_weighted_mean() -> None:
    random = np.random.default_rng(7)
    values, weights = random.random(30), random.uniform(0.1, 5, 30)
    smooth = isotonic(values, weights)
    assert (np.diff(smooth) >= 0).all()
    assert np.isclose(smooth @ weights, values @ weights)


def test_the_work_of_an_estimate_does_not_depend_on_the_rows() -> None:
    small, large = rows_of(8, 100), rows_of(8, 20_000)
    assert small.rows.shape == large.rows.shape
    assert len(str(large.to_json())) < 20_000
