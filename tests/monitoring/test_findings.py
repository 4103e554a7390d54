from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bailiwick.monitoring.findings import ACCURACY, drifted_columns, judge, moved_since

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_result(column: str = "words", *, drifted: bool = True, rows: int = 5_000) -> dict[str, Any]:
    return {
        "column": column,
        "kind": "numeric",
        "test": "wasserstein",
        "statistic": 0.3 if drifted else 0.01,
        "direction": "greater",
        "threshold": 0.2,
        "reference_rows": rows,
        "current_rows": rows,
        "drifted": drifted,
        "library": "test",
        "harmful": False,
        "reference_mean": 4.0,
        "current_mean": 6.0,
        "movers": [],
    }


def judged(results: list[dict[str, Any]] | None, *, labelled: int = 0, correct: int = 0) -> Any:
    return judge(
        None if results is None else {"results": results},
        rows=100,
        labelled_rows=labelled,
        correct_rows=correct,
        baseline_accuracy=0.8,
        max_accuracy_drop=0.05,
        min_rows=1_000,
    )


@pytest.mark.parametrize(
    ("results", "labels", "verdict"),
    [
        ([a_result(drifted=False)], (0, 0), "none"),
        ([a_result()], (0, 0), "drift"),
        ([a_result(rows=999)], (0, 0), "insufficient"),
        (None, (0, 0), "insufficient"),
        (None, (2_000, 1_000), "harm"),
        ([a_result(drifted=False)], (2_000, 1_000), "harm"),
        ([a_result(drifted=False)], (2_000, 1_600), "none"),
        ([a_result() | {"harmful": True}], (0, 0), "harm"),
    ],
)
def test_distances_and_accuracy_give_one_verdict(
    results: list[dict[str, Any]] | None, labels: tuple[int, int], verdict: str
) -> None:
    found = judged(results, labelled=labels[0], correct=labels[1])
    assert found.verdict == verdict
    assert found.labelled_rows == labels[0]
    assert found.sentence


def test_a_finding_keeps_what_it_was_judged_by() -> None:
    found = judged([a_result()], labelled=2_000, correct=1_000)
    assert found.results[0]["statistic"] == 0.3
    assert found.details["accuracy"]["rows"] == 2_000
    assert found.accuracy == 0.5
    assert drifted_columns(found.results, found.details) == {"words", ACCURACY}


def test_since_when_is_the_earliest_of_what_still_moves() -> None:
    days = [START + timedelta(days=day) for day in range(4)]
    history = [
        (days[0], {"words"}),
        (days[1], {"words", "confidence"}),
        (days[2], {"confidence"}),
        (days[3], {"confidence", "words"}),
    ]
    assert moved_since(history) == days[1]
    assert moved_since(history[:1]) == days[0]
    assert moved_since([(days[0], set())]) == days[0]
