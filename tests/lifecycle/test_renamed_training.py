"""A training reads old names of labels as they are called now."""

import pytest
from sqlalchemy import select

from bailiwick.lifecycle import JobState, TrainingOrder, run_next, training_jobs
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, order_training
from bailiwick.lineage import DatasetVersion, Run
from bailiwick.lineage.taxonomies import Renames, set_taxonomy
from bailiwick.policy import load_actor
from bailiwick.training import SmallClassifierRecipe
from factories import PURPOSE
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World


def test_labels_are_learned_and_judged_by_their_names_of_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", training)
    at = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        data = session.scalars(select(DatasetVersion)).one()
        renames = Renames({"Air Travel": "Travel"})
        set_taxonomy(
            session, data.dataset, renames, reason="one account", actor_id=world.engineer_id, at=at
        )
        order = TrainingOrder(
            model_id=world.model.id,
            dataset_version_ids=(data.id,),
            recipe=SmallClassifierRecipe(),
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier="standard",
            seed=3,
            from_champion=False,
        )
        actor = load_actor(session, world.engineer_id)
        job_id = order_training(session, order, rules=world.platform.rules, actor=actor, at=at).id
    assert run_next(world.platform, owner="worker")
    assert training.specs[0]["renames"] == {"Air Travel": "Travel"}
    learned = {row["label"] for row in (*training.train, *training.holdout)}
    assert "Travel" in learned
    assert "Air Travel" not in learned
    with world.platform.database.reading() as session:
        assert session.get_one(Job, job_id).state == JobState.SUCCEEDED
        run = session.scalars(select(Run).order_by(Run.id.desc()).limit(1)).one()
        assert run.parameters["taxonomy"] == 1
