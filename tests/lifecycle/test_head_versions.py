"""A head is trained, registered, judged by the gates, promoted and served like any version."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bailiwick.lifecycle import JobState, Platform, TrainingOrder, run_next, training_jobs
from bailiwick.lifecycle.promotion import evaluation_of
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, order_training
from bailiwick.registry import ModelVersion, materialise
from bailiwick.serving.engine import Engine
from bailiwick.training.recipes import HeadRecipe
from bailiwick.training.run import run
from bailiwick.training.spec import TrainingSpec
from factories import PURPOSE, Factory
from support.lifecycle_world import factory_again

pytestmark = pytest.mark.torch


def trained_here(module: str, spec: dict[str, Any], folder: Path, **_: object) -> dict[str, Any]:
    """The training process's work, in this process."""
    assert module == "bailiwick.training.run"
    values = {**spec, "work_dir": str(folder)}
    path = folder / "spec.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return run(TrainingSpec.read(path), lambda *_: None)


@pytest.fixture(autouse=True)
def training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_jobs, "run_child", trained_here)


def test_a_head_passes_its_gates_is_promoted_and_answers_and_the_next_is_compared_with_it(
    platform: Platform,
) -> None:
    recipe = HeadRecipe(buckets=4096)
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        assert {make.root.name, make.engineer.name, make.approver.name}  # they are made when named
        model = make.model()
        data = make.dataset_version(make.dataset(), rows=2_400)
        model_id, data_id = model.id, data.id
    first = trained(platform, model_id, data_id, recipe)
    assert (first["verdict"], first["reasons"]) == ("passed", [])
    with platform.database.transaction() as session:
        make = factory_again(session, platform)
        version = session.get_one(ModelVersion, UUID(first["version_id"]))
        assert version.recipe == recipe.to_dict()
        make.champion(version)
        engine = Engine.load(materialise(version, platform.blobs, platform.artifact_folder))
    assert engine.classify(["acme fuel services | highways"])[0].label in engine.labels
    again = trained(platform, model_id, data_id, recipe, from_champion=True)
    assert again["champion_accuracy"] == first["accuracy"]
    assert again["verdict"] == "rejected"  # it answers alike, so it is not clearly better
    with platform.database.reading() as session:
        second = session.get_one(ModelVersion, UUID(again["version_id"]))
        judged = evaluation_of(session, second)
        assert judged is not None
        assert judged.evidence["paired"]["only_candidate"] == 0


def trained(
    platform: Platform,
    model_id: UUID,
    data_id: UUID,
    recipe: HeadRecipe,
    *,
    from_champion: bool = False,
) -> dict[str, Any]:
    """Train and register a version; what the job says of it."""
    with platform.database.transaction() as session:
        make = factory_again(session, platform)
        order = TrainingOrder(
            model_id=model_id,
            dataset_version_ids=(data_id,),
            recipe=recipe,
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier="standard",
            seed=3,
            from_champion=from_champion,
        )
        assert TrainingOrder.from_payload(order.to_payload()) == order
        actor = make.actor(make.engineer)
        job_id = order_training(session, order, rules=platform.rules, actor=actor, at=make.at).id
    assert run_next(platform, owner="worker")
    with platform.database.reading() as session:
        job = session.get_one(Job, job_id)
        assert job.state == JobState.SUCCEEDED, job.error
        assert job.result is not None
        return job.result
