"""Recipes are frozen, checked and travel as plain values."""

import dataclasses
import json
from typing import Any

import pytest

from bailiwick.training.recipes import RECIPES, RecipeInvalid, SmallClassifierRecipe, recipe_of


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_named_recipe_survives_json(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe_of(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SmallClassifierRecipe().layers = 3  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": 0}, "layers must be from 1 to 24; it is 0"),
        ({"layers": 1.5}, "layers must be a whole number"),
        ({"heads": True}, "heads must be a whole number"),
        ({"dropout": "much"}, "dropout must be a number"),
        ({"learning_rate": float("nan")}, "learning_rate must be from"),
        ({"hidden_size": 100, "heads": 8}, "must be an even multiple of heads"),
        ({"kind": "large"}, "no recipe of kind 'large'"),
        ({"optimizer": "sgd"}, "has no optimizer"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeInvalid, match=message):
        SmallClassifierRecipe.from_dict(values)
