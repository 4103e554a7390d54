"""A job ends at once at a conflict that no other attempt sees the end of."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select

from bailiwick.core.errors import Conflict, LastingConflict
from bailiwick.lifecycle import JobState, TrainingOrder, run_next, training_jobs
from bailiwick.lifecycle.jobs import JobKind, enqueue
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, order_training
from bailiwick.lineage import DatasetVersion
from bailiwick.policy import load_actor
from bailiwick.registry import ModelVersion, deployments
from bailiwick.training import SmallClassifierRecipe
from factories import PURPOSE
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


def _train(world: World) -> UUID:
    with world.platform.database.transaction() as session:
        order = TrainingOrder(
            model_id=world.model.id,
            dataset_version_ids=(session.scalars(select(DatasetVersion.id)).one(),),
            recipe=SmallClassifierRecipe(),
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier="standard",
            seed=3,
            from_champion=False,
        )
        rules, at = world.platform.rules, world.platform.clock.now()
        actor = load_actor(session, world.engineer_id)
        return order_training(session, order, rules=rules, actor=actor, at=at).id


def _ended(world: World, job_id: UUID) -> Job:
    with world.platform.database.reading() as session:
        return session.get_one(Job, job_id)


def _versions(world: World) -> int:
    with world.platform.database.reading() as session:
        return session.scalar(select(func.count()).select_from(ModelVersion)) or 0


def _failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_conflict_that_lasts_ends_the_job_and_one_that_may_pass_does_not(
    world: World, training: FakeTraining
) -> None:
    training.meanwhile = [_failing(LastingConflict("the tier demands more"))]
    job_id = _train(world)
    assert run_next(world.platform, owner="worker")
    job = _ended(world, job_id)
    assert (job.state, job.attempt, job.error) == (JobState.FAILED, 1, "the tier demands more")
    assert _versions(world) == 1
    training.meanwhile = [_failing(Conflict("somebody else changed this"))]
    job_id = _train(world)
    assert run_next(world.platform, owner="worker")
    assert _ended(world, job_id).state == JobState.QUEUED


def test_a_check_of_a_model_without_a_champion_ends_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployments, "pointed_at", lambda *_: None)
    with world.platform.database.transaction() as session:
        job_id = enqueue(
            session,
            JobKind.CHECK,
            namespace=world.deployment.namespace,
            label_id=world.deployment.label_id,
            subject_id=world.monitor.id,
            acts_as=world.retrainer_id,
            payload={"due_at": world.platform.clock.now().isoformat()},
            actor_id=world.engineer_id,
            at=world.platform.clock.now(),
        ).id
    assert run_next(world.platform, owner="worker")
    job = _ended(world, job_id)
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert job.error == "this deployment's model has no champion; promote a version"
