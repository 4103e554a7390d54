"""A replayed policy keeps to its budget of labels, a calendar month after the other."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from bailiwick.lifecycle.backtest import Plan, Span
from bailiwick.lifecycle.replays.policy import PolicyTerms, ReplayedPolicy
from bailiwick.lifecycle.strategies import Known, Retrained
from bailiwick.lifecycle.triggers import Trigger

WEEK = timedelta(days=7)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)  # the weeks end on the 12th, 19th, 26th, and 2nd


def _policy(budget: int | None, *, label_delay: int = 0) -> ReplayedPolicy:
    """Six weeks of ten labels each."""
    spans = [
        Span(f"week {n}", MONDAY + n * WEEK, MONDAY + (n + 1) * WEEK, 10 * n, 10 * n + 10)
        for n in range(6)
    ]
    terms = PolicyTerms(
        on_alert=(),
        triggers=(Trigger("new-labels", 1),),
        only_if=(),
        cooldown_days=0,
        budget_hours=None,
        budget_labels=budget,
        blackouts=(),
    )
    plan = Plan(spans, label_delay=label_delay, first_model=0)
    return ReplayedPolicy(terms, plan, [Counter({"Fuel": 10})] * 6)


def _known(period: int, *, through: int) -> Known:
    """The end of a week; a retraining learned all labels at the end of the one before."""
    done = (Retrained(period - 1, through, 1.0),)
    return Known(
        period=period,
        behind=1,
        retrains=1,
        periods_left=None,
        lived=(),
        trials=(),
        retrained=done,
    )


@pytest.mark.parametrize(("budget", "retrain"), [(None, True), (21, True), (20, False)])
def test_labels_of_the_month_that_were_learned_hold_it_back(
    budget: int | None, *, retrain: bool
) -> None:
    decision = _policy(budget).decide(_known(2, through=1))
    assert decision.retrain is retrain
    if not retrain:
        assert decision.reason == (
            "trainings have learned from 20 labels of this month, of 20 that they may"
        )


def test_the_next_month_has_a_budget_of_its_own() -> None:
    assert _policy(20).decide(_known(3, through=2)).retrain


def test_labels_count_in_the_month_in_which_they_came() -> None:
    late = _policy(10, label_delay=2)  # those of January's second week came on the 2nd of February
    assert late.decide(_known(4, through=0)).retrain
    assert not late.decide(_known(4, through=1)).retrain
