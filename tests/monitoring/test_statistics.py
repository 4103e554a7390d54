"""Distances, intervals and onsets: formulas, limits, and what chance alone may do."""

import csv
import doctest
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from math import log, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.errors import Invalid
from bailiwick.lineage.rows import compose_text
from bailiwick.monitoring import statistics
from bailiwick.monitoring.statistics import (
    DEFAULT_STATISTICS,
    AccuracySpec,
    StatisticSpec,
    jensen_shannon,
    measure_accuracy,
    onset,
    top_movers,
    wasserstein_normed,
    wilson_interval,
)
from bailiwick.monitoring.verdicts import DEFAULT_MIN_ROWS

BIRMINGHAM = Path(__file__).parents[3] / "shared/data/birmingham-pcard/transactions.csv.gz"
needs_birmingham = pytest.mark.skipif(
    not BIRMINGHAM.exists(), reason="the real transactions are not beside the repository"
)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
NUMBERS = st.lists(st.integers(-1000, 1000), min_size=2, max_size=30)
WORDS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=30)
Columns = dict[str, np.ndarray]


def test_doctests_hold() -> None:
    outcome = doctest.testmod(statistics)
    assert outcome.failed == 0
    assert outcome.attempted > 5


@given(NUMBERS, st.integers(1, 50))
def test_a_shift_by_k_is_a_distance_of_k_standard_deviations(values: list[int], shift: int) -> None:
    before = np.array(values, dtype=float)
    expected = shift / max(float(before.std()), 0.001)
    assert wasserstein_normed(before, before + shift) == pytest.approx(expected)


@given(NUMBERS)
def test_order_does_not_matter_and_equal_samples_are_at_no_distance(values: list[int]) -> None:
    before = np.array(values, dtype=float)
    assert wasserstein_normed(before, before[::-1]) == pytest.approx(0)


@given(WORDS, WORDS)
def test_the_jensen_shannon_distance_is_symmetric_and_bounded(a: list[str], b: list[str]) -> None:
    distance = jensen_shannon(a, b)
    assert distance == pytest.approx(jensen_shannon(b, a))
    assert 0 <= distance <= sqrt(log(2)) + 1e-12
    assert jensen_shannon(a, a) == pytest.approx(0, abs=1e-7)


def test_movers_come_by_the_size_of_their_move_and_without_those_that_stayed() -> None:
    before, now = ["a"] * 50 + ["b"] * 30 + ["c"] * 20, ["a"] * 50 + ["b"] * 5 + ["d"] * 45
    assert [mover.category for mover in top_movers(before, now)] == ["d", "b", "c"]
    assert len(top_movers(before, now, most=2)) == 2


@pytest.mark.parametrize(
    ("kind", "test", "threshold"),
    [("numeric", "jensenshannon", 0.1), ("categorical", "wasserstein", 0.1)]
    + [("numeric", "wasserstein", bad) for bad in (0.0, -1.0, float("nan"), float("inf"))],
)
def test_a_statistic_that_makes_no_sense_is_refused(kind: str, test: str, threshold: float) -> None:
    with pytest.raises(Invalid):
        StatisticSpec("words", kind, test, threshold)  # type: ignore[arg-type]  # as from JSON


def test_wilson_intervals_are_the_published_ones() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (correct, rows), interval in published.items():
        assert wilson_interval(correct, rows, 0.95) == pytest.approx(interval, abs=5e-5)


def test_accuracy_has_dropped_only_if_the_whole_interval_is_below_the_bound() -> None:
    spec = AccuracySpec(max_drop=0.05)
    few = measure_accuracy(spec, baseline=0.8, correct=36, rows=50)
    many = measure_accuracy(spec, baseline=0.8, correct=1440, rows=2000)
    assert few.accuracy == many.accuracy == 0.72
    assert (few.dropped, many.dropped) == (False, True)
    assert many.upper is not None
    assert many.upper < 0.75


def test_accuracy_on_too_few_labels_is_not_known() -> None:
    result = measure_accuracy(AccuracySpec(max_drop=0.05), baseline=0.8, correct=0, rows=29)
    assert (result.accuracy, result.dropped) == (None, False)


