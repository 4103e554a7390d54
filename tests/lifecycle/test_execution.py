"""Carrying out jobs: every way an attempt can end, and what is on record afterwards."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from bailiwick.access import revoke_role
from bailiwick.access.principals import find_principal
from bailiwick.blobs import BlobStore
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid, Unavailable
from bailiwick.lifecycle import JobState, Platform, run_next, training_jobs
from bailiwick.lifecycle.children import JobProcessFailed
from bailiwick.lifecycle.jobs import cancel
from bailiwick.lifecycle.promotion import evaluation_of
from bailiwick.lifecycle.retrain import Overrides, start
from bailiwick.lifecycle.rolling_out import advance
from bailiwick.lifecycle.rollouts import Plan, set_plan
from bailiwick.lifecycle.tables import Evaluation, Job, JobEvent, RetrainingPolicy
from bailiwick.lineage import DatasetVersion, Node, Run, walk
from bailiwick.monitoring import Alert, Baseline, unresolved
from bailiwick.policy import Decision, load_actor
from bailiwick.registry import (
    CHALLENGER,
    CHAMPION,
    AliasMove,
    ModelVersion,
    RegisteredModel,
    Rollout,
    pointed_at,
)
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import (
    World,
    audited,
    factory_again,
    found_world,
    job_of,
    order_by_hand,
    raise_alert,
    told,
)

SECRET = "zanzibar garage 4711"
RESULTS = (ModelVersion, Run, Evaluation, Baseline, AliasMove)


@pytest.fixture
def world(platform: Platform) -> World:
    """The approved policy learns from the whole history."""
    return found_world(platform, window_days=3_650)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


def retrain(world: World) -> UUID:
    with world.platform.database.transaction() as session:
        return start(
            session,
            session.get_one(RetrainingPolicy, world.policy.id),
            reason="the market moved",
            overrides=Overrides(),
            rules=world.platform.rules,
            actor=load_actor(session, world.engineer_id),
            at=world.platform.clock.now(),
        ).id


def events(world: World, job_id: UUID) -> list[str]:
    with world.platform.database.reading() as session:
        return told(session, job_id)


def counts(world: World) -> list[int]:
    with world.platform.database.reading() as session:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in RESULTS]


def champion(world: World) -> ModelVersion:
    with world.platform.database.reading() as session:
        found = pointed_at(session, world.model.id, CHAMPION)
        assert found is not None
        return found


def work(world: World) -> None:
    assert run_next(world.platform, owner="worker")


def test_without_jobs_there_is_nothing_to_do(platform: Platform) -> None:
    assert run_next(platform, owner="worker") is False


def test_a_better_challenger_is_promoted_under_the_approved_policy(
    world: World, training: FakeTraining
) -> None:
    job_id = retrain(world)
    work(world)
    job = job_of(world, job_id)
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    assert job.result is not None
    assert job.result["verdict"] == "promoted"
    assert job.progress == {"stage": "train", "step": 1, "steps": 2}
    version = champion(world)
    assert (str(version.id), version.number) == (job.result["version_id"], 2)
    assert version.trained_by == world.retrainer_id
    assert version.base_version_id == world.champion_id
    assert training.specs[0]["seed"] == version.seed
    with world.platform.database.reading() as session:
        actions = audited(session, version.id)
        assert actions == [
            "model-version.registered",
            "model-version.evaluated",
            "baseline.created",
        ]
        steps = walk(session, Node("model-version", version.id), "up", depth=9)
        assert world.champion_id in {step.source.id for step in steps}
    assert events(world, job_id) == ["queued", "started", "succeeded"]


def test_a_promotion_closes_the_alert_about_the_version_it_replaces(
    world: World, training: FakeTraining
) -> None:
    assert training is not None
    raise_alert(world)
    retrain(world)
    work(world)
    with world.platform.database.reading() as session:
        alert = session.scalars(select(Alert)).one()
        assert (alert.state, alert.resolution) == ("resolved", "version 2 became champion")
        assert alert.resolved_by == world.retrainer_id
        assert unresolved(session, world.deployment.id) is None


def test_under_a_rollout_plan_a_better_challenger_is_rolled_out_in_the_policys_name(
    world: World, training: FakeTraining
) -> None:
    assert training is not None
    with world.platform.database.transaction() as session:
        deployment, at = session.merge(world.deployment), world.platform.clock.now()
        plan = Plan(canary_shares=(0.1,), step_hours=0)
        set_plan(session, deployment, plan, actor_id=world.engineer_id, at=at)
    job_id = retrain(world)
    work(world)
    result = job_of(world, job_id).result
    assert result is not None
    assert result["verdict"] == "rolling-out"
    assert champion(world).id == world.champion_id
    with world.platform.database.transaction() as session:
        rollout = session.scalars(select(Rollout)).one()
        assert (rollout.started_by, rollout.mandate) == (world.retrainer_id, True)
        actor = load_actor(session, world.engineer_id)
        deployment = session.merge(world.deployment)
        advance(session, world.platform, deployment, reason="good", actor=actor, at=at)
    assert champion(world).number == 2


def test_a_rejection_leaves_the_alert_open(world: World, training: FakeTraining) -> None:
    training.gained, training.lost = 20, 120
    raise_alert(world)
    retrain(world)
    work(world)
    with world.platform.database.reading() as session:
        assert session.scalars(select(Alert.state)).one() == "open"


def test_a_worse_challenger_is_kept_and_rejected_with_its_reasons(
    world: World, training: FakeTraining
) -> None:
    training.gained, training.lost = 20, 120
    job_id = retrain(world)
    work(world)
    result = job_of(world, job_id).result
    assert result is not None
    assert result["verdict"] == "rejected"
    (reason,) = result["reasons"]
    assert reason.startswith("worse than the champion")
    assert champion(world).id == world.champion_id
    with world.platform.database.reading() as session:
        challenger = pointed_at(session, world.model.id, CHALLENGER)
        assert challenger is not None
        evaluation = evaluation_of(session, challenger)
        assert evaluation is not None
        assert (evaluation.passed, evaluation.reasons) == (False, [reason])
        assert evaluation.champion_version_id == world.champion_id


def test_a_training_by_hand_waits_for_people(world: World, training: FakeTraining) -> None:
    job_id = order_by_hand(world)
    work(world)
    result = job_of(world, job_id).result
    assert result is not None
    assert (result["verdict"], result["version"]) == ("passed", 2)
    assert champion(world).id == world.champion_id
    assert training.specs[0]["base"] is None
    assert training.specs[0]["compare_with"] is not None


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("the disk is full; free some space"),
        JobProcessFailed("the job process ended with status -9"),
    ],
)
def test_what_may_pass_is_tried_again_and_registers_once(
    world: World, training: FakeTraining, clock: ReplayClock, error: Exception
) -> None:
    before = counts(world)
    job_id = order_by_hand(world)
    training.meanwhile = [failing(error)]
    work(world)
    job = job_of(world, job_id)
    assert (job.state, job.attempt, counts(world)) == (JobState.QUEUED, 1, before)
    assert run_next(world.platform, owner="worker") is False
    clock.advance_to(job.available_at)
    work(world)
    assert job_of(world, job_id).state == JobState.SUCCEEDED
    assert counts(world) == [number + 1 for number in before]
    expected = ["queued", "started", "attempt-failed", "started", "succeeded"]
    assert events(world, job_id) == expected


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_wrong_input_fails_at_once_and_says_why(world: World, training: FakeTraining) -> None:
    training.meanwhile = [failing(Invalid("there are no held-out rows to judge by"))]
    job_id = order_by_hand(world)
    work(world)
    job = job_of(world, job_id)
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert job.error == "there are no held-out rows to judge by"
    assert job.lease_owner is None


def test_an_unexpected_fault_is_retried_and_its_text_goes_nowhere(
    world: World, training: FakeTraining
) -> None:
    training.meanwhile = [failing(ValueError(f"cannot parse {SECRET}"))]
    job_id = order_by_hand(world)
    with capture_logs() as logs:
        work(world)
    job = job_of(world, job_id)
    assert job.state == JobState.QUEUED
    assert events(world, job_id)[-1] == "attempt-failed"
    told_of = [entry for entry in logs if entry.get("kind") == "ValueError"]
    assert any("in fail" in line for line in told_of[0]["place"])
    with world.platform.database.reading() as session:
        stored = str(session.scalars(select(JobEvent.message)).all())
    assert SECRET not in f"{logs} {stored}"
    assert "ValueError" in stored


def test_a_disk_that_fills_up_while_weights_are_kept_leaves_nothing_half_registered(
    world: World, training: FakeTraining, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts(world)
    job_id = order_by_hand(world)
    keep = BlobStore.put_file

    def full(store: BlobStore, source: Path) -> str:
        if source.name == "reference.parquet":
            raise Unavailable("the disk of the blob store is full; nothing was kept")
        return keep(store, source)

    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "put_file", full)
        work(world)
    assert counts(world) == before
    job = job_of(world, job_id)
    assert (job.state, job.result) == (JobState.QUEUED, None)
    clock.advance_to(job.available_at)
    work(world)
    assert job_of(world, job_id).state == JobState.SUCCEEDED
    assert len(training.specs) == 2


def test_a_job_that_is_cancelled_under_way_registers_nothing(
    world: World, training: FakeTraining
) -> None:
    before = counts(world)
    job_id = order_by_hand(world)

    def stop() -> None:
        with world.platform.database.transaction() as session:
            job = session.get_one(Job, job_id)
            cancel(session, job, actor_id=world.engineer_id, at=world.platform.clock.now())

    training.meanwhile = [stop]
    work(world)
    assert (job_of(world, job_id).state, counts(world)) == (JobState.CANCELLED, before)


def test_a_champion_replaced_under_way_makes_the_job_compare_anew(
    world: World, training: FakeTraining, clock: ReplayClock
) -> None:
    def another_is_promoted() -> None:
        with world.platform.database.transaction() as session:
            make = factory_again(session, world.platform)
            data = session.scalars(
                select(DatasetVersion).where(DatasetVersion.source_blob.is_not(None))
            ).one()
            model = session.get_one(RegisteredModel, world.model.id)
            make.champion(make.model_version(model, data))

    job_id = retrain(world)
    training.meanwhile = [another_is_promoted]
    work(world)
    other = champion(world)
    job = job_of(world, job_id)
    assert (other.number, job.state) == (2, JobState.QUEUED)
    clock.advance_to(job.available_at)
    work(world)
    assert champion(world).number == 3
    with world.platform.database.reading() as session:
        evaluation = evaluation_of(session, champion(world))
        assert evaluation is not None
        assert evaluation.champion_version_id == other.id


def test_a_denial_on_the_way_ends_the_job_and_is_kept_as_a_decision(
    world: World, training: FakeTraining
) -> None:
    before = counts(world)
    job_id = retrain(world)

    def lose_the_role() -> None:
        with world.platform.database.transaction() as session:
            revoke_role(
                session,
                find_principal(session, "retrainer"),
                "service",
                namespace="*",
                actor_id=world.engineer_id,
                at=world.platform.clock.now(),
            )

    training.meanwhile = [lose_the_role]
    work(world)
    job = job_of(world, job_id)
    assert job.state == JobState.FAILED
    with world.platform.database.reading() as session:
        (decision,) = session.scalars(select(Decision).where(~Decision.allowed))
        assert (decision.action, decision.principal_id) == (
            "dataset:read-rows",
            world.retrainer_id,
        )
    prepared = [before[0], before[1] + 1, *before[2:]]  # the run that gathered the rows
    assert counts(world) == prepared


@pytest.mark.parametrize("end", ["done", "failed"])
def test_no_rows_and_no_weights_outlive_an_attempt(
    world: World, training: FakeTraining, end: str
) -> None:
    folder = world.platform.settings.work_folder / "jobs"
    if end == "failed":
        training.meanwhile = [failing(Invalid("no"))]
    retrain(world)
    work(world)
    assert list(folder.rglob("*.parquet")) == []
    assert list(folder.rglob("*.safetensors")) == []
