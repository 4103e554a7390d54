"""A re-coded ledger, seen by its labels: Manchester 2016-01, and the same rows in any order.

The model is a look-up: the category that a supplier had most often before. Labels come by the day.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bailiwick.monitoring.confusion import MOST_LABELS, OTHER, LabelCounts
from bailiwick.monitoring.eprocess import Sensitivity
from bailiwick.monitoring.labelled.findings import Loss, loss_in, sentence, worst_of
from bailiwick.monitoring.moments import EPOCH
from bailiwick.monitoring.performance import (
    LabelledWindow,
    fresh_labels,
    labelled_test,
    promised,
    steps_since,
    take_labels,
)
from monitoring.test_dated_events import MANCHESTER, Row, rows_of, without_order

DAY = timedelta(days=1)
LEARNED, EVALUATED, EVENT, UNTIL = "2015-04-01", "2015-08-01", "2016-01-01", "2016-04-01"
SENSITIVITY = replace(Sensitivity(), false_alarms_per_year=0.25)


@dataclass(frozen=True)
class Answered:
    """A row with what the look-up says of it; `day` since 1970."""

    day: int
    said: str
    true: str
    unit: str


def answered(rows: Sequence[Row]) -> list[Answered]:
    """Of the rows since the evaluation began."""
    known: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["date"] < EVALUATED:
            known[row["supplier"]][row["category"]] += 1
    usual = Counter(row["category"] for row in rows if row["date"] < EVALUATED)
    default = usual.most_common(1)[0][0]
    return [
        Answered(
            (datetime.fromisoformat(row["date"]).replace(tzinfo=UTC) - EPOCH) // DAY,
            max(own, key=own.__getitem__) if (own := known.get(row["supplier"])) else default,
            row["category"],
            row["unit"],
        )
        for row in rows
        if row["date"] >= EVALUATED
    ]


def watched(answers: Sequence[Answered]) -> tuple[Loss, str] | None:
    """The first loss that the labels from the event on tell of; held to those before it."""
    event = (datetime.fromisoformat(EVENT).replace(tzinfo=UTC) - EPOCH) // DAY
    before = [one for one in answers if one.day < event]
    accuracy = sum(one.said == one.true for one in before) / len(before)
    expected = promised(accuracy, len(before), window_hours=24)
    test = labelled_test(expected, SENSITIVITY, smallest_drop=0.05)
    windows = by_day(answers)
    state = fresh_labels(test)
    for day in range(event, max(windows) + 1):
        state, judgement = take_labels(test, state, [windows[day]] if day in windows else [])
        if judgement.alarm:
            history = [own for place, own in sorted(windows.items()) if place <= day]
            told_by = [own for own in history if own.window > day - steps_since(state)]
            loss = loss_in(expected, accuracy, history[-60:], told_by, smallest_drop=0.05)
            since = (loss.since - EPOCH) // DAY
            counted = Counter(one.true for one in answers).most_common(MOST_LABELS)
            names, units = [name for name, _ in counted], sorted({one.unit for one in answers})
            classes, slices = worst_of(
                counts([one for one in answers if one.day < since], names, units),
                counts([one for one in answers if since <= one.day <= day], names, units),
                names,
                {"unit": units},
            )
            return loss, sentence(loss, classes, slices, "its evaluation")
    return None


def by_day(answers: Sequence[Answered]) -> dict[int, LabelledWindow]:
    rows = Counter(one.day for one in answers)
    wrong = Counter(one.day for one in answers if one.said != one.true)
    return {day: LabelledWindow(day, wrong[day], count) for day, count in rows.items()}


def counts(answers: Sequence[Answered], names: Sequence[str], units: Sequence[str]) -> LabelCounts:
    place = {name: number for number, name in enumerate(names)}
    known = {name: number for number, name in enumerate(units)}
    found = LabelCounts()
    for one in answers:
        found.add(
            place.get(one.said, OTHER),
            place.get(one.true, OTHER),
            correct=one.said == one.true,
            confidence=None,
            segments={"unit": known[one.unit]},
            sign=1,
        )
    return found


def test_a_recoded_ledger_is_told_by_its_labels_and_its_rows_in_any_order_are_not() -> None:
    rows = [row for row in rows_of(MANCHESTER) if LEARNED <= row["date"] < UNTIL]
    found = watched(answered(rows))
    assert found is not None
    loss, said = found
    assert loss.since_earliest >= datetime(2015, 12, 22, tzinfo=UTC)  # the last days of the old
    # Two days of January and two of February have rows at all.
    assert loss.since_latest < datetime(2016, 3, 1, tzinfo=UTC)
    assert loss.worth_waking
    assert loss.after.upper < loss.before.lower
    assert "Worst: " in said
    shuffled = without_order(rows, first=EVALUATED)
    assert watched(answered(shuffled)) is None
