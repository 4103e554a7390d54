"""What can be chosen about the story."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StorySettings:
    """What the story asks of the platform; bodies of its API calls."""

    training: dict[str, Any] = field(
        default_factory=lambda: {
            "max_rows": 30_000,
            "recipe": {"pretrain_epochs": 1, "train_epochs": 3},
        }
    )
    monitor: dict[str, Any] = field(
        default_factory=lambda: {"window_days": 91, "max_accuracy_drop": 0.02}
    )
    retraining: dict[str, Any] = field(
        default_factory=lambda: {
            "on_alert": ["harm"],
            "cooldown_days": 120,
            "window_days": 460,
            "max_rows": 12_000,
            "recipe": {"train_epochs": 2},
        }
    )
    # Too little of everything, so that the gates have something to reject.
    careless: dict[str, Any] = field(
        default_factory=lambda: {
            "window_days": 75,
            "max_rows": 400,
            "recipe_name": "small-classifier",
            "recipe": {"pretrain_epochs": 0, "train_epochs": 1},
        }
    )
