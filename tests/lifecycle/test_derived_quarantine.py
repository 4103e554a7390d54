"""With a version all that was made from it is quarantined, and nothing else."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Conflict, Invalid
from bailiwick.lifecycle import TrainingOrder, run_next, training_jobs
from bailiwick.lifecycle.retrain import Overrides, start
from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, plan_training
from bailiwick.lineage import Content, Dataset, DatasetVersion, Node, add_dataset_version
from bailiwick.lineage.batches import Batch, set_quarantine
from bailiwick.lineage.derived import reached_by_quarantine, why_quarantined
from bailiwick.policy import load_actor
from bailiwick.registry import ModelVersion
from bailiwick.training import SmallClassifierRecipe
from factories import PURPOSE
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World, bring, factory_again, requests


def _made_from(
    world: World, *sources: UUID, into: str = "derived", kind: str = "dataset-version"
) -> UUID:
    """A version of another dataset with rows that were made from these."""
    with world.platform.database.transaction() as session:
        make = factory_again(session, world.platform)
        first = session.scalars(select(DatasetVersion).order_by(DatasetVersion.number)).first()
        assert first is not None
        query = select(Dataset).where(Dataset.name == into)
        dataset = session.scalars(query).one_or_none() or make.dataset(name=into)
        inputs = [(Node(kind, one), "it", first.label_id) for one in sources]  # type: ignore[arg-type]  # one of both
        content = Content(
            content_digest=f"{into}{len(sources)}{sources[-1]}"[:64].ljust(64, "0"),
            rows_blob=first.rows_blob,
            columns=first.columns,
            text_columns=tuple(first.text_columns),
            label_column=first.label_column,
            date_column=first.date_column,
            rows=first.rows,
            first_time=first.first_time,
            last_time=first.last_time,
        )
        return add_dataset_version(
            session,
            dataset,
            content,
            scheme=world.platform.rules.scheme,
            kind="prepare",
            inputs=inputs,
            started_at=make.at,
            actor_id=make.engineer.id,
            at=make.at,
        ).id


def _first(world: World) -> UUID:
    with world.platform.database.reading() as session:
        query = select(DatasetVersion.id).where(
            DatasetVersion.dataset_id == world.policy.dataset_id, DatasetVersion.number == 1
        )
        return session.scalars(query).one()


def _quarantine(world: World, *batches: Batch) -> None:
    with world.platform.database.transaction() as session:
        dataset = session.get_one(Dataset, world.policy.dataset_id)
        at, actor_id = world.platform.clock.now(), world.engineer_id
        set_quarantine(session, dataset, batches, reason="odd", actor_id=actor_id, at=at)


def _why(world: World, *ids: UUID) -> list[str | None]:
    with world.platform.database.reading() as session:
        found = why_quarantined(session, [session.get_one(DatasetVersion, one) for one in ids])
        return [found.get(one) for one in ids]


def _plan(session: Session, world: World, version: UUID, policy: UUID | None = None) -> None:
    order = TrainingOrder(
        model_id=world.model.id,
        dataset_version_ids=(version,),
        recipe=SmallClassifierRecipe(),
        selection=DEFAULT_SELECTION,
        purpose=PURPOSE,
        risk_tier="standard",
        seed=3,
        from_champion=False,
        retraining_policy_id=policy,
    )
    actor, at = load_actor(session, world.engineer_id), world.platform.clock.now()
    plan_training(session, order, rules=world.platform.rules, actor=actor, at=at)


def test_what_was_made_from_it_is_quarantined_through_any_hops_until_it_is_lifted(
    world: World,
) -> None:
    source = _first(world)
    near = _made_from(world, source, into="near")
    far = _made_from(world, near, into="far")
    _quarantine(world, Batch("sent twice", version=1))
    assert _why(world, source, near, far) == [
        "sent twice",
        "sent twice; made from finance/purchases v1",
        "sent twice; made from finance/near v1, made from finance/purchases v1",
    ]
    _quarantine(world)
    assert _why(world, source, near, far) == [None, None, None]


def test_what_was_prepared_from_a_model_s_requests_is_not_made_from_what_it_learned(
    world: World,
) -> None:
    free = _made_from(world, world.champion_id, kind="model-version")
    _quarantine(world, Batch("sent twice", version=1))
    assert _why(world, free) == [None]
    with world.platform.database.reading() as session:
        dataset = session.get_one(Dataset, world.policy.dataset_id)
        assert reached_by_quarantine(session, dataset).data == {}


def test_models_that_learned_from_any_of_it_are_named(world: World) -> None:
    with world.platform.database.reading() as session:
        dataset = session.get_one(Dataset, world.policy.dataset_id)
        assert reached_by_quarantine(session, dataset).models == ()
    derived = _made_from(world, _first(world))
    with world.platform.database.transaction() as session:
        make = factory_again(session, world.platform)
        data = session.get_one(DatasetVersion, derived)
        later = make.model_version(world.model, data).id
        other = make.dataset_version(make.dataset(name="other"), seed=5)
        free = make.model_version(world.model, other).id
    _quarantine(world, Batch("sent twice", version=1))
    with world.platform.database.reading() as session:
        dataset = session.get_one(Dataset, world.policy.dataset_id)
        reached = reached_by_quarantine(session, dataset)
        assert set(reached.models) == {world.champion_id, later}
        assert session.get(ModelVersion, free) is not None
        assert set(reached.data) == {derived}


def test_training_refuses_it_with_the_way_and_a_retraining_gathers_again(world: World) -> None:
    derived = _made_from(world, _first(world))
    _quarantine(world, Batch("sent twice", version=1))
    said = r"finance/derived v1 is quarantined \(sent twice; made from finance/purchases v1\)"
    with world.platform.database.transaction() as session:
        with pytest.raises(Invalid, match=said):
            _plan(session, world, derived)
        with pytest.raises(Conflict, match="since it was gathered"):
            _plan(session, world, derived, policy=world.policy.id)


def test_a_retraining_gathers_none_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    training = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", training)
    now = world.platform.clock.now()
    bring(world, *requests(60, first=now - timedelta(days=2)))
    with world.platform.database.transaction() as session:
        make = factory_again(session, world.platform)
        other = make.dataset(name="other")
        source = make.dataset_version(other, seed=7)
        dataset = session.get_one(Dataset, world.policy.dataset_id)
        copied = make.dataset_version(dataset, seed=7)  # the same rows: a copy of the source
        assert copied.number == 2
        actor_id = world.engineer_id
        bad = [Batch("wrong labels", version=source.number)]
        set_quarantine(session, other, bad, reason="odd", actor_id=actor_id, at=now)
    _quarantine(world, Batch("sent twice", version=1))
    with world.platform.database.transaction() as session:
        job_id = start(
            session,
            session.get_one(RetrainingPolicy, world.policy.id),
            reason="by hand",
            overrides=Overrides(window_days=3_650),
            rules=world.platform.rules,
            actor=load_actor(session, world.engineer_id),
            at=now,
        ).id
    assert run_next(world.platform, owner="test")
    with world.platform.database.reading() as session:
        assert session.get_one(Job, job_id).state == "succeeded"
    assert len(training.train) + len(training.holdout) == 60


def test_of_another_namespace_it_tells_neither_names_nor_reasons(world: World) -> None:
    with world.platform.database.transaction() as session:
        dataset = session.get_one(Dataset, world.policy.dataset_id)
        dataset.namespace = "hr"
    derived = _made_from(world, _first(world))
    _quarantine(world, Batch("about Ann", version=1))
    said = "for a reason of another namespace; made from a version of another namespace"
    assert _why(world, derived) == [said]
