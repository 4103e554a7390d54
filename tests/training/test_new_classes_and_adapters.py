"""Cheap updates: a class imprinted on a model that stays, and a low-rank change of its weights."""

from pathlib import Path

import pytest
import torch

from bailiwick.serving.artifact import read_artifact
from bailiwick.serving.engine import Engine
from bailiwick.serving.transformer import load_network
from bailiwick.training.recipes import ImprintRecipe, RecipeInvalid, SmallClassifierRecipe
from bailiwick.training.run import run
from support.tiny_training import SHOPS, TINY, frame_file, rows, tiny_spec

pytestmark = pytest.mark.torch
WITH_DRINKS = {**SHOPS, "Drinks": ["wine cellar", "ale house"]}


@pytest.fixture(scope="module")
def imprinted(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of the tiny model that was shown ten purchases of a new class."""
    folder = tmp_path_factory.mktemp("imprinted")
    few = rows(30, seed=5, shops={"Drinks": WITH_DRINKS["Drinks"]})[:10]
    times = [row[0] for row in rows(250)]
    learned = [
        (at, text, label)
        for at, (_, text, label) in zip(times, [*rows(200), *few, *rows(40, seed=9)], strict=True)
    ]
    spec = tiny_spec(
        folder,
        train=frame_file(folder / "learned.parquet", learned),
        recipe=ImprintRecipe(),
        base=trained / "artifact",
    )
    outcome = run(spec, lambda *_: None)
    assert outcome["metrics"]["imprinted_labels"] == 1
    return folder / "artifact"


def test_a_class_of_ten_examples_is_told_from_all_others(imprinted: Path) -> None:
    engine = Engine.load(imprinted)
    answers = engine.probabilities([f"{shop} 7 | ward 1" for shop in WITH_DRINKS["Drinks"]])
    assert [engine.labels[best] for best in answers.argmax(axis=1)] == ["Drinks", "Drinks"]


def test_what_was_known_keeps_its_weights_and_answers(trained: Path, imprinted: Path) -> None:
    before, after = load_network(trained / "artifact"), load_network(imprinted)
    theirs, mine = before.state_dict(), after.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs if "classifier" not in name)
    assert torch.equal(mine["classifier.weight"][:3], theirs["classifier.weight"])
    assert read_artifact(imprinted).labels == ("Books", "Food", "Fuel", "Drinks")
    old, new = Engine.load(trained / "artifact"), Engine.load(imprinted)
    texts = [text for _, text, _ in rows(60, seed=11)]
    same = old.probabilities(texts).argmax(axis=1) == new.probabilities(texts).argmax(axis=1)
    assert same.mean() > 0.95


def test_there_must_be_a_new_class_and_a_transformer_to_imprint_it_on(
    trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeInvalid, match="nothing to imprint"):
        run(
            tiny_spec(tmp_path / "a", recipe=ImprintRecipe(), base=trained / "artifact"),
            lambda *_: None,
        )
    with pytest.raises(RecipeInvalid, match="takes a transformer to start from"):
        run(tiny_spec(tmp_path / "b", recipe=ImprintRecipe()), lambda *_: None)


def test_an_adapter_changes_matrices_by_its_rank_alone(trained: Path, tmp_path: Path) -> None:
    settings = {"pretrain_epochs": 0, "train_epochs": 2, "adapter_rank": 2}
    recipe = SmallClassifierRecipe.from_dict({**TINY.to_dict(), **settings})
    outcome = run(
        tiny_spec(tmp_path / "adapted", recipe=recipe, base=trained / "artifact"), lambda *_: None
    )
    theirs = load_network(trained / "artifact").state_dict()
    mine = load_network(tmp_path / "adapted" / "artifact").state_dict()
    assert mine.keys() == theirs.keys()
    changes = {
        name: mine[name] - theirs[name] for name in theirs if not name.startswith("classifier.")
    }
    moved = {name: change for name, change in changes.items() if change.abs().max() > 0}
    assert moved
    assert all(torch.linalg.matrix_rank(change, atol=1e-5) <= 2 for change in moved.values())
    assert "model.embeddings.tok_embeddings.weight" not in moved
    assert outcome["holdout"]["accuracy"] > 0.9


def test_an_adapter_needs_a_model_and_leaves_it_unpretrained(tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match="set pretrain_epochs to 0"):
        SmallClassifierRecipe(adapter_rank=4)
    recipe = SmallClassifierRecipe.from_dict(
        {**TINY.to_dict(), "pretrain_epochs": 0, "adapter_rank": 4}
    )
    with pytest.raises(RecipeInvalid, match="name one to start from"):
        run(tiny_spec(tmp_path, recipe=recipe), lambda *_: None)
