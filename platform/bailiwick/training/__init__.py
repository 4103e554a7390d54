"""Training small language models: each run is a process, `python -m bailiwick.training.run`.

A `Recipe` says how (`SmallClassifierRecipe`: all of a transformer, `HeadRecipe`: a head on a
frozen encoder), a job file (`spec`) says on what. Recipes and job files need no torch; only the
job processes import the rest.
"""

from bailiwick.training.recipes import (
    RECIPES,
    HeadRecipe,
    Recipe,
    SmallClassifierRecipe,
    recipe_of,
)
from bailiwick.training.spec import TrainingSpec

__all__ = [
    "RECIPES",
    "HeadRecipe",
    "Recipe",
    "SmallClassifierRecipe",
    "TrainingSpec",
    "recipe_of",
]
