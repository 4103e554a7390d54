"""A job ends at once at a conflict that no other attempt sees the end of."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from bailiwick.core.errors import Conflict, LastingConflict
from bailiwick.lifecycle import JobState, run_next, training_jobs
from bailiwick.registry import ModelVersion, deployments
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World, job_of, order_by_hand, order_check


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


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
    job_id = order_by_hand(world)
    assert run_next(world.platform, owner="worker")
    job = job_of(world, job_id)
    assert (job.state, job.attempt, job.error) == (JobState.FAILED, 1, "the tier demands more")
    assert _versions(world) == 1
    training.meanwhile = [_failing(Conflict("somebody else changed this"))]
    job_id = order_by_hand(world)
    assert run_next(world.platform, owner="worker")
    assert job_of(world, job_id).state == JobState.QUEUED


def test_a_check_of_a_model_without_a_champion_ends_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployments, "pointed_at", lambda *_: None)
    job_id = order_check(world)
    assert run_next(world.platform, owner="worker")
    job = job_of(world, job_id)
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert job.error == "this deployment's model has no champion; promote a version"
