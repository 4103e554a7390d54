"""A budget of labels: what a month may ask of people and teach models, each label counted once."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import run_next, training_jobs
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.jobs import JobState
from bailiwick.lifecycle.label_budget import OverBudget, require_labels_left
from bailiwick.lifecycle.retrain import Overrides, start
from bailiwick.lifecycle.retraining_policies import update_retraining_policy
from bailiwick.lifecycle.tables import Consideration, Job, JobEvent, RetrainingPolicy
from bailiwick.monitoring import Outcome, log_feedback
from bailiwick.monitoring.labelling import LabellingItem, LabellingRound
from bailiwick.policy import load_actor
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World, approve_again, at_once, bring, requests

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def begin(world: World, clock: ReplayClock) -> datetime:
    """The first day of a month; the policy is set off each day and has 50 labels a month."""
    first = (clock.now().replace(day=1) + 32 * DAY).replace(day=1, hour=6)
    clock.advance_to(first)
    _change(world, budget_labels=50)
    return first


def _change(world: World, **changes: object) -> None:
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        settings = {
            "triggers": [{"kind": "cron", "value": "0 0 * * *"}],
            "cooldown_days": 0,
            **changes,
        }
        actor, at = load_actor(session, world.engineer_id), world.platform.clock.now()
        update_retraining_policy(session, policy, settings, actor=actor, at=at)
    approve_again(world)


def _label(world: World, count: int, prefix: str) -> None:
    first = world.platform.clock.now() - timedelta(hours=5)
    bring(world, *requests(count, first=first, prefix=prefix))


def _asked(world: World, *record_ids: str) -> None:
    """Somebody was asked about these, now."""
    with world.platform.database.transaction() as session:
        at = world.platform.clock.now()
        made = LabellingRound(
            id=new_id(),
            deployment_id=world.deployment.id,
            start=at - DAY,
            end=at,
            candidates=100,
            rows=len(record_ids),
            random_rows=len(record_ids),
            made_by=world.engineer_id,
            made_at=at,
        )
        session.add(made)
        session.flush()
        session.add_all(
            LabellingItem(
                id=new_id(),
                round_id=made.id,
                deployment_id=world.deployment.id,
                record_id=one,
                reason="random",
            )
            for one in record_ids
        )


def _ask(world: World, rows: int) -> None:
    with world.platform.database.transaction() as session:
        at = world.platform.clock.now()
        require_labels_left(session, world.deployment.id, rows, at=at)


def _due(world: World) -> int:
    with world.platform.database.transaction() as session:
        return start_due(session, at=world.platform.clock.now())


def _end(world: World, state: JobState) -> None:
    """The newest job began and ended now."""
    with world.platform.database.transaction() as session:
        job = session.scalars(select(Job).order_by(Job.id.desc())).first()
        assert job is not None
        job.state, job.started_at = state, world.platform.clock.now()
        job.finished_at = world.platform.clock.now()


def test_a_month_whose_labels_were_learned_holds_retraining_back_until_the_next(
    world: World, clock: ReplayClock, begin: datetime
) -> None:
    _label(world, 60, "many")
    clock.advance_to(begin + DAY)
    assert _due(world) == 1
    _end(world, JobState.SUCCEEDED)
    clock.advance_to(begin + 2 * DAY)
    assert _due(world) == 0
    with world.platform.database.reading() as session:
        query = select(Consideration).order_by(Consideration.id.desc())
        considered = session.scalars(query).first()
        assert considered is not None
        assert considered.holds == [
            {
                "why": "over-budget",
                "sentence": "trainings have learned from 50 labels of this month, of 50 that "
                "they may",
            }
        ]
    clock.advance_to(begin + 32 * DAY)
    assert _due(world) == 1


@pytest.mark.parametrize(("labels", "state"), [(49, JobState.SUCCEEDED), (60, JobState.FAILED)])
def test_what_nothing_was_learned_from_is_not_used(
    world: World, clock: ReplayClock, begin: datetime, labels: int, state: JobState
) -> None:
    _label(world, labels, "some")
    clock.advance_to(begin + DAY)
    assert _due(world) == 1
    _end(world, state)
    clock.advance_to(begin + 2 * DAY)
    _label(world, 20, "after the training began")
    assert _due(world) == 1


def test_trainings_leave_out_what_came_after_the_budget_was_used_up(
    world: World, clock: ReplayClock, begin: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", training)
    _label(world, 50, "first")
    clock.advance_to(begin + timedelta(hours=1))
    _label(world, 30, "second")
    clock.advance_to(begin + DAY)
    assert _learned(world, training) == 50
    with world.platform.database.reading() as session:
        query = select(JobEvent.message).where(JobEvent.kind == "left-out")
        assert session.scalars(query).all() == [
            "30 labels of this month are beyond the budget of 50"
        ]
    clock.advance_to(begin + 32 * DAY)
    assert _learned(world, training) == 80  # last month's are of no budget any more


def _learned(world: World, training: FakeTraining) -> int:
    """Retrain by hand; how many answered requests were learned from or held out."""
    with world.platform.database.transaction() as session:
        start(
            session,
            session.get_one(RetrainingPolicy, world.policy.id),
            reason="by hand",
            overrides=Overrides(),
            rules=world.platform.rules,
            actor=load_actor(session, world.engineer_id),
            at=world.platform.clock.now(),
        )
    assert run_next(world.platform, owner="test")
    return len(training.train) + len(training.holdout)


def test_people_are_asked_for_no_more_than_the_month_has_left(
    world: World, clock: ReplayClock, begin: datetime
) -> None:
    _label(world, 10, "unasked")
    _asked(world, "first-0000", "first-0001")
    _label(world, 2, "first")  # those that were asked for count once
    _ask(world, 38)
    said = r"50 labels a month: 2 were asked for in .*, 10 came unasked, 38 are left; ask for"
    with pytest.raises(OverBudget, match=said):
        _ask(world, 39)
    with world.platform.database.transaction() as session:
        again = [Outcome("unasked-0000", "Travel")]
        log_feedback(
            session,
            world.deployment.id,
            again,
            actor_id=world.engineer_id,
            at=clock.now(),
        )
    _ask(world, 38)  # a correction is no further label
    clock.advance_to(begin + 32 * DAY)
    _ask(world, 50)
    _change(world, budget_labels=None)
    _ask(world, 5_000)


def test_of_two_who_ask_at_once_the_second_sees_the_first(world: World) -> None:
    def ask() -> None:
        with world.platform.database.transaction() as session:
            at = world.platform.clock.now()
            require_labels_left(session, world.deployment.id, 30, at=at)
            made = LabellingRound(
                id=new_id(),
                deployment_id=world.deployment.id,
                start=at - DAY,
                end=at,
                candidates=100,
                rows=30,
                random_rows=30,
                made_by=world.engineer_id,
                made_at=at,
            )
            session.add(made)

    ended = at_once(ask, ask)
    assert sorted(type(one).__name__ for one in ended) == ["NoneType", "OverBudget"]


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_of_nothing_is_refused_in_words(world: World, budget: int) -> None:
    with pytest.raises(Invalid, match="budget_labels is 1 or more"):
        _change(world, budget_labels=budget)
