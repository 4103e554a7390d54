"""Training small language models: each run is a process, `python -m bailiwick.training.run`.

A `SmallClassifierRecipe` says how, a job file (`spec`) says on what. Recipes and job files need
no torch; only the job process imports the rest.
"""

from bailiwick.training.recipes import RECIPES, SmallClassifierRecipe
from bailiwick.training.spec import TrainingSpec

__all__ = ["RECIPES", "SmallClassifierRecipe", "TrainingSpec"]
