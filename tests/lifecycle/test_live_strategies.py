"""Live policies ask strategies about their labelled periods; what these said is written down."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import JobState, run_next
from bailiwick.lifecycle.backtest import Unit, refits
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.jobs import JobKind, enqueue
from bailiwick.lifecycle.label_watching import watch_all_labels
from bailiwick.lifecycle.live_rules import LiveRule
from bailiwick.lifecycle.retraining_policies import update_retraining_policy
from bailiwick.lifecycle.strategies import CostAware, Known, Threshold
from bailiwick.lifecycle.tables import ChallengerTrial, Consideration, Job, RetrainingPolicy
from bailiwick.monitoring import Inference, Outcome
from bailiwick.policy import load_actor
from bailiwick.training import HeadRecipe
from support.backtests import InProcess
from support.lifecycle_world import (
    World,
    approve_again,
    audited,
    bring,
    factory_again,
    requests,
)

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


def asks(world: World, rule: str, **changes: Any) -> None:
    """The policy asks this strategy, and somebody else approved that."""
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        actor, at = load_actor(session, world.engineer_id), world.platform.clock.now()
        settings = {"on_alert": [], "triggers": [{"kind": "strategy", "value": rule}], **changes}
        update_retraining_policy(session, policy, settings, actor=actor, at=at)
    approve_again(world)


def a_week(world: World, clock: ReplayClock, number: int, *, wrong: int = 0) -> None:
    """A week of forty labelled requests goes by, from Monday to Monday."""
    bring(world, *requests(40, first=clock.now() + DAY, wrong=wrong, prefix=f"week-{number}"))
    clock.advance_to(clock.now() + WEEK)
    watch_all_labels(world.platform)


def considered(world: World) -> list[Consideration]:
    with world.platform.database.transaction() as session:
        start_due(session, at=world.platform.clock.now())
    with world.platform.database.reading() as session:
        return list(session.scalars(select(Consideration).order_by(Consideration.id)))


def of_kind(world: World, kind: JobKind) -> list[Job]:
    with world.platform.database.reading() as session:
        return list(session.scalars(select(Job).where(Job.kind == kind).order_by(Job.id)))


@pytest.fixture
def monday(clock: ReplayClock) -> ReplayClock:
    """Midnight, when weeks begin."""
    clock.advance_to(datetime(2026, 1, 12, tzinfo=UTC))
    return clock


def test_a_periodic_strategy_counts_the_weeks_that_have_labels(
    world: World, monday: ReplayClock
) -> None:
    asks(world, "periodic:2 by=week")
    a_week(world, monday, 1)
    (first,) = considered(world)
    assert (first.causes, first.job_id) == ([], None)
    assert first.decisions[0]["reason"] == "1 of 2 periods since the last retraining"
    assert len(considered(world)) == 1  # said once
    a_week(world, monday, 2)
    *_, second = considered(world)
    (job,) = of_kind(world, JobKind.RETRAIN)
    assert (second.job_id, second.causes[0]["kind"]) == (job.id, "strategy")
    assert second.decisions[0]["period"] == "2026-01-19"
    assert len(considered(world)) == 2


def test_a_threshold_strategy_sees_what_labels_say_of_the_champion(
    world: World, monday: ReplayClock
) -> None:
    asks(world, "threshold:20 by=week")
    for number, wrong in enumerate((4, 5, 30)):
        a_week(world, monday, number, wrong=wrong)
        rows = considered(world)
    assert [bool(one.job_id) for one in rows] == [False, False, True]
    assert rows[-1].causes[0]["sentence"] == "accuracy fell by 65.0 points"


def test_a_strategy_is_not_asked_before_somebody_approved_it(
    world: World, monday: ReplayClock
) -> None:
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        actor = load_actor(session, world.engineer_id)
        changes = {"triggers": [{"kind": "strategy", "value": "cost-aware"}]}
        update_retraining_policy(session, policy, changes, actor=actor, at=monday.now())
    a_week(world, monday, 1)
    assert considered(world) == []
    assert of_kind(world, JobKind.TRIAL) == []


def shops(week: int, at: datetime) -> tuple[list[Inference], list[Outcome]]:
    """A hundred purchases, two thirds of them at shops that the champion calls Fuel, wrongly."""
    inferences, outcomes = requests(100, first=at, prefix=f"shops-{week}")
    kinds = ("Fuel", "Books", "Rail")
    texts = [f"{kinds[n % 3].lower()} shop {n % 7}" for n in range(100)]
    named = [replace(one, text=text) for one, text in zip(inferences, texts, strict=True)]
    return named, [Outcome(one.record_id, kinds[n % 3]) for n, one in enumerate(outcomes)]


@pytest.mark.torch
def test_cost_aware_has_a_challenger_tried_and_decides_by_what_it_gains(
    world: World, monday: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refits, "_Child", InProcess)
    InProcess.asked = []
    asks(world, "cost-aware by=week price=1", recipe=HeadRecipe().to_dict())
    bring(world, *shops(1, monday.now() + DAY))
    monday.advance_to(monday.now() + WEEK)
    watch_all_labels(world.platform)
    (first,) = considered(world)
    assert first.decisions[0]["reason"] == "the newest labels are being tried"
    (job,) = of_kind(world, JobKind.TRIAL)
    assert run_next(world.platform, owner="w1")
    (job,) = of_kind(world, JobKind.TRIAL)
    assert job.state == JobState.SUCCEEDED, job.error
    with world.platform.database.reading() as session:
        (trial,) = session.scalars(select(ChallengerTrial)).all()
        assert "challenger.tried" in audited(session, world.policy.id)
    assert (trial.tried_rows, trial.age, trial.champion_id) == (33, 1, world.champion_id)
    assert trial.accuracy == 1.0
    assert trial.gain == pytest.approx(22 / 33)
    *_, second = considered(world)
    assert second.job_id == of_kind(world, JobKind.RETRAIN)[0].id
    assert second.decisions[0]["reason"].startswith("newer labels are worth 66.7 points")
    considered(world)
    assert len(of_kind(world, JobKind.TRIAL)) == 1


@pytest.mark.parametrize(("budget", "trials"), [(2.0, 1), (0.5, 0)])
def test_trials_are_of_the_month_s_hours_and_end_with_them(
    world: World, monday: ReplayClock, budget: float, trials: int
) -> None:
    asks(world, "cost-aware by=week price=1", budget_hours=budget)
    bring(world, *shops(1, monday.now() + DAY))
    with world.platform.database.transaction() as session:
        tried = enqueue(
            session,
            JobKind.TRIAL,
            namespace=world.deployment.namespace,
            label_id=world.deployment.label_id,
            subject_id=world.deployment.id,
            acts_as=world.retrainer_id,
            payload={"policy_id": str(world.policy.id)},
            actor_id=world.engineer_id,
            at=monday.now(),
        )
        tried.state, tried.started_at = JobState.SUCCEEDED, monday.now()
        tried.finished_at = monday.now() + timedelta(hours=1)
    monday.advance_to(monday.now() + WEEK)
    watch_all_labels(world.platform)
    (first,) = considered(world)
    assert first.decisions[0]["reason"].startswith("the month's hours") == (trials == 0)
    assert len(of_kind(world, JobKind.TRIAL)) == 1 + trials


def test_a_champion_that_did_not_answer_the_newest_period_is_not_tried_on_it(
    world: World, monday: ReplayClock
) -> None:
    asks(world, "cost-aware by=week price=1")
    bring(world, *shops(1, monday.now() + DAY))
    monday.advance_to(monday.now() + WEEK)
    watch_all_labels(world.platform)
    with world.platform.database.transaction() as session:
        make = factory_again(session, world.platform)
        data = make.dataset_version(make.dataset("newer"))
        make.champion(make.model_version(session.merge(world.model), data, accuracy=0.85))
    decisions = considered(world)[-1].decisions
    assert decisions[0]["reason"].startswith("the champion has answered too little")
    assert of_kind(world, JobKind.TRIAL) == []


def test_a_clock_that_is_set_back_writes_the_same_decision_once(
    world: World, monday: ReplayClock
) -> None:
    asks(world, "periodic:2 by=week")
    a_week(world, monday, 1)
    times = [WEEK, timedelta(0), timedelta(minutes=1), timedelta(minutes=2)]
    with world.platform.database.transaction() as session:
        for later in times:
            start_due(session, at=monday.now() + later)
    with world.platform.database.reading() as session:
        rows = session.scalars(select(Consideration.at).order_by(Consideration.id)).all()
    assert rows == [monday.now() + WEEK, monday.now()]


def test_a_budget_is_of_the_calendar_year() -> None:
    rule = LiveRule.parsed("cost-aware by=month price=80 budget=12")
    assert rule == LiveRule(CostAware(12, 80.0), Unit.MONTH)
    known = Known(period=3, behind=1, retrains=9, periods_left=None, lived=(), trials=())
    ends = [datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)]
    now = rule.known_within_the_year(known, datetime(2026, 10, 1, tzinfo=UTC), ends)
    assert (now.retrains, now.periods_left) == (1, 3)
    assert LiveRule.parsed("threshold:7") == LiveRule(Threshold(7.0), Unit.WEEK)


@pytest.mark.parametrize(
    "text",
    [
        *("", "hindsight:3", "yearly", "cost-aware by=moon", "threshold price=3"),
        *("cost-aware price=-1", "cost-aware budget=many", "cost-aware wishes=3"),
    ],
)
def test_a_strategy_that_makes_no_sense_is_refused_in_words(text: str) -> None:
    with pytest.raises(Invalid):
        LiveRule.parsed(text)
