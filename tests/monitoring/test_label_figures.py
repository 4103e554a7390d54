"""Figures of labelled rows, held to plain counting: by class, of confidences, costs, slices."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.monitoring.performance.classes import SureBin, brier, by_class, weighted_f1
from bailiwick.monitoring.performance.expected import promised
from bailiwick.monitoring.performance.reporting import Labelled, classes, cost_matrix, figures
from bailiwick.monitoring.performance.slices import FEWEST_ROWS, Slice, worst_slices

CELLS = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(1, 50), min_size=1
)


@settings(max_examples=15, deadline=None)
@given(CELLS)
def test_figures_by_class_are_those_of_counting_rows_one_by_one(
    cells: dict[tuple[int, int], int],
) -> None:
    rows = [pair for pair, count in cells.items() for _ in range(count)]
    found = {one.place: one for one in by_class(cells, labels=3)}
    assert set(found) == {place for pair in rows for place in pair}
    for place, one in found.items():
        hits = sum(said == true == place for said, true in rows) if place < 3 else 0
        assert one.support == sum(true == place for _, true in rows)
        assert one.said == sum(said == place for said, _ in rows)
        assert one.f1.value == pytest.approx(2 * hits / (one.support + one.said))
        assert (one.recall is None) == (one.support == 0)
        if one.recall is not None:
            assert one.recall.value == pytest.approx(hits / one.support)
            assert one.recall.lower <= one.recall.value + 1e-9
            assert one.recall.value <= one.recall.upper + 1e-9
    weighted = weighted_f1(cells, labels=3)
    by_rows = sum(one.f1.value * one.support for one in found.values()) / len(rows)
    assert weighted.value == pytest.approx(by_rows)
    assert weighted_f1(cells, labels=3) == weighted  # seeded


def test_the_brier_score_is_the_mean_square_and_its_interval_holds_the_truth() -> None:
    inside = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        sure = random.choice([0.6, 0.8, 0.95], 400)
        right = random.random(400) < sure
        bins = {
            number: SureBin(
                rows=int((sure == one).sum()),
                correct=int(right[sure == one].sum()),
                confidence=float(sure[sure == one].sum()),
                square=float((sure[sure == one] ** 2).sum()),
                confidence_of_correct=float(sure[(sure == one) & right].sum()),
            )
            for number, one in enumerate((0.6, 0.8, 0.95))
        }
        found = brier(bins)
        assert found is not None
        assert found.value == pytest.approx(float(((sure - right) ** 2).mean()))
        truth = np.mean([one * (1 - one) for one in (0.6, 0.8, 0.95)])
        inside += found.lower <= truth <= found.upper
    assert inside >= 51  # 95 % of 60, less three standard deviations
    assert brier({}) is None


def test_every_figure_says_what_it_is_and_how_sure() -> None:
    labelled = Labelled(
        ["Fuel", "Food"],
        100,
        85,
        {(0, 0): 50, (1, 1): 30, (0, 1): 10, (2, 2): 10},
        {15: SureBin(100, 85, 80.0, 64.0, 68.0)},
    )
    found = figures(labelled, least_accuracy=0.8, costs={"Food": {"Fuel": 4.0}})
    told = {one.name: one for one in found}
    assert told["accuracy"].value == 0.85  # five of the other labels were right
    assert told["accuracy"].threshold == 0.8
    assert told["cost per request"].value == pytest.approx(0.4)
    assert told["expected calibration error"].by_chance is not None
    for one in found:
        assert one.lower <= one.value <= one.upper, one
        assert one.rows == 100
        assert one.library.startswith("bailiwick ")
    assert [one["label"] for one in classes(labelled)] == ["Fuel", "Food", None]
    assert figures(Labelled([], 0, 0, {}, {}), least_accuracy=None, costs=None) == []
    assert cost_matrix({"New": {"Fuel": 1.0}}, ["Fuel"]).sum() == 0  # not seen yet


def test_of_many_slices_without_a_change_hardly_any_is_told() -> None:
    told = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        slices = [
            Slice(
                (("region", str(number)),),
                200,
                int(random.binomial(200, 0.2)),
                200,
                int(random.binomial(200, 0.2)),
            )
            for number in range(40)
        ]
        told += bool(worst_slices(slices, wrong_before=1_600, rows_before=8_000))
    assert told <= 10  # at most 5 % of 100, and two standard deviations


def test_a_slice_that_was_not_there_before_is_held_to_all_rows() -> None:
    fresh = Slice((("region", "new"),), 0, 0, 100, 60)
    few = Slice((("region", "few"),), 0, 0, FEWEST_ROWS - 1, FEWEST_ROWS - 1)
    [found] = worst_slices([fresh, few], wrong_before=20, rows_before=100)
    assert (found.name, found.error_before, found.looked_at) == (fresh.name, 0.2, 1)
    assert worst_slices([fresh], wrong_before=0, rows_before=0) == []


def test_an_evaluation_promises_less_the_fewer_rows_it_had() -> None:
    few, many = (promised(0.9, rows, window_hours=24) for rows in (100, 10_000))
    assert (few.loss, many.loss) == (pytest.approx(0.1), pytest.approx(0.1))
    assert few.error == pytest.approx(10 * many.error)
    assert promised(0.9, 100, window_hours=1).rho == pytest.approx(24 * few.rho)
    assert Counter([few.windows, many.windows]) == {0: 2}
