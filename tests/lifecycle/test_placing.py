"""Executors are cleared for labels and zones: a job's data goes nowhere else, before or after."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import (
    JobState,
    Platform,
    executors,
    open_platform,
    run_next,
    training_jobs,
)
from bailiwick.lifecycle.executors import Local, OnRay, executor_of
from bailiwick.lifecycle.limits import MIB, Limits
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, TrainingOrder, order_training
from bailiwick.policy import Decision
from bailiwick.registry import create_environment
from bailiwick.training import SmallClassifierRecipe
from factories import PURPOSE, Factory
from support.lifecycle_children import training_outcome
from support.lifecycle_world import World, factory_again, told
from support.replayed_history import Past

RAY: dict[str, Any] = {
    "executor": "ray",
    "ray_address": "10.0.0.5:6379",
    "executor_environment": "cluster",
}


class Started:
    """Stands in for `run_child`: remembers what was started, and with which spec."""

    def __init__(self) -> None:
        self.processes: list[tuple[str, dict[str, Any]]] = []

    def __call__(
        self, module: str, spec: dict[str, Any], folder: Path, **_: object
    ) -> dict[str, Any]:
        self.processes.append((module, spec))
        return training_outcome(folder) | {"champion": None, "paired": None}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    child = Started()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


@pytest.fixture(autouse=True)
def ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray is installed, wherever this runs: none of these jobs gets as far as starting it."""
    monkeypatch.setattr(executors, "ray_is_installed", lambda: True)


def on_cluster(platform: Platform, **settings: Any) -> Platform:
    """The installation, whose jobs are carried out on a cluster."""
    return replace(platform, settings=platform.settings.model_copy(update=RAY | settings))


def cluster(make: Factory, **terms: Any) -> None:
    """Register where it is, and what it is cleared for."""
    terms = {
        "zone": "de",
        "clearance_level": "confidential",
        "clearance_compartments": frozenset({"finance"}),
        "keeps_text": False,
    } | terms
    rules, root = make.platform.rules, make.root.id
    create_environment(make.session, "cluster", **terms, rules=rules, actor_id=root, at=make.at)


def train(platform: Platform, terms: dict[str, Any] | None = None) -> UUID:
    """Order a training, where there is a cluster of these terms."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        if terms is not None:
            cluster(make, **terms)
        wanted = TrainingOrder(
            model_id=make.model().id,
            dataset_version_ids=(make.dataset_version(make.dataset()).id,),
            recipe=SmallClassifierRecipe(),
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier="standard",
            seed=3,
            from_champion=False,
        )
        actor = make.actor(make.engineer)
        return order_training(session, wanted, rules=platform.rules, actor=actor, at=make.at).id


def ended(platform: Platform, job_id: UUID) -> tuple[Job, list[str], list[Decision]]:
    with platform.database.reading() as session:
        asked = select(Decision).where(Decision.action == "job:execute")
        job = session.get_one(Job, job_id)
        return job, told(session, job_id), list(session.scalars(asked))


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        ({"zone": "us"}, "execution-residency"),
        ({"clearance_level": "internal"}, "no-execute-up"),
        ({"clearance_compartments": frozenset()}, "no-execute-up"),
    ],
)
@pytest.mark.parametrize("executor", ["local", "ray"])
def test_data_that_may_not_be_there_never_leaves_and_the_denial_is_on_record(
    platform: Platform, started: Started, terms: dict[str, Any], rule: str, executor: str
) -> None:
    job_id = train(platform, terms)
    assert run_next(on_cluster(platform, executor=executor), owner="w")
    job, events, (decision,) = ended(platform, job_id)
    assert started.processes == []
    assert (job.state, job.attempt, events[-1]) == (JobState.FAILED, 1, "failed")
    assert job.error is not None
    assert "machines that carry out jobs" in job.error
    assert (decision.allowed, decision.policy_ids) == (False, [rule])
    assert (decision.resource_type, decision.resource_id) == ("Job", str(job_id))


def test_what_is_allowed_there_is_sent_with_its_limits_and_the_decision_is_on_record(
    platform: Platform, started: Started
) -> None:
    job_id = train(platform, {})
    chosen = on_cluster(platform, ray_processes=2, job_memory_bytes={"train": 512 * MIB})
    assert run_next(chosen, owner="w")
    job, _, (decision,) = ended(platform, job_id)
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    assert (decision.allowed, decision.policy_ids) == (True, ["role-operates"])
    ((module, spec),) = started.processes
    assert module == "bailiwick.training.ray_executor"
    assert (spec["module"], spec["processes"]) == ("bailiwick.training.run", 2)
    assert (spec["address"], spec["memory_bytes"]) == ("10.0.0.5:6379", 512 * MIB)
    assert set(spec["job"]["train"]) == {"path", "sha256"}


def test_without_an_environment_jobs_work_where_the_platform_does(
    platform: Platform, started: Started
) -> None:
    job_id = train(platform)
    assert run_next(platform, owner="w")
    job, _, decisions = ended(platform, job_id)
    assert (job.state, decisions) == (JobState.SUCCEEDED, [])
    assert [module for module, _ in started.processes] == ["bailiwick.training.run"]


def test_a_backtest_beside_a_worker_that_is_not_cleared_is_not_begun(
    world: World, clock: ReplayClock
) -> None:
    past = Past(world, clock, months=2)
    past.live()
    with world.platform.database.transaction() as session:
        cluster(factory_again(session, world.platform), zone="us")
    asked = past.backtest(past.order(past.settings("every-period")))
    assert run_next(on_cluster(world.platform, executor="local"), owner="w")
    job, _, (decision,) = ended(world.platform, asked.job_id)
    assert (job.state, decision.policy_ids) == (JobState.FAILED, ["execution-residency"])


def test_an_environment_that_is_not_there_fails_the_job_with_what_to_do(
    platform: Platform, started: Started
) -> None:
    job_id = train(platform)
    assert run_next(on_cluster(platform), owner="w")
    job, _, decisions = ended(platform, job_id)
    assert started.processes == decisions == []
    assert job.error is not None
    assert "BAILIWICK_EXECUTOR_ENVIRONMENT names 'cluster'" in job.error


def test_a_worker_without_ray_says_what_to_install(
    platform: Platform, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "ray_is_installed", lambda: False)
    job_id = train(platform, {})
    assert run_next(on_cluster(platform), owner="w")
    job, _, _ = ended(platform, job_id)
    assert (job.state, job.attempt, started.processes) == (JobState.FAILED, 1, [])
    assert job.error is not None
    assert "pip install 'bailiwick[ray]'" in job.error


@pytest.mark.parametrize("lacking", ["ray_address", "executor_environment"])
def test_a_cluster_that_is_not_described_is_refused_as_the_installation_opens(
    tmp_path: Path, clock: ReplayClock, lacking: str
) -> None:
    settings = Settings(home=tmp_path, **(RAY | {lacking: None}))
    with pytest.raises(Invalid, match=f"BAILIWICK_{lacking.upper()}"):
        open_platform(settings, clock)


def test_the_local_executor_starts_the_process_itself() -> None:
    executor = executor_of(Settings())
    assert executor == Local()
    limits = Limits(memory_bytes=1, time_seconds=1)
    assert executor.placed("a.module", {"seed": 1}, limits) == ("a.module", {"seed": 1})


def test_a_cluster_is_told_apart_by_its_settings() -> None:
    executor = executor_of(Settings(**RAY, ray_processes=3, threads=4))
    assert executor == OnRay(address="10.0.0.5:6379", processes=3, threads=4)
