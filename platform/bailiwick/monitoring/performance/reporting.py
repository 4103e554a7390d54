"""All figures of labelled rows at once, as a check stores them and the API shows them. Pure.

Each says what it is (`name`, `kind`), which way is worse (`direction`: the value that a threshold
would be compared with lies on that side), its threshold if one is set, its value with a 95 %
interval and the method of that, and how many rows it is of. `library`: what computed it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from bailiwick import __version__
from bailiwick.monitoring.performance.classes import SureBin, brier, by_class, weighted_f1
from bailiwick.monitoring.performance.measures import (
    DRAWS,
    Confusion,
    Measured,
    calibration_of,
    macro_f1,
    mean_cost,
)
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.statistics import wilson_interval

Costs = Mapping[str, Mapping[str, float]]
SEED = 0
WILSON = "Wilson score interval"
BOOTSTRAP = f"percentile bootstrap of counts, {DRAWS:,} draws, seed {SEED}"
NORMAL = "normal interval of a mean"
LIBRARY = f"bailiwick {__version__}"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled rows as counts: `confusion` by places of `names`, the place after them for others.

    `correct` knows what others were right. `bins`: rows with a confidence.
    """

    names: Sequence[str]
    rows: int
    correct: int
    confusion: Confusion
    bins: Mapping[int, SureBin]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `threshold` is None where the monitor sets none."""

    name: str
    kind: Literal["performance", "calibration", "cost"]
    direction: Literal["less", "greater"]
    threshold: float | None
    value: float
    lower: float
    upper: float
    rows: int
    method: str
    library: str = LIBRARY
    by_chance: float | None = None  # of a calibration error: what a calibrated model shows

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def figures(
    labelled: Labelled, *, least_accuracy: float | None, costs: Costs | None
) -> list[Figure]:
    """Of at least one labelled row, else none. `least_accuracy`: below it somebody is woken."""
    if labelled.rows <= 0 or not labelled.confusion:
        return []
    labels = len(labelled.names)
    right = labelled.correct / labelled.rows
    interval = wilson_interval(labelled.correct, labelled.rows, 0.95)
    known = Measured(right, *interval, labelled.rows)
    macro = macro_f1(labelled.confusion, labels=labels, seed=SEED)
    weighted = weighted_f1(labelled.confusion, labels=labels, seed=SEED)
    found = [
        _figure("accuracy", "performance", "less", known, WILSON, threshold=least_accuracy),
        _figure("macro F1", "performance", "less", macro, BOOTSTRAP),
        _figure("weighted F1", "performance", "less", weighted, BOOTSTRAP),
        *_of_confidence(labelled.bins),
    ]
    if costs:
        matrix = cost_matrix(costs, labelled.names)
        spent = mean_cost(labelled.confusion, matrix, seed=SEED)
        found.append(_figure("cost per request", "cost", "greater", spent, BOOTSTRAP))
    return found


def classes(labelled: Labelled) -> list[dict[str, Any]]:
    """Of each label, most rows first; the last place's name is None."""
    if labelled.rows <= 0 or not labelled.confusion:
        return []
    return [
        {
            "label": labelled.names[one.place] if one.place < len(labelled.names) else None,
            "support": one.support,
            "said": one.said,
            **{
                name: asdict(value) if (value := getattr(one, name)) is not None else None
                for name in ("precision", "recall", "f1")
            },
        }
        for one in by_class(labelled.confusion, labels=len(labelled.names), seed=SEED)
    ]


def cost_matrix(costs: Costs, names: Sequence[str]) -> Array:
    """`costs`[true][answer] as [said, true], shape (names + 1, names + 1); what is not named: 0.

    >>> cost_matrix({"fuel": {"food": 5.0}}, ["food", "fuel"]).tolist()
    [[0.0, 5.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    place = {name: number for number, name in enumerate(names)}
    matrix = np.zeros((len(names) + 1, len(names) + 1))
    for true, answers in costs.items():
        for said, cost in answers.items():
            if true in place and said in place:
                matrix[place[said], place[true]] = cost
    return matrix


def _of_confidence(bins: Mapping[int, SureBin]) -> list[Figure]:
    score = brier(bins)
    if score is None:
        return []
    places = sorted(place for place, one in bins.items() if one.rows)
    count = np.array([bins[place].rows for place in places], dtype=np.int64)
    right = np.array([bins[place].correct for place in places], dtype=np.int64)
    sure = np.array([bins[place].confidence for place in places])
    found = calibration_of(count, right, sure / count, seed=SEED)
    return [
        _figure(
            "expected calibration error",
            "calibration",
            "greater",
            found.error,
            BOOTSTRAP,
            by_chance=found.by_chance,
        ),
        _figure("Brier score", "calibration", "greater", score, NORMAL),
    ]


def _figure(
    name: str,
    kind: Literal["performance", "calibration", "cost"],
    direction: Literal["less", "greater"],
    measured: Measured,
    method: str,
    *,
    threshold: float | None = None,
    by_chance: float | None = None,
) -> Figure:
    return Figure(
        name,
        kind,
        direction,
        threshold,
        measured.value,
        measured.lower,
        measured.upper,
        measured.rows,
        method,
        by_chance=by_chance,
    )
