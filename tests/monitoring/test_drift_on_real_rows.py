"""Card transactions by day: the year in which merchants changed, and the same rows shuffled."""

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bailiwick.monitoring.baselines import Baseline, Window, fit_baseline
from bailiwick.monitoring.eprocess import Sensitivity, detector, fresh, restarted, step
from bailiwick.monitoring.explanations import suspects
from bailiwick.monitoring.shapes import Layout, categorical_shape, exact_shape
from bailiwick.monitoring.summaries import summarize

TRANSACTIONS = Path(__file__).parents[3] / "shared/data/birmingham-pcard/transactions.csv.gz"
CATEGORIES = ("category", "directorate", "vat_code", "seen")
KNOWN_UNTIL, START, DAYS = "2014-10-01", datetime(2014, 10, 1, tzinfo=UTC), 91
Rows = list[dict[str, Any]]


@cache
def transactions() -> Rows:
    """2014-10 to 2015-06; `seen` says whether the merchant appeared before that."""
    if not TRANSACTIONS.exists():
        pytest.skip("the card transactions are not beside the project")
    with gzip.open(TRANSACTIONS, "rt", encoding="utf-8") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: row["date"])
    known = {row["merchant"] for row in rows if row["date"] < KNOWN_UNTIL}
    return [
        {**row, "seen": "seen" if row["merchant"] in known else "never seen"}
        for row in rows
        if KNOWN_UNTIL <= row["date"] < "2015-07-01"
    ]


def days_of(rows: Rows, layout: Layout) -> list[Window]:
    """Every day that has rows."""
    by_day: dict[str, Rows] = {}
    for row in rows:
        by_day.setdefault(row["date"], []).append(row)
    return [
        Window(datetime.fromisoformat(day).replace(tzinfo=UTC), summarize(layout, columns(own)))
        for day, own in sorted(by_day.items())
    ]


def columns(rows: Rows) -> dict[str, Any]:
    amounts = [float(row["amount_gbp"]) if row["amount_gbp"] else None for row in rows]
    return {"amount": amounts} | {name: [row[name] for row in rows] for name in CATEGORIES}


def alarms(rows: Rows) -> tuple[Baseline, list[tuple[datetime, str, str]]]:
    """(day, feature named first, its contrast) after a baseline of 91 days."""
    first = (START + timedelta(days=DAYS)).date().isoformat()
    before = columns([row for row in rows if row["date"] < first])
    amounts = np.array([amount for amount in before["amount"] if amount is not None])
    layout = Layout(
        (
            exact_shape("amount", amounts),
            *(categorical_shape(name, Counter(before[name])) for name in CATEGORIES),
        )
    )
    windows = days_of(rows, layout)
    baseline = fit_baseline(
        layout,
        [window for window in windows if window.start.date().isoformat() < first],
        window_hours=24,
    )
    watching = detector(
        baseline.model,
        baseline.contrasts,
        baseline.pairs,
        Sensitivity(),
        window_hours=24,
        emphasis={"category": 3.0},
    )
    state, found = fresh(watching), []
    for window in windows:
        if window.start < baseline.end:
            continue
        x, counted = baseline.observe(window.summary)
        state, judgement = step(watching, state, baseline.design([window.start])[0], x, counted)
        if judgement.alarm:
            named = suspects(watching, baseline.contrasts, judgement)[0]
            contrast = baseline.contrasts[named.contrast].name
            found.append((window.start, named.feature, contrast))
            state = restarted(state)
    return baseline, found


def test_merchants_never_seen_before_are_alarmed_in_their_first_weeks() -> None:
    baseline, found = alarms(transactions())
    assert baseline.grade == "full"
    named = [(day, contrast) for day, feature, contrast in found if feature == "seen"]
    assert named
    assert named[0][0] < datetime(2015, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("seed", [1, 2])
def test_shuffled_rows_stay_silent(seed: int) -> None:
    rows = transactions()
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = [
        {**rows[place], "date": row["date"]} for row, place in zip(rows, order, strict=True)
    ]
    assert alarms(shuffled)[1] == []
