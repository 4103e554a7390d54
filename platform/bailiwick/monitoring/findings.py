"""From a job process's numbers and late feedback to the finding that a check records."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bailiwick.monitoring.statistics import (
    AccuracySpec,
    Mover,
    StatisticResult,
    measure_accuracy,
    onset,
)
from bailiwick.monitoring.verdicts import verdict

ACCURACY = "accuracy"
ACCURACY_SINCE = "accuracy_since"  # in the details of a check: when accuracy fell within its window


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, ready to be stored."""

    verdict: str
    sentence: str
    results: list[dict[str, Any]]
    accuracy: float | None
    labelled_rows: int
    details: dict[str, Any]


def judge(
    outcome: Mapping[str, Any] | None,
    *,
    rows: int,
    labelled_rows: int,
    correct_rows: int,
    baseline_accuracy: float,
    max_accuracy_drop: float,
    min_rows: int,
) -> Finding:
    """One verdict over the distances (None: too few `rows` to measure) and the accuracy so far."""
    results = [_result(values) for values in outcome["results"]] if outcome else []
    accuracy = measure_accuracy(
        AccuracySpec(max_drop=max_accuracy_drop),
        baseline=baseline_accuracy,
        correct=correct_rows,
        rows=labelled_rows,
    )
    found = verdict(results, accuracy, rows=rows, min_rows=min_rows)
    return Finding(
        verdict=found.kind,
        sentence=found.sentence,
        results=[asdict(result) for result in results],
        accuracy=accuracy.accuracy,
        labelled_rows=labelled_rows,
        details={"accuracy": asdict(accuracy)},
    )


def drifted_columns(results: Sequence[Mapping[str, Any]], details: Mapping[str, Any]) -> set[str]:
    """The columns that a stored finding says have moved, `accuracy` among them."""
    moved = {str(result["column"]) for result in results if result["drifted"]}
    return moved | ({ACCURACY} if details["accuracy"]["dropped"] else set())


def moved_since(history: Sequence[tuple[datetime, set[str]]]) -> datetime:
    """The earliest onset of what has moved in the newest of these windows (oldest first)."""
    since = onset([(start, frozenset(columns)) for start, columns in history])
    return min(since.values(), default=history[-1][0])


def _result(values: Mapping[str, Any]) -> StatisticResult:
    movers = tuple(Mover(**mover) for mover in values["movers"])
    return StatisticResult(**{**values, "movers": movers})
