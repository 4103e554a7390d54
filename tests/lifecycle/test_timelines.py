"""From a change to its answer: what an alert's timeline tells, in order of time."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import run_next, training_jobs
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.retrain import NOTHING_ELSE, start
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lifecycle.timelines import Timeline, answering_jobs, timeline_of
from bailiwick.monitoring import Alert
from bailiwick.policy import load_actor
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World, bring, raise_alert, requests


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


def _answered(world: World, clock: ReplayClock, *, minutes: int = 2) -> None:
    """An alert is raised, retraining asked for a minute later, and done so much later."""
    bring(world, *requests(60, first=clock.now() - timedelta(days=2)))
    raise_alert(world)
    clock.advance_to(clock.now() + timedelta(minutes=1))
    with world.platform.database.transaction() as session:
        assert start_due(session, at=clock.now()) == 1
    clock.advance_to(clock.now() + timedelta(minutes=minutes))
    assert run_next(world.platform, owner="test")


def _timeline(world: World) -> Timeline:
    with world.platform.database.reading() as session:
        alert = session.scalars(select(Alert)).one()
        return timeline_of(session, alert, answering_jobs(session, alert))


@pytest.mark.usefixtures("training")
def test_it_leads_from_the_change_over_the_gates_to_the_champion(
    world: World, clock: ReplayClock
) -> None:
    _answered(world, clock)
    found = _timeline(world)
    kinds = [moment.kind for moment in found.moments]
    assert kinds == ["change", "alert", "training", "training", "gates", "champion", "alert"]
    said = [moment.sentence for moment in found.moments]
    assert said[1] == "The alert is raised (page): Accuracy fell."
    assert said[2:4] == ["Retraining is asked for", "Training has begun"]
    assert said[4].startswith("Version 2 has 72.0%, the champion 62.0%, on the newest 1,000")
    assert said[4].endswith("passes its gates")
    assert said[5:] == [
        "Version 2 is champion",
        "The alert is resolved: version 2 became champion",
    ]
    # The alert's window begins a week before it was raised.
    assert found.seconds_to_answer == timedelta(days=7, minutes=3).total_seconds()


def test_a_rejected_challenger_is_told_with_its_reasons_and_answers_nothing(
    world: World, clock: ReplayClock, training: FakeTraining
) -> None:
    training.gained, training.lost = 20, 120
    _answered(world, clock)
    found = _timeline(world)
    assert found.answered_at is found.seconds_to_answer is None
    assert "and is rejected: " in found.moments[-1].sentence


def test_an_alert_that_nothing_answered_yet_says_how_it_began(world: World) -> None:
    raise_alert(world)
    found = _timeline(world)
    assert [moment.kind for moment in found.moments] == ["change", "alert"]
    assert found.answered_at is None


def test_what_is_retrained_by_hand_is_not_its_answer(world: World) -> None:
    raise_alert(world)
    with world.platform.database.transaction() as session:
        start(
            session,
            session.get_one(RetrainingPolicy, world.policy.id),
            reason="a new supplier",
            overrides=NOTHING_ELSE,
            rules=world.platform.rules,
            actor=load_actor(session, world.engineer_id),
            at=world.platform.clock.now(),
        )
    assert len(_timeline(world).moments) == 2
