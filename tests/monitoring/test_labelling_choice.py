"""Which requests are worth a label: some at random, others where the model is in doubt."""

import numpy as np
import pytest
from hypothesis import given as every
from hypothesis import strategies as st

from bailiwick.monitoring.labelling import Candidate, chosen


def candidates(count: int, *, placed: bool = False) -> list[Candidate]:
    """The later a name, the surer its answer; texts lie in ten places."""
    places = np.random.default_rng(1).normal(size=(10, 8))
    return [
        Candidate(
            f"r{number:05}",
            prediction=("Fuel", "Food", "Travel")[number % 3],
            confidence=0.3 + 0.7 * number / count,
            entropy=None,
            directions=tuple(places[number % 10].tolist()) if placed else None,
        )
        for number in range(count)
    ]


def test_the_random_ones_are_uniform_over_all_and_the_others_are_the_doubtful() -> None:
    picked = [chosen(candidates(1_000), 100, random_ratio=0.4, seed=seed) for seed in range(30)]
    for one in picked:
        assert [reason for _, reason in one] == ["random"] * 40 + ["unsure"] * 60
        doubtful = [int(candidate.record_id[1:]) for candidate, why in one if why == "unsure"]
        assert max(doubtful) < 340  # of the 300 most doubtful of the rest
    halves = [
        int(candidate.record_id[1:]) < 500 for one in picked for candidate, why in one[:40] if why
    ]
    assert 0.45 < np.mean(halves) < 0.55


def test_the_doubtful_ones_are_unlike_each_other() -> None:
    placed = chosen(candidates(500, placed=True), 10, random_ratio=0.0, seed=0)
    assert len({one.directions for one, _ in placed}) == 10
    by_turns = chosen(candidates(500), 9, random_ratio=0.0, seed=0)
    assert (
        sorted(one.prediction for one, _ in by_turns)
        == ["Food"] * 3 + ["Fuel"] * 3 + ["Travel"] * 3
    )


def test_what_says_nothing_of_itself_is_doubtful_and_entropy_counts_before_confidence() -> None:
    sure = Candidate("a", "Fuel", 0.99, None)
    silent = Candidate("b", "Fuel", None, None)
    torn = Candidate("c", "Fuel", 0.99, 1.5)
    order = chosen([sure, silent, torn], 3, random_ratio=0.0, seed=0)
    assert {one.record_id for one, _ in order} == {"a", "b", "c"}
    (first, _), *_ = chosen([sure, silent, torn], 1, random_ratio=0.0, seed=0)
    assert first is torn
    assert silent.doubt > sure.doubt


@every(
    given=st.builds(candidates, st.integers(1, 60), placed=st.booleans()),
    rows=st.integers(1, 40),
    ratio=st.floats(0, 1),
    seed=st.integers(0, 3),
)
def test_each_is_chosen_once_and_the_same_again(
    given: list[Candidate], rows: int, ratio: float, seed: int
) -> None:
    found = chosen(given, rows, random_ratio=ratio, seed=seed)
    assert len({one.record_id for one, _ in found}) == len(found) == min(rows, len(given))
    assert found == chosen(given[::-1], rows, random_ratio=ratio, seed=seed)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_all_or_none_may_be_random(ratio: float) -> None:
    found = chosen(candidates(50), 20, random_ratio=ratio, seed=1)
    assert {reason for _, reason in found} == {"random" if ratio else "unsure"}
