"""Training small language models: each run is a process, `python -m bailiwick.training.run`.

A `Recipe` says how (`SmallClassifierRecipe`: all of a transformer, or an adapter to it;
`HeadRecipe`: a head on a frozen encoder; `ImprintRecipe`: new classes alone); `CheapFirst` names
several to try in order. A job file (`spec`) says on what. Both need no torch; only the job
processes import the rest.
"""

from bailiwick.training.recipes import (
    RECIPES,
    HeadRecipe,
    ImprintRecipe,
    Recipe,
    SmallClassifierRecipe,
    recipe_of,
)
from bailiwick.training.rungs import (
    AnyRecipe,
    CheapFirst,
    any_recipe_of,
    from_nothing,
    recipe_named,
    standing_in,
)
from bailiwick.training.spec import TrainingSpec

__all__ = [
    "RECIPES",
    "AnyRecipe",
    "CheapFirst",
    "HeadRecipe",
    "ImprintRecipe",
    "Recipe",
    "SmallClassifierRecipe",
    "TrainingSpec",
    "any_recipe_of",
    "from_nothing",
    "recipe_named",
    "recipe_of",
    "standing_in",
]
