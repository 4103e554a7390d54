"""Several recipes in the order of their price, of which the first that is enough is taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from bailiwick.training.recipes import (
    RECIPES,
    HeadRecipe,
    Recipe,
    RecipeInvalid,
    SmallClassifierRecipe,
    recipe_of,
)

_CHEAP_FIRST = ("imprint", "head-on-base", "adapter", "small-classifier-refresh")
_MOST_RUNGS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapFirst:
    """Recipes to try in order, until one is enough; how that is told: docs/decisions/0023.

    `tolerance`: by how much accuracy (0 to 1) one that is enough may stay below what the champion
    had when it was judged.
    """

    kind: ClassVar[str] = "cheap-first"

    rungs: tuple[Recipe, ...] = tuple(RECIPES[name] for name in _CHEAP_FIRST)
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        if not 1 <= len(self.rungs) <= _MOST_RUNGS:
            raise RecipeInvalid(
                f"cheap-first tries 1 to {_MOST_RUNGS} recipes; name them in rungs."
            )
        if isinstance(self.tolerance, bool) or not 0 <= self.tolerance <= 1:
            raise RecipeInvalid("tolerance is a share of the rows, from 0 to 1; 0.01 is one point.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "CheapFirst":
        """The inverse of `to_dict`; a rung may also be the name of a recipe."""
        given = {name: value for name, value in values.items() if name != "kind"}
        if strange := sorted(given.keys() - {"rungs", "tolerance"}):
            raise RecipeInvalid(
                f"cheap-first has rungs and tolerance, no {', '.join(strange)}. "
                "Settings belong to the recipes that are its rungs."
            )
        rungs, tolerance = given.get("rungs", _CHEAP_FIRST), given.get("tolerance", cls().tolerance)
        if not isinstance(rungs, (list, tuple)) or not isinstance(tolerance, (int, float)):
            raise RecipeInvalid("rungs is a list of recipes, tolerance a number.")
        return cls(rungs=tuple(_rung(one) for one in rungs), tolerance=tolerance)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with `kind`."""
        return {
            "kind": self.kind,
            "rungs": [rung.to_dict() for rung in self.rungs],
            "tolerance": self.tolerance,
        }


AnyRecipe: TypeAlias = Recipe | CheapFirst


def _rung(said: object) -> Recipe:
    if isinstance(said, Mapping):
        return recipe_of(said)
    if said not in RECIPES:
        raise RecipeInvalid(f"There is no recipe {said!r}; there are {', '.join(sorted(RECIPES))}.")
    return RECIPES[str(said)]


def any_recipe_of(values: Mapping[str, Any]) -> AnyRecipe:
    """The recipe, or the choice among several, that `to_dict` wrote. Raises `RecipeInvalid`."""
    return (
        CheapFirst.from_dict(values) if values.get("kind") == CheapFirst.kind else recipe_of(values)
    )


def recipe_named(name: str, changes: Mapping[str, Any] | None = None) -> AnyRecipe:
    """A recipe by its name, or `cheap-first`, with settings that differ from its own."""
    named: Mapping[str, AnyRecipe] = {**RECIPES, CheapFirst.kind: CheapFirst()}
    if name not in named:
        raise RecipeInvalid(f"there is no recipe {name!r}; there are {', '.join(sorted(named))}")
    return any_recipe_of(named[name].to_dict() | dict(changes or {}))


def name_of(recipe: Recipe) -> str:
    """The name by which the recipe is known, or its kind where its settings are its own."""
    return next((name for name, one in RECIPES.items() if one == recipe), f"own {recipe.kind}")


def from_nothing(recipe: AnyRecipe) -> HeadRecipe | SmallClassifierRecipe:
    """`recipe`, if it can train without a model to start from. Raises `RecipeInvalid`."""
    match recipe:
        case HeadRecipe() | SmallClassifierRecipe(adapter_rank=0):
            return recipe
    raise RecipeInvalid(
        "A replay trains each model from nothing, which this recipe cannot. Use head or "
        "small-classifier."
    )


def standing_in(recipe: AnyRecipe) -> HeadRecipe | SmallClassifierRecipe:
    """What trials of a policy train by: a head, where its recipe needs a model to start from."""
    try:
        return from_nothing(recipe)
    except RecipeInvalid:
        return HeadRecipe()
