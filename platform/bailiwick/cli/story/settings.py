"""What can be chosen about the story."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StorySettings:
    """What the story asks of the platform; bodies of its API calls."""

    training: dict[str, Any] = field(
        default_factory=lambda: {
            "max_rows": 20_000,
            "recipe": {"pretrain_epochs": 1, "train_epochs": 2},
        }
    )
    monitor: dict[str, Any] = field(
        default_factory=lambda: {"window_days": 91, "max_accuracy_drop": 0.02}
    )
    retraining: dict[str, Any] = field(
        default_factory=lambda: {
            "on_alert": ["harm"],
            "cooldown_days": 80,
            "window_days": 370,
            "max_rows": 5_000,
            "recipe": {"pretrain_epochs": 0, "train_epochs": 2},
        }
    )
    # What the sudden change is answered with.
    upheaval: dict[str, Any] = field(default_factory=lambda: {"recipe_name": "cheap-first"})
    # Few rows and far too large steps, so that the gates have something to reject.
    careless: dict[str, Any] = field(
        default_factory=lambda: {
            "window_days": 180,
            "max_rows": 300,
            "recipe_name": "small-classifier",
            "recipe": {"pretrain_epochs": 0, "train_epochs": 1, "learning_rate": 0.05},
        }
    )
