"""Recipes are tried from the cheapest on, and the first that is enough is taken."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.descriptors import KnownWords
from bailiwick.training import (
    RECIPES,
    CheapFirst,
    HeadRecipe,
    ImprintRecipe,
    Recipe,
    any_recipe_of,
    from_nothing,
    recipe_named,
    standing_in,
)
from bailiwick.training.choosing import Bar, Chosen, chosen_among
from bailiwick.training.recipes import RecipeInvalid
from bailiwick.training.run import run
from bailiwick.training.trained import Trained
from support.tiny_training import SHOPS, TINY, frame_file, rows, tiny_spec

pytestmark = pytest.mark.torch
IMPRINT, HEAD, FULL = RECIPES["imprint"], RECIPES["head"], RECIPES["small-classifier-refresh"]
LADDER = CheapFirst(rungs=(IMPRINT, HEAD, FULL))


def _right(share: float, rows: int = 200) -> NDArray[np.bool_]:
    """The first rows right, so that better answers have all that worse ones have."""
    return np.arange(rows) < share * rows


def _trained(share: float) -> Trained:
    nothing, words = torch.nn.Identity(), KnownWords.of([])
    return Trained(nothing, "{}", None, 8, ("a", "b"), words, [], {}, 0.0, _right(share))


def _choose(shares: dict[Recipe, float], bar: Bar) -> tuple[Chosen, list[Recipe]]:
    asked: list[Recipe] = []

    def train(recipe: Recipe) -> Trained:
        asked.append(recipe)
        if recipe not in shares:
            raise RecipeInvalid("nothing is new")
        return _trained(shares[recipe])

    return chosen_among(LADDER, train, bar), asked


def test_the_first_that_reaches_the_old_accuracy_is_taken_and_no_dearer_one_is_tried() -> None:
    chosen, asked = _choose({IMPRINT: 0.6, HEAD: 0.895}, Bar(0.9, _right(0.6)))
    assert chosen.recipe == HEAD
    assert asked == [IMPRINT, HEAD]
    first, second = chosen.tried()
    assert first["reason"] == "not enough: 60.0% is not the 90.0% that the champion had"
    assert (second["name"], second["won"], second["reason"]) == ("head", True, "enough: 89.5%")


def test_what_is_no_better_than_the_champion_now_is_not_enough() -> None:
    chosen, _ = _choose({IMPRINT: 0.9, HEAD: 0.9, FULL: 0.95}, Bar(0.9, _right(0.9)))
    assert chosen.recipe == FULL
    assert "is not above the champion's 90.0% beyond chance" in chosen.tries[0].reason


def test_where_none_is_enough_a_dearer_one_must_be_better_beyond_chance() -> None:
    bar = Bar(0.99, _right(0.5))
    chosen, asked = _choose({IMPRINT: 0.6, HEAD: 0.7, FULL: 0.71}, bar)
    assert len(asked) == 3
    assert chosen.recipe == HEAD
    assert chosen.tries[2].reason.endswith("not above the cheaper one beyond chance")
    assert [one["won"] for one in chosen.tried()] == [False, True, False]


def test_what_cannot_be_done_is_passed_over_with_its_reason() -> None:
    chosen, _ = _choose({HEAD: 0.9}, Bar(0.9, _right(0.5)))
    assert chosen.recipe == HEAD
    assert chosen.tries[0].accuracy is None
    assert chosen.tries[0].reason == "passed over: nothing is new"


def test_if_nothing_can_be_done_the_first_reason_is_told() -> None:
    with pytest.raises(Invalid, match="nothing is new"):
        _choose({}, Bar())


def test_without_a_champion_the_best_is_taken() -> None:
    chosen, asked = _choose({IMPRINT: 0.6, HEAD: 0.8, FULL: 0.9}, Bar())
    assert chosen.recipe == FULL
    assert len(asked) == 3


def test_the_choice_survives_json_and_takes_names_for_rungs() -> None:
    choice = recipe_named("cheap-first", {"rungs": ["head", "small-classifier"], "tolerance": 0.02})
    assert choice == CheapFirst(rungs=(HEAD, RECIPES["small-classifier"]), tolerance=0.02)
    assert any_recipe_of(json.loads(json.dumps(choice.to_dict()))) == choice
    assert recipe_named("cheap-first") == CheapFirst()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rungs": []}, "tries 1 to 8 recipes"),
        ({"rungs": ["haed"]}, "no recipe 'haed'; there are adapter, head"),
        ({"rungs": "head"}, "rungs is a list"),
        ({"tolerance": 2}, "tolerance is a share"),
        ({"tolerance": "much"}, "tolerance a number"),
        ({"layers": 2}, "Settings belong to the recipes that are its rungs"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeInvalid, match=message):
        recipe_named("cheap-first", changes)


@pytest.mark.parametrize("name", ["cheap-first", "imprint", "adapter"])
def test_a_replay_trains_from_nothing_and_trials_take_a_head_instead(name: str) -> None:
    with pytest.raises(RecipeInvalid, match="Use head or small-classifier"):
        from_nothing(recipe_named(name))
    assert standing_in(recipe_named(name)) == HeadRecipe()
    assert standing_in(FULL) == FULL


def test_a_job_tries_and_says_so_and_can_be_made_again(trained: Path, tmp_path: Path) -> None:
    of_now = rows(300, seed=3, shops={**SHOPS, "Drinks": ["wine cellar", "ale house"]})
    base = trained / "artifact"
    spec = tiny_spec(
        tmp_path / "cheap",
        train=frame_file(tmp_path / "train.parquet", of_now[:240]),
        holdout=frame_file(tmp_path / "holdout.parquet", of_now[240:]),
        recipe=CheapFirst(rungs=(HEAD, ImprintRecipe(), TINY)),
        base=base,
        compare_with=base,
        reference_accuracy=0.9,
    )
    outcome = run(spec, lambda *_: None)
    tried = outcome["recipes_tried"]
    assert tried[0]["name"] == "head"
    assert [one["recipe"] for one in tried if one["won"]] == [outcome["recipe"]]
    again = run(
        tiny_spec(
            tmp_path / "again",
            train=spec.train,
            holdout=spec.holdout,
            recipe=any_recipe_of(outcome["recipe"]),
            base=base,
        ),
        lambda *_: None,
    )
    assert again["files"] == outcome["files"]
    assert again["recipes_tried"] == []
