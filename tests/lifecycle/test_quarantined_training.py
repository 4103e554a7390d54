"""Nothing learns from what is quarantined, nor from what was quarantined while it learned."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import find_principal
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import TrainingOrder, run_next, training_jobs
from bailiwick.lifecycle.retrain import Overrides, start
from bailiwick.lifecycle.selection import frame_of
from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, order_training, plan_training
from bailiwick.lineage import Dataset, DatasetVersion, Run
from bailiwick.lineage.batches import NOTHING, Batch, quarantine_of, set_quarantine
from bailiwick.policy import load_actor
from bailiwick.training import SmallClassifierRecipe
from factories import PURPOSE, Factory
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World, bring, requests


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


def _quarantine(world: World, *batches: Batch) -> None:
    with world.platform.database.transaction() as session:
        dataset = session.get_one(Dataset, world.policy.dataset_id)
        at, actor_id = world.platform.clock.now(), world.engineer_id
        set_quarantine(session, dataset, batches, reason="doubled", actor_id=actor_id, at=at)


def _retrained(world: World) -> Job:
    with world.platform.database.transaction() as session:
        job = start(
            session,
            session.get_one(RetrainingPolicy, world.policy.id),
            reason="by hand",
            overrides=Overrides(window_days=3_650),
            rules=world.platform.rules,
            actor=load_actor(session, world.engineer_id),
            at=world.platform.clock.now(),
        )
    assert run_next(world.platform, owner="test")
    with world.platform.database.reading() as session:
        return session.get_one(Job, job.id)


def _learned(training: FakeTraining) -> set[datetime]:
    return {row["time"] for row in (*training.train, *training.holdout)}


def _order(world: World, session: Session) -> TrainingOrder:
    data = session.scalars(
        select(DatasetVersion).where(DatasetVersion.dataset_id == world.policy.dataset_id)
    ).one()
    return TrainingOrder(
        model_id=world.model.id,
        dataset_version_ids=(data.id,),
        recipe=SmallClassifierRecipe(),
        selection=DEFAULT_SELECTION,
        purpose=PURPOSE,
        risk_tier="standard",
        seed=3,
        from_champion=False,
    )


def test_requests_and_rows_of_a_quarantined_span_are_left_out(
    world: World, training: FakeTraining
) -> None:
    now = world.platform.clock.now()
    begins, ends = now - timedelta(days=2), now - timedelta(days=1)
    bring(world, *requests(60, first=begins, prefix="odd"))
    bring(world, *requests(60, first=ends, prefix="fine"))
    _quarantine(world, Batch("sent twice", start=begins, end=ends))
    job = _retrained(world)
    assert job.state == "succeeded", job.error
    learned = _learned(training)
    assert not [time for time in learned if begins <= time < ends]
    assert len([time for time in learned if time >= ends]) == 60
    with world.platform.database.reading() as session:
        run = session.scalars(select(Run).order_by(Run.id.desc())).first()
        assert run is not None
        assert run.parameters["quarantine"] == 1


def test_a_quarantined_version_is_not_gathered(world: World, training: FakeTraining) -> None:
    now = world.platform.clock.now()
    bring(world, *requests(60, first=now - timedelta(days=2)))
    _quarantine(world, Batch("wrong labels", version=1))
    assert _retrained(world).state == "succeeded"
    assert len(training.train) + len(training.holdout) == 60


def test_an_order_that_names_a_quarantined_version_is_refused_with_the_reason(
    world: World,
) -> None:
    _quarantine(world, Batch("wrong labels", version=1))
    with (
        world.platform.database.transaction() as session,
        pytest.raises(Invalid, match=r"purchases v1 is quarantined \(wrong labels\); leave it out"),
    ):
        order_training(
            session,
            _order(world, session),
            rules=world.platform.rules,
            actor=load_actor(session, world.engineer_id),
            at=world.platform.clock.now(),
        )


def test_each_dataset_s_quarantine_is_of_its_own_versions_and_rows(
    world: World, training: FakeTraining
) -> None:
    """The other one's version 1 is quarantined, and a span of it; ours has the same number."""
    with world.platform.database.transaction() as session:
        make = Factory(session, world.platform)
        vars(make).update({who: find_principal(session, who) for who in ("root", "engineer")})
        other = make.dataset_version(make.dataset("others"), seed=7)
        begins = other.first_time
        quarantined = Batch("sent twice", start=begins, end=begins + timedelta(days=9))
        actor, at = load_actor(session, world.engineer_id), world.platform.clock.now()
        set_quarantine(
            session, other.dataset, [quarantined], reason="x", actor_id=world.engineer_id, at=at
        )
        order = _order(world, session)
        both = replace(order, dataset_version_ids=(*order.dataset_version_ids, other.id))
        plan = plan_training(session, both, rules=world.platform.rules, actor=actor, at=at)
        assert plan.quarantines[world.policy.dataset_id] == NOTHING
        assert plan.quarantines[other.dataset_id].batches == (quarantined,)
        order_training(session, both, rules=world.platform.rules, actor=actor, at=at)
    assert run_next(world.platform, owner="test")
    learned = [row["time"] for row in (*training.train, *training.holdout)]
    within = [time for time in learned if begins <= time < begins + timedelta(days=9)]
    with world.platform.database.transaction() as session:
        ours = session.get_one(DatasetVersion, order.dataset_version_ids[0])
        path = world.platform.blobs.verified_path(ours.rows_blob)
        times = frame_of(path, ours.text_columns, ours.label_column)["time"].to_pylist()
        assert len(within) == sum(begins <= time < begins + timedelta(days=9) for time in times)
        assert within
        other = session.get_one(DatasetVersion, other.id)
        gone = [quarantined, Batch("wrong labels", version=1)]
        set_quarantine(session, other.dataset, gone, reason="x", actor_id=world.engineer_id, at=at)
        only = plan_training(session, order, rules=world.platform.rules, actor=actor, at=at)
        assert only.quarantines == {world.policy.dataset_id: NOTHING}
        with pytest.raises(Invalid, match=r"others v1 is quarantined \(wrong labels\)"):
            plan_training(session, both, rules=world.platform.rules, actor=actor, at=at)


def test_what_is_quarantined_while_a_model_learns_makes_it_learn_again(
    world: World, training: FakeTraining
) -> None:
    now = world.platform.clock.now()
    bring(world, *requests(60, first=now - timedelta(days=2)))
    training.meanwhile = [lambda: _quarantine(world, Batch("wrong labels", version=1))]
    job = _retrained(world)
    assert (job.state, job.attempt) == ("queued", 1)
    world.platform.clock.advance_to(now + timedelta(minutes=5))  # type: ignore[attr-defined]
    assert run_next(world.platform, owner="test")
    assert len(training.specs) == 2
    assert len(training.train) + len(training.holdout) == 60
    with world.platform.database.reading() as session:
        assert session.get_one(Job, job.id).state == "succeeded"
        assert quarantine_of(session, world.policy.dataset_id).number == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "a version, or a span"),
        ({"version": 1, "start": datetime(2026, 1, 1)}, "a version, or a span"),  # noqa: DTZ001
        ({"version": 1, "why": " "}, "say why"),
    ],
)
def test_a_batch_that_is_none_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        Batch(**{"why": "x", **given})  # type: ignore[arg-type]
