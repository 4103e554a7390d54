"""Which silences act on an alert, and until when: by the clock, on rows that nobody stored."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from bailiwick.notifications import Hushable, Severity, Silence, Weekly, hold_on, severity_of
from bailiwick.notifications.silences import acts_until, state_of

MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CARDS, OTHER = UUID(int=1), UUID(int=2)
DRIFT = Hushable(CARDS, "finance", "monitor", "monitor")
BREACH = Hushable(CARDS, "finance", "policy", "policy")


def silence(number: int = 1, **changes: Any) -> Silence:
    fields: dict[str, Any] = {
        "namespace": "finance",
        "deployment_id": None,
        "cause": None,
        "covers_policy": False,
        "starts_at": MONDAY,
        "ends_at": MONDAY + DAY,
        "weekly": None,
        "ended_at": None,
    }
    return Silence(id=UUID(int=number), **fields | changes)


@pytest.mark.parametrize(
    ("changes", "acts"),
    [
        ({}, True),
        ({"namespace": "*"}, True),
        ({"namespace": "people"}, False),
        ({"deployment_id": CARDS}, True),
        ({"deployment_id": OTHER}, False),
        ({"cause": "monitor"}, True),
        ({"cause": "schema"}, False),
        ({"ended_at": MONDAY}, False),
        ({"starts_at": MONDAY + HOUR}, False),
        ({"starts_at": MONDAY - DAY, "ends_at": MONDAY}, False),
    ],
)
def test_a_silence_acts_on_what_it_is_about_while_it_lasts(
    changes: dict[str, Any], *, acts: bool
) -> None:
    assert (hold_on([silence(**changes)], DRIFT, at=MONDAY) is not None) is acts


@pytest.mark.parametrize("scope", [{}, {"cause": "policy"}, {"deployment_id": CARDS}])
def test_that_something_is_out_of_policy_is_told_unless_the_silence_says_so(
    scope: dict[str, Any],
) -> None:
    assert hold_on([silence(**scope)], BREACH, at=MONDAY) is None
    assert hold_on([silence(covers_policy=True, **scope)], BREACH, at=MONDAY) is not None


def test_of_several_silences_the_longest_counts() -> None:
    several = [silence(1), silence(2, ends_at=MONDAY + 3 * DAY), silence(3)]
    hold = hold_on(several, DRIFT, at=MONDAY)
    assert hold is not None
    assert (hold.silence_id, hold.until) == (UUID(int=2), MONDAY + 3 * DAY)


def test_a_silence_is_ahead_acts_rests_and_is_over() -> None:
    hours = Weekly(frozenset({"monday", "tuesday"}), time(9), time(10), "UTC")
    weekly = silence(weekly=hours.to_dict(), ends_at=MONDAY + DAY + 90 * timedelta(minutes=1))
    told = {
        -HOUR: "ahead",
        timedelta(0): "resting",
        HOUR: "acting",
        2 * HOUR: "resting",
        DAY + HOUR: "acting",
        DAY + 2 * HOUR: "over",
    }
    assert {after: state_of(weekly, MONDAY + after) for after in told} == told
    assert acts_until(weekly, MONDAY + HOUR) == MONDAY + 2 * HOUR
    assert acts_until(weekly, MONDAY + DAY + HOUR) == weekly.ends_at  # before its hours end


def test_severities_are_ordered() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2]
    assert severity_of("harm").rank > severity_of("drift").rank
