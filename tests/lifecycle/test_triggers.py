"""Triggers, conditions and holds: pure."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.triggers import Accuracy, Facts, Loud, Standing, Trigger, cause_of, holds
from bailiwick.notifications.recurrence import WEEKDAYS, Weekly

AT = datetime(2026, 3, 11, 12, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)
FACTS = Facts(
    at=AT,
    since=AT - 20 * DAY,
    calendar_since=AT - 20 * DAY,
    champion="v3",
    trained_at=AT - 100 * DAY,
    classes=frozenset({"fuel", "food"}),
)
IDLE = Standing(approved=True, under_way=False, rests_until=None, hours_used=0.0)


@pytest.mark.parametrize(
    ("trigger", "more", "sentence"),
    [
        ("severity:warning", {"alerts": [Loud("c1", "harm", "page", "")]}, "page, harm"),
        ("cron:0 3 1 * *", {}, "due on 2026-03-01 03:00"),
        ("new-labels:10", {"new_labels": {"fuel": 7, "food": 3}}, "10 labels have come"),
        ("new-class:30", {"new_labels": {"toll": 30, "fuel": 99}}, "labels are new: toll (30)"),
        ("age-days:90", {}, "trained 100 days ago"),
        ("new-data", {"new_data": ["d7"]}, "1 dataset version(s) were brought in"),
        ("label-raised", {"raised": "m1"}, "label has risen"),
        (
            "accuracy-below:0.9",
            {"accuracy": [Accuracy("c1", 0.85, 0.89, "labels")]},
            "accuracy by labels is 85.0%, at most 89.0%: below 90.0%",
        ),
    ],
)
def test_a_trigger_finds_its_cause_and_nothing_without_it(
    trigger: str, more: dict[str, object], sentence: str
) -> None:
    wanted = Trigger.parsed(trigger)
    found = cause_of(wanted, replace(FACTS, **more))  # type: ignore[arg-type] - fields of Facts
    assert found is not None
    assert sentence in found.sentence
    assert found.key.startswith(f"{wanted.kind}:")
    young = replace(FACTS, calendar_since=AT - DAY, trained_at=AT - DAY)
    assert cause_of(wanted, young) is None
    assert str(wanted) == trigger


def test_an_interval_that_reaches_the_bound_is_no_cause() -> None:
    facts = replace(FACTS, accuracy=[Accuracy("c1", 0.85, 0.91, "labels")])
    assert cause_of(Trigger("accuracy-below", 0.9), facts) is None


def test_a_quieter_alert_is_no_cause() -> None:
    facts = replace(FACTS, alerts=[Loud("c1", "drift", "note", "")])
    assert cause_of(Trigger("severity", "warning"), facts) is None


def test_the_same_cause_has_the_same_key_and_a_new_one_another() -> None:
    monthly, labels = Trigger("cron", "0 3 1 * *"), Trigger("new-labels", 10)
    later = replace(FACTS, at=AT + DAY, new_labels={"fuel": 19})
    keys = [cause_of(one, later) for one in (monthly, labels)]
    sooner = replace(FACTS, new_labels={"fuel": 11})
    assert [found and found.key for found in keys] == [
        found and found.key for found in (cause_of(one, sooner) for one in (monthly, labels))
    ]
    twice = cause_of(labels, replace(FACTS, new_labels={"fuel": 20}))
    assert twice is not None
    assert twice.key not in {found.key for found in keys if found}


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ("weather:1", "there is no trigger 'weather'"),
        ("severity:loud", "severity is one of note, warning, page"),
        ("cron:monthly", "is not a cron expression"),
        ("accuracy-below:2", "a share between 0 and 1"),
        ("new-labels:0", "a whole number, 1 or more"),
        ("new-labels:many", "new-labels takes a number"),
        ("age-days:2.5", "a whole number, 1 or more"),
        ("age-days:inf", "a whole number, 1 or more"),
        ("age-days:nan", "a whole number, 1 or more|takes a number"),
        ("new-data:1", "new-data takes no value"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(trigger: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        Trigger.parsed(trigger)


def test_nothing_holds_back_what_may_start() -> None:
    assert holds(FACTS, IDLE, only_if=(), budget_hours=1.0, budget_labels=5, blackouts=()) == ()


def test_everything_that_holds_it_back_is_told() -> None:
    office = Weekly(frozenset(WEEKDAYS[:5]), time(8), time(18), "UTC")
    standing = Standing(approved=False, under_way=True, rests_until=AT + DAY, hours_used=2.25)
    found = holds(
        FACTS,
        standing,
        only_if=[Trigger("new-labels", 500)],
        budget_hours=2.0,
        budget_labels=500,
        blackouts=[office],
    )
    assert {one.why: one.sentence for one in found} == {
        "not-approved": "nobody else has approved the policy as it stands",
        "under-way": "a retraining of this deployment is under way",
        "resting": "the policy rests until 2026-03-12 12:00",
        "blackout": "nothing is retrained until 2026-03-11 18:00",
        "over-budget": "2.2 of 2 hours of training were used this month",
        "only-if": "new-labels:500 does not hold yet",
    }
