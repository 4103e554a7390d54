"""A classifier that is trained to tell two spans of traffic apart, and what it says."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.comparing import ComparisonSpec, area, interval, run
from bailiwick.monitoring.comparisons import sentence_of

HOURS, ROWS = 30, 20  # of each span, an hour


def rows(seed: int, **changed: Any) -> dict[str, Any]:
    """Two spans that are alike, but for columns of the later one."""
    random = np.random.default_rng(seed)
    count = 2 * HOURS * ROWS
    after = np.arange(count) >= count // 2
    first = random.normal(size=count)
    table: dict[str, Any] = {
        "(hour)": np.arange(count) // ROWS,
        "(after)": after,
        "words": first,
        "confidence": random.uniform(size=count),
        "prediction": random.choice(["Fuel", "Food", "Travel"], count).astype(object),
    }
    for name, change in changed.items():
        table[name] = np.where(after, change(random, table), table.get(name))
    return table


def compared(tmp_path: Path, table: dict[str, Any]) -> dict[str, Any]:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(table), path)
    return run(ComparisonSpec(tmp_path, path))


def test_the_area_is_that_of_scikit_learn_ties_and_weights_included() -> None:
    random = np.random.default_rng(1)
    scores = random.integers(0, 9, 400).astype(float)
    after, weights = random.random(400) < 0.3, random.integers(0, 4, 400).astype(float)
    expected = roc_auc_score(after, scores, sample_weight=weights)
    assert area(scores, after, weights) == pytest.approx(expected)


def test_hours_that_hang_together_widen_the_interval() -> None:
    random = np.random.default_rng(2)
    hours = np.repeat(np.arange(60), 20)
    after = hours >= 30
    alone = random.normal(size=1_200)
    together = random.normal(size=60)[hours] + 0.1 * alone
    widths = [np.diff(interval(scores, after, hours))[0] for scores in (alone, together)]
    assert widths[1] > 2 * widths[0]


def test_spans_that_are_alike_are_not_told_apart(tmp_path: Path) -> None:
    found = [compared(tmp_path, rows(seed)) for seed in range(3)]
    assert sum(one["lower"] > 0.5 for one in found) == 0
    assert "do not tell the spans apart" in sentence_of(found[0])
    assert found[0]["rows"] == {"before": 600, "after": 600}
    assert found[0]["hours"] == {"before": 30, "after": 30}


def test_a_change_of_dependence_alone_is_seen(tmp_path: Path) -> None:
    """Each feature looks as before: only together do they give it away."""
    table = rows(5, other=lambda _, table: table["words"])
    random = np.random.default_rng(6)
    table["other"] = np.where(table["(after)"], table["words"], random.normal(size=1_200))
    found = compared(tmp_path, table)
    assert found["lower"] > 0.7
    assert {one["feature"] for one in found["features"][:2]} == {"words", "other"}
    assert "It goes by " in sentence_of(found)


def test_a_new_category_and_a_missing_field_are_seen_and_named(tmp_path: Path) -> None:
    renamed = rows(7, prediction=lambda random, _: random.choice(["Fuel", "Rail"], 1_200))
    found = compared(tmp_path, renamed)
    assert found["features"][0]["feature"] == "prediction"
    gone = rows(8, confidence=lambda random, _: np.where(random.random(1_200) < 0.3, np.nan, 0.5))
    assert compared(tmp_path, gone)["features"][0]["feature"] == "confidence"


def test_words_are_compared_and_never_told(tmp_path: Path) -> None:
    table = rows(9)
    secret = np.array(["paid at Zanzibar garage"] * 600 + ["paid at Timbuktu airport"] * 600)
    found = compared(tmp_path, table | {"(text)": secret.astype(object)})
    assert found["texts"]["lower"] > 0.95
    assert found["lower"] < 0.5
    said = (tmp_path / "outcome.json").read_text() + sentence_of(found)
    assert "Words tell the spans apart clearly" in said
    assert not [word for word in ("imbuktu", "anzibar", "garage") if word in said]
    assert compared(tmp_path, table)["texts"] is None


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    one_hour = rows(1)
    one_hour["(hour)"] = one_hour["(after)"].astype(int)
    with pytest.raises(Invalid, match="two different hours"):
        compared(tmp_path, one_hour)
    with pytest.raises(Invalid, match="hardly any words"):
        compared(tmp_path, rows(1) | {"(text)": [None] * 1_200})
    with pytest.raises(Invalid, match="cannot use its spec"):
        ComparisonSpec.read(tmp_path / "nothing.json")


def test_the_same_rows_give_the_same_outcome(tmp_path: Path) -> None:
    assert compared(tmp_path, rows(3)) == compared(tmp_path, rows(3))
