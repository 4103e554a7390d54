"""Real streams with dated events: each is alarmed and explained; the same rows shuffled are quiet.

Rows are described as the platform describes them: mix of labels, amount, unit, and the share of a
text's words that were never seen before the baseline. Windows are days.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bailiwick.monitoring.baselines import Window, fit_baseline
from bailiwick.monitoring.eprocess import Sensitivity, restarted
from bailiwick.monitoring.explanations import suspects
from bailiwick.monitoring.shapes import Layout, categorical_shape, exact_shape
from bailiwick.monitoring.summaries import Summary, summarize
from bailiwick.monitoring.watching.findings import Explanation, explain, look_back
from bailiwick.monitoring.watching.judging import Judging

DATA = Path(__file__).parents[3] / "shared/data"
DAY = timedelta(days=1)
Row = dict[str, str]


@dataclass(frozen=True)
class Stream:
    """Where a set lies, and which of its columns hold what."""

    folder: str
    text: str
    label: str
    unit: str


BIRMINGHAM = Stream("birmingham-pcard", "merchant", "category", "directorate")
MANCHESTER = Stream("manchester-invoices", "supplier", "category", "unit")
HARROGATE = Stream("harrogate-invoices", "supplier", "category", "unit")


@cache
def rows_of(stream: Stream) -> list[Row]:
    path = DATA / stream.folder / "transactions.csv.gz"
    if not path.exists():
        pytest.skip(f"{stream.folder} is not beside the project")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return sorted(csv.DictReader(lines), key=lambda row: row["date"])


@dataclass(frozen=True)
class Found:
    """An alarm: the day, and its explanation."""

    day: date
    explanation: Explanation


def watched(
    stream: Stream, rows: Iterable[Row], *, first: str, event: str, until: str
) -> Iterator[Found]:
    """Alarms from `event` on, against a baseline of the days from `first` until then."""
    rows = [row for row in rows if row["date"] < until]
    known = words(stream, (row for row in rows if row["date"] < first))
    seen = [row for row in rows if row["date"] >= first]
    before = columns(stream, known, [row for row in seen if row["date"] < event])
    layout = Layout(
        (
            exact_shape("unseen_words_ratio", known_of(before["unseen_words_ratio"])),
            exact_shape("amount", known_of(before["amount"])),
            categorical_shape("prediction", Counter(before["prediction"])),
            categorical_shape("unit", Counter(before["unit"])),
        )
    )
    days = summaries(stream, known, seen, layout)
    start = moment(event)
    baseline = fit_baseline(
        layout, [Window(day, one) for day, one in days.items() if day < start], window_hours=24
    )
    sensitivity = Sensitivity()
    judging = Judging.of(baseline, sensitivity, None)
    day = start
    while day < moment(until):
        judged = judging.judge(day, days.get(day))
        if judged is not None and judged.judgement.alarm:
            suspect = suspects(judging.detector, baseline.contrasts, judged.judgement)[0]
            back = look_back(judging.state, suspect)
            history = [(day - n * DAY, days.get(day - n * DAY)) for n in range(back)][::-1]
            yield Found(
                day.date(),
                explain(baseline, judging.detector, judged.judgement, sensitivity, history),
            )
            judging.state = restarted(judging.state)
        day += DAY


def words(stream: Stream, rows: Iterable[Row]) -> set[str]:
    return {word for row in rows for word in row[stream.text].lower().split()}


def columns(stream: Stream, known: set[str], rows: list[Row]) -> dict[str, Any]:
    def unseen(text: str) -> float | None:
        own = text.lower().split()
        return sum(word not in known for word in own) / len(own) if own else None

    return {
        "unseen_words_ratio": [unseen(row[stream.text]) for row in rows],
        "amount": [float(row["amount_gbp"]) if row["amount_gbp"] else None for row in rows],
        "prediction": [row[stream.label] or None for row in rows],
        "unit": [row[stream.unit] or None for row in rows],
    }


def summaries(
    stream: Stream, known: set[str], rows: list[Row], layout: Layout
) -> dict[datetime, Summary]:
    by_day: dict[str, list[Row]] = {}
    for row in rows:
        by_day.setdefault(row["date"], []).append(row)
    return {
        moment(day): summarize(layout, columns(stream, known, own))
        for day, own in sorted(by_day.items())
    }


def known_of(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([one for one in values if one is not None])


def moment(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def without_order(rows: Iterable[Row], *, first: str) -> list[Row]:
    """The rows from `first` on in any order, on the days that there were."""
    old = [row for row in rows if row["date"] < first]
    new = [row for row in rows if row["date"] >= first]
    order = np.random.default_rng(1).permutation(len(new))
    return old + [
        {**new[place], "date": row["date"]} for row, place in zip(new, order, strict=True)
    ]


def broken_columns() -> list[Row]:
    """Harrogate's September 2021: before each name a code, under the same heading."""
    path = DATA / "raw-feed-incidents/harrogate_2021-09-supplier-spend.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
        reader = csv.reader(lines)
        head = next(reader)
        named = {
            "date": "Payment Date",
            "supplier": "Supplier Name",
            "amount_gbp": "Net Amount",
            "unit": "Service Code",
            "category": "Expenditure Code",
        }
        rows = [
            {name: row[head.index(column)] for name, column in named.items()}
            for row in reader
            if len(row) == len(head)
        ]
    return sorted(rows, key=lambda row: row["date"])


@pytest.mark.parametrize(
    ("stream", "first", "event", "latest", "feature", "cause"),
    [
        (BIRMINGHAM, "2014-10-01", "2015-01-01", "2015-02-01", "unseen_words_ratio", None),
        # Two days of January and two of February 2016 have rows at all.
        (MANCHESTER, "2015-08-01", "2016-01-01", "2016-03-08", "prediction", "new-categories"),
        (MANCHESTER, "2019-07-01", "2020-01-01", "2020-01-08", "prediction", "new-categories"),
        (HARROGATE, "2019-07-01", "2020-01-01", "2020-05-01", "unseen_words_ratio", None),
    ],
    ids=["Birmingham 2015", "Manchester 2016", "Manchester 2020", "Harrogate 2020"],
)
def test_a_dated_event_is_alarmed_and_explained(
    stream: Stream, first: str, event: str, latest: str, feature: str, cause: str | None
) -> None:
    rows = rows_of(stream)
    found = next(watched(stream, rows, first=first, event=event, until=latest))
    move = found.explanation.first
    assert (move.feature, move.direction) == (feature, "rose")
    assert move.since_latest >= moment(event) - timedelta(days=7)
    assert cause is None or found.explanation.cause == cause
    quiet = without_order([row for row in rows if row["date"] < latest], first=first)
    assert list(watched(stream, quiet, first=first, event=event, until=latest)) == []


def test_broken_columns_are_alarmed_as_such() -> None:
    event = "2021-09-01"
    rows = [row for row in rows_of(HARROGATE) if row["date"] < event] + broken_columns()
    found = next(watched(HARROGATE, rows, first="2021-03-01", event=event, until="2021-10-01"))
    assert found.day < date(2021, 9, 8)
    assert found.explanation.cause == "schema"
    assert {move.feature for move in found.explanation.moved} >= {
        "prediction",
        "unseen_words_ratio",
    }
