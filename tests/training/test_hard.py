"""Older rows that the champion gets wrong are learned from again."""

from pathlib import Path

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.serving.engine import Engine
from bailiwick.training.data import read_frame
from bailiwick.training.hard import drawn, hardness_of, with_hard
from support.tiny_training import frame_file, rows, tiny_spec

pytestmark = pytest.mark.torch


def test_what_the_champion_gets_wrong_is_hard_and_what_it_knows_is_not(
    trained: Path, tmp_path: Path
) -> None:
    known = rows(40, seed=21)
    wrong = [(at, text, "Books" if label == "Fuel" else "Fuel") for at, text, label in known]
    champion = Engine.load(trained / "artifact")
    for content, low, high in ((known, 0.0, 0.3), (wrong, 0.7, 1.0)):
        frame = read_frame(frame_file(tmp_path / "rows.parquet", content))
        assert low <= np.median(hardness_of(champion, frame)) <= high


def test_a_label_that_the_champion_does_not_know_is_as_hard_as_can_be(
    trained: Path, tmp_path: Path
) -> None:
    content = [(at, text, "Drinks") for at, text, _ in rows(5)]
    frame = read_frame(frame_file(tmp_path / "rows.parquet", content))
    assert hardness_of(Engine.load(trained / "artifact"), frame).tolist() == [1.0] * 5


def test_hard_rows_join_the_others_in_order_of_time(trained: Path, tmp_path: Path) -> None:
    content = rows(300)
    odd = [(at, text, "Books" if label == "Fuel" else "Fuel") for at, text, label in content[:20]]
    spec = tiny_spec(
        tmp_path,
        train=frame_file(tmp_path / "newest.parquet", content[100:240]),
        older=frame_file(tmp_path / "older.parquet", [*odd, *content[20:100]]),
        hard_rows=20,
        compare_with=trained / "artifact",
    )
    train = read_frame(spec.train)
    both, hard = with_hard(train, spec, Engine.load(trained / "artifact"))
    assert (hard, len(both)) == (20, 160)
    assert (np.diff(both.times) >= np.timedelta64(0)).all()
    odd_texts = {text for _, text, _ in odd}
    assert sum(text in odd_texts for text in both.texts[:20]) >= 15
    assert with_hard(train, spec, Engine.load(trained / "artifact"))[0].texts == both.texts


def test_without_a_champion_nobody_can_tell_what_is_hard(tmp_path: Path) -> None:
    spec = tiny_spec(tmp_path, older=frame_file(tmp_path / "older.parquet", rows(60)), hard_rows=5)
    with pytest.raises(Invalid, match="Train the first version without it"):
        with_hard(read_frame(spec.train), spec, None)


def test_rows_are_drawn_as_their_weights_say() -> None:
    weights = np.array([0.1] * 500 + [0.9] * 500)
    places = drawn(weights, 300, seed=3)
    assert len(set(places.tolist())) == 300
    assert 0.75 < np.mean(places >= 500) < 0.95