@pytest.mark.parametrize("bad", [{"max_drop": 0.0}, {"max_drop": 0.1, "confidence": 1.0}])
def test_an_accuracy_spec_out_of_range_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(Invalid):
        AccuracySpec(**bad)  # type: ignore[arg-type]  # mypy cannot see the keys


def test_onset_is_the_start_of_the_unbroken_run_of_each_column() -> None:
    drifted: list[set[str]] = [{"words"}, set(), {"words"}, {"words", "confidence"}]
    weeks = [MONDAY + timedelta(weeks=week) for week in range(4)]
    history = list(zip(weeks, map(frozenset, drifted), strict=True))
    assert onset(history) == {"words": weeks[2], "confidence": weeks[3]}
    assert onset(history[:2]) == {}


@cache
def quarters() -> list[Columns]:
    """Descriptors of each full quarter; the label stands in for a perfect model's prediction."""
    known: set[str] = set()
    by_quarter: dict[str, list[dict[str, str]]] = {}
    with gzip.open(BIRMINGHAM, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            quarter = f"{row['date'][:4]}-{(int(row['date'][5:7]) - 1) // 3 + 1}"
            by_quarter.setdefault(quarter, []).append(row)
    names = sorted(by_quarter)
    for name in names[:2]:
        known |= {word for row in by_quarter[name] for word in words_of(row)}
    return [describe(by_quarter[name], known) for name in names[2:]]


def words_of(row: dict[str, str]) -> list[str]:
    return compose_text(row, ("merchant", "cost_centre")).casefold().split()


def describe(rows: list[dict[str, str]], known: set[str]) -> Columns:
    words = [words_of(row) for row in rows]
    return {
        "prediction": np.array([row["category"] for row in rows]),
        "characters": np.array([len(" ".join(found)) for found in words], dtype=float),
        "words": np.array([len(found) for found in words], dtype=float),
        "unseen_words_ratio": np.array(
            [sum(word not in known for word in found) / len(found) for found in words]
        ),
    }


def drifted(before: Columns, now: Columns) -> Iterator[str]:
    for spec in DEFAULT_STATISTICS:
        if spec.column not in before:
            continue
        a, b = before[spec.column], now[spec.column]
        numeric = spec.kind == "numeric"
        distance = wasserstein_normed(a, b) if numeric else jensen_shannon(a.tolist(), b.tolist())
        if distance >= spec.threshold:
            yield spec.column


@needs_birmingham
@pytest.mark.parametrize("rows", [2_000, 11_000])
def test_shuffled_quarters_never_flag_in_200_splits(rows: int) -> None:
    rng = np.random.default_rng(5)
    pair = quarters()[7:9]
    pool = {name: np.concatenate([side[name] for side in pair]) for name in pair[0]}
    for _ in range(200):
        order = rng.permutation(len(pool["words"]))
        one, other = order[:rows], order[rows : 2 * rows]
        flagged = list(
            drifted(
                {name: values[one] for name, values in pool.items()},
                {name: values[other] for name, values in pool.items()},
            )
        )
        assert flagged == []


@needs_birmingham
def test_the_new_merchants_of_2015_and_the_moving_ledger_are_flagged() -> None:
    reference, *later = quarters()
    flagged = [set(drifted(reference, now)) for now in later]
    assert all("unseen_words_ratio" in columns for columns in flagged)
    assert all("prediction" in columns for columns in flagged[4:])


def test_chance_at_the_least_number_of_rows_stays_below_the_default_thresholds() -> None:
    rng = np.random.default_rng(11)
    shares = rng.dirichlet(np.full(60, 0.5))
    predictions = [spec for spec in DEFAULT_STATISTICS if spec.column == "prediction"]
    for _ in range(100):
        one, other = (rng.choice(60, DEFAULT_MIN_ROWS, p=shares).tolist() for _ in range(2))
        assert jensen_shannon(one, other) < predictions[0].threshold
