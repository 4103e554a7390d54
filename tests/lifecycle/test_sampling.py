"""Which of too many rows are learned from: the newest, or a mixture with older ones."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.sampling import Sampling, chosen

ROWS = 4_000
TIMES = np.datetime64("2020-01-01") + np.arange(ROWS).astype("timedelta64[D]") // 4
TEXTS = np.arange(ROWS)
ONE_LABEL = np.zeros(ROWS, dtype=np.int64)


def draw(sampling: Sampling, *, most: int = 1_000, **given: Any) -> "np.ndarray[Any, Any]":
    columns = {"times": TIMES, "lessons": TEXTS, "labels": ONE_LABEL, "seed": 3} | given
    return chosen(sampling=sampling, most=most, **columns)


def test_the_newest_stay_and_the_others_come_from_all_that_is_older() -> None:
    places = draw(Sampling(replay_ratio=0.4))
    assert places[-600:].tolist() == list(range(ROWS - 600, ROWS))
    older = places[:-600]
    assert len(set(older.tolist())) == 400
    assert older.max() < ROWS - 600
    quarters = np.bincount(older // 850, minlength=4)
    assert quarters.min() > 70  # of a hundred each


def test_age_halves_a_rows_chance() -> None:
    older = draw(Sampling(replay_ratio=1.0, half_life_days=100), most=400)
    ages = (ROWS - 1 - older) // 4
    # Exponential decay: three quarters of the draw within two half-lives, if rows do not run out.
    assert 0.65 < np.mean(ages <= 200) < 0.85


def test_rare_labels_are_drawn_like_frequent_ones() -> None:
    labels = np.where(np.arange(ROWS) % 50 == 0, 1, 0)
    for balance, least, most in ((0.0, 0, 25), (1.0, 60, 80)):
        places = draw(Sampling(replay_ratio=1.0, balance_ratio=balance), most=400, labels=labels)
        assert least <= labels[places].sum() <= most


def test_of_equal_lessons_the_newest_stay() -> None:
    lessons = TEXTS % 10
    places = draw(Sampling(max_repeats=3), lessons=lessons)
    assert places.tolist() == list(range(ROWS - 30, ROWS))
    assert set(Counter((lessons[places]).tolist()).values()) == {3}


@given(
    st.integers(1, 60),
    st.integers(1, 80),
    st.floats(0, 1),
    st.sampled_from([None, 1.0, 3_650.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(0, 5),
)
def test_there_are_as_many_as_asked_for_in_order_and_always_the_same(
    rows: int, most: int, replay: float, half_life: float | None, balance: float, seed: int
) -> None:
    sampling = Sampling(replay) if not replay else Sampling(replay, half_life, balance)
    columns = (TIMES[:rows], TEXTS[:rows] % 7, TEXTS[:rows] % 3)
    places = chosen(*columns, sampling, most=most, seed=seed)
    assert len(places) == min(rows, most)
    assert (np.diff(places) > 0).all()
    assert places.tolist() == chosen(*columns, sampling, most=most, seed=seed).tolist()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"replay_ratio": 1.5}, "share"),
        ({"replay_ratio": 0.5, "hard_ratio": 0.6}, "hard_ratio is a share"),
        ({"replay_ratio": 0.5, "half_life_days": 0.0}, "more than 0"),
        ({"replay_ratio": 0.5, "balance_ratio": 2.0}, "between 0"),
        ({"max_repeats": 0}, "at least 1"),
        ({"balance_ratio": 0.5}, "say with replay_ratio"),
        ({"max_repeats": 1.5}, "without a fraction"),
        ({"replay_ratio": "much"}, "must be a number"),
        ({"repeats": 1}, "not by repeats"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        Sampling.from_dict(given)


def test_only_what_differs_is_said() -> None:
    sampling = Sampling(replay_ratio=0.3, max_repeats=5)
    assert sampling.to_dict() == {"replay_ratio": 0.3, "max_repeats": 5}
    assert Sampling.from_dict(sampling.to_dict()) == sampling
    assert Sampling().to_dict() == {}
