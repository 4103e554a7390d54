"""What a training process measures of a version that every further gate lets pass."""

from copy import deepcopy
from typing import Any

Figures = dict[str, Any]
AS_GOOD = {"both": 800, "only_candidate": 60, "only_champion": 40, "neither": 100}
MEASURED: dict[str, Figures] = {
    "golden_set": {
        "rows": 1_000,
        "accuracy": 0.86,
        "champion_accuracy": 0.84,
        "leaked_rows": 0,
        "paired": AS_GOOD,
    },
    "slices": {
        "slices": [
            {"by": "class", "value": "Fuel", "rows": 1_000, "accuracy": 0.86, "paired": AS_GOOD}
        ],
        "missing": [],
        "largest_left_out": 0,
    },
    "calibration": {"rows": 1_000, "error": 0.04, "champion_error": 0.05},
    "latency": {"requests": 60, "p95_ms": 3.0, "champion_p95_ms": 2.5},
    "size": {"bytes": 4_000_000, "champion_bytes": 4_000_000},
    "robustness": {
        "rows": 1_000,
        "accuracy": 0.86,
        "changes": [
            {
                "change": change,
                "rows": 1_000,
                "accuracy": 0.80,
                "champion_accuracy": 0.78,
                "paired": {
                    "both": 740,
                    "only_candidate": 60,
                    "only_champion": 40,
                    "neither": 160,
                },
            }
            for change in ("typos", "casing", "cut")
        ],
    },
    "data_checks": {
        "train_rows": 4_000,
        "holdout_rows": 1_000,
        "duplicate_rows": 100,
        "rows_after": 0,
        "leaked_rows": 5,
        "repeated_text_rows": 500,
        "key_declared": True,
        "keyed_rows": 1_000,
        "leaked_key_rows": 0,
    },
    "membership": {
        "members": 300,
        "non_members": 300,
        "alone": None,
        "attacks": [
            {"attack": "loss", "auc": 0.53, "low": 0.49, "high": 0.58},
            {"attack": "confidence", "auc": 0.51, "low": 0.47, "high": 0.56},
        ],
    },
    "reproducibility": {"same": True, "differing": [], "seconds": 9.0},
}


def measured(**changes: Figures) -> dict[str, Figures]:
    """All figures, with some of a gate's changed: `measured(size={"bytes": 1})`."""
    figures = deepcopy(MEASURED)
    for gate, change in changes.items():
        figures[gate] |= change
    return figures
