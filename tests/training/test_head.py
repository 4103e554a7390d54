"""A head refit on a frozen encoder: trained, written, served and compared like any model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bailiwick.serving.engine import Engine
from bailiwick.training.data import OneClass
from bailiwick.training.head import lessons_of, numbered
from bailiwick.training.recipes import HeadRecipe
from bailiwick.training.run import run
from support.tiny_training import SHOPS, frame_file, rows, tiny_spec

pytestmark = pytest.mark.torch
HEAD = HeadRecipe(buckets=4096, batch_rows=16)
QUIET = lambda *_: None  # noqa: E731 - nobody listens to the progress


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a finished job with a head on n-grams."""
    folder = tmp_path_factory.mktemp("fitted")
    run(tiny_spec(folder, recipe=HEAD), QUIET)
    return folder


def test_a_head_on_ngrams_is_a_small_artifact_that_the_engine_serves(fitted: Path) -> None:
    outcome = json.loads((fitted / "outcome.json").read_bytes())
    assert outcome["holdout"]["accuracy"] > 0.95
    assert outcome["parameters"] == 4096 * 3 + 3
    names = {path.name for path in (fitted / "artifact").iterdir()}
    assert names == {"config.json", "model.safetensors", "known_words.u64", "bailiwick.json"}
    engine = Engine.load(fitted / "artifact")
    sure, unsure = engine.classify(["TESCO stores 12", "zebra"])
    assert sure.seen is not None
    assert sure.seen.entropy > 0
    assert (sure.seen.tokens_per_word, sure.seen.embedding) == (None, None)  # it has no encoder
    assert (sure.label, sure.descriptors.unseen_words_ratio) == ("Food", 1 / 3)
    assert sure.confidence > max(0.6, unsure.confidence)


def test_no_text_can_be_read_from_its_files(fitted: Path) -> None:
    content = b"".join(path.read_bytes() for path in (fitted / "artifact").iterdir())
    words = {word for shops in SHOPS.values() for shop in shops for word in shop.split()}
    assert not [word for word in words if len(word) > 3 and word.encode() in content]


def test_the_same_seed_gives_the_same_bytes(fitted: Path, tmp_path: Path) -> None:
    again = run(tiny_spec(tmp_path, recipe=HEAD), QUIET)
    assert again["files"] == json.loads((fitted / "outcome.json").read_bytes())["files"]


def test_a_head_takes_the_encoder_of_a_transformer_and_is_compared_with_it(
    trained: Path, tmp_path: Path
) -> None:
    champion = trained / "artifact"
    recipe = HeadRecipe(epochs=30, batch_rows=32, learning_rate=0.05)
    spec = tiny_spec(tmp_path, recipe=recipe, base=champion, compare_with=champion)
    outcome = run(spec, QUIET)
    assert outcome["holdout"]["accuracy"] > 0.9
    assert sum(outcome["paired"].values()) == 60
    mine, theirs = tmp_path / "artifact", champion
    assert (mine / "tokenizer.json").read_bytes() == (theirs / "tokenizer.json").read_bytes()
    both = [Engine.load(folder)._scorer.network.state_dict() for folder in (mine, theirs)]  # type: ignore[attr-defined]  # a transformer's
    moved = [name for name in both[0] if not torch.equal(both[0][name], both[1][name])]
    assert moved == ["classifier.weight", "classifier.bias"]


def test_a_head_may_follow_a_head(fitted: Path, tmp_path: Path) -> None:
    champion = fitted / "artifact"
    outcome = run(tiny_spec(tmp_path, recipe=HEAD, base=champion, compare_with=champion), QUIET)
    assert outcome["paired"]["only_champion"] == outcome["paired"]["only_candidate"] == 0


def test_labels_that_only_the_newest_rows_carry_are_learned(tmp_path: Path) -> None:
    content = rows(240, labels=["Fuel", "Food"])
    newest = [(time, "zebra crossing", "Roads") for time, _, _ in content[220:]]
    train = frame_file(tmp_path / "t.parquet", content[:220] + newest)
    run(tiny_spec(tmp_path, train=train, recipe=HEAD), QUIET)
    assert Engine.load(tmp_path / "artifact").classify(["zebra crossing"])[0].label == "Roads"


def test_one_label_is_nothing_to_learn(tmp_path: Path) -> None:
    train = frame_file(tmp_path / "t.parquet", rows(100, labels=["Fuel"]))
    with pytest.raises(OneClass, match="one label only"):
        run(tiny_spec(tmp_path, train=train, recipe=HEAD), QUIET)


def test_equal_texts_are_one_lesson_with_the_share_of_each_label_by_age() -> None:
    texts, columns = np.array([0, 0, 1]), np.array([0, 1, 1])
    ages = np.array([180.0, 0.0, 0.0])
    lessons = lessons_of(texts, columns, ages, HeadRecipe(half_life_days=180), labels=2)
    np.testing.assert_allclose(lessons.targets, [[1 / 3, 2 / 3], [0, 1]], rtol=1e-6)
    np.testing.assert_allclose(lessons.weights[0] / lessons.weights[1], 1.5**0.5, rtol=1e-6)
    alike = lessons_of(texts, columns, ages, HeadRecipe(half_life_days=0), labels=2)
    np.testing.assert_allclose(alike.targets[0], [0.5, 0.5])


def test_balanced_labels_weigh_alike() -> None:
    texts, columns = np.array([0, 1, 2, 3]), np.array([0, 0, 0, 1])
    recipe = HeadRecipe(balance_ratio=1.0)
    lessons = lessons_of(texts, columns, np.zeros(4), recipe, labels=2)
    np.testing.assert_allclose(lessons.weights[3] / lessons.weights[0], 3**0.5, rtol=1e-6)


def test_the_weightiest_texts_are_kept() -> None:
    _, texts = numbered([f"t{row}" for row in range(30)] + ["t29", "t3"])
    recipe = HeadRecipe(max_texts=10)
    lessons = lessons_of(texts, np.zeros(32, int), np.zeros(32), recipe, labels=1)
    assert len(lessons) == 10
    assert {3, 29} < set(lessons.texts.tolist())
