"""Of several recipes the winner makes the version, and what was tried is kept."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.lifecycle import run_next, training_jobs
from bailiwick.lifecycle.retrain import Overrides, enqueue_retraining, start
from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.lineage import Run
from bailiwick.policy import load_actor
from bailiwick.registry import ModelVersion
from bailiwick.training import CheapFirst
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World, bring, requests

TRIED = [
    {"name": "imprint", "accuracy": None, "won": False, "reason": "passed over: no class is new"},
    {"name": "head-on-base", "accuracy": 0.9, "won": True, "reason": "enough: 90.0%"},
]


@dataclass
class _Trying(FakeTraining):
    """A training process in which the second rung won."""

    def __call__(
        self, module: str, spec: dict[str, Any], folder: Path, **how: Any
    ) -> dict[str, Any]:
        outcome = super().__call__(module, spec, folder, **how)
        return outcome | {"recipe": spec["recipe"]["rungs"][1], "recipes_tried": TRIED}


def test_the_version_has_the_winners_recipe_and_says_what_was_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = _Trying()
    monkeypatch.setattr(training_jobs, "run_child", training)
    now = world.platform.clock.now()
    bring(world, *requests(60, first=now - timedelta(days=2)))
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        job_id = start(
            session,
            policy,
            reason="cheaply",
            overrides=Overrides(window_days=3_650, recipe=CheapFirst()),
            rules=world.platform.rules,
            actor=load_actor(session, world.engineer_id),
            at=world.platform.clock.now(),
        ).id
    assert run_next(world.platform, owner="test")
    with world.platform.database.reading() as session:
        job = session.get_one(Job, job_id)
        assert job.result is not None, job.error
        newest = session.scalars(select(ModelVersion).order_by(ModelVersion.number.desc())).first()
        assert newest is not None
        run = session.get_one(Run, newest.run_id)
        champion = session.get_one(ModelVersion, world.champion_id)
    assert newest.recipe == CheapFirst().rungs[1].to_dict()
    assert newest.metrics["recipes_tried"] == run.metrics["recipes_tried"] == TRIED
    assert run.parameters["recipe"]["kind"] == "cheap-first"
    assert training.specs[0]["reference_accuracy"] == champion.metrics["accuracy"]


def test_a_policy_of_a_lesser_risk_tier_trains_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", training)
    now = world.platform.clock.now()
    bring(world, *requests(60, first=now - timedelta(days=2)))
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        policy.risk_tier = "low"
        job_id = enqueue_retraining(
            session, policy, reason="cheaply", actor_id=world.engineer_id, at=now
        ).id
    assert run_next(world.platform, owner="test")
    with world.platform.database.reading() as session:
        job = session.get_one(Job, job_id)
    assert (job.state, job.attempt) == ("failed", 1)
    assert "train the version with risk_tier standard" in str(job.error)
    assert training.specs == []
