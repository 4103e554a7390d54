"""What a champion came from changes: erased texts, a newer base, newer data, other rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import upstream
from bailiwick.lifecycle.jobs import JobKind, enqueue
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lifecycle.triggers import Facts, Trigger, cause_of
from bailiwick.lineage import DatasetVersion, Node, record_run
from bailiwick.monitoring import erase_texts
from bailiwick.monitoring.texts import TextErasure
from bailiwick.policy import BundleActivation, PolicyBundle
from bailiwick.registry import Deployment, ModelVersion
from factories import Factory
from support.lifecycle_world import World, bring, factory_again, requests

DAY = timedelta(days=1)


def learned_from(make: Factory, world: World) -> ModelVersion:
    """A champion of data that the policy's job prepared of the deployment's requests."""
    session = make.session
    policy = session.get_one(RetrainingPolicy, world.policy.id)
    deployment = session.get_one(Deployment, world.deployment.id)
    job = enqueue(
        session,
        JobKind.RETRAIN,
        namespace=deployment.namespace,
        label_id=deployment.label_id,
        subject_id=policy.id,
        acts_as=policy.acts_as,
        payload={},
        actor_id=policy.acts_as,
        at=make.at,
    )
    data = make.dataset_version(make.dataset("prepared"))
    prepared(make, world, data, Node("model-version", world.champion_id), job_id=job.id)
    job.state = "succeeded"
    session.flush()
    return make.model_version(make.model("successor"), data)


def erase(world: World, session: Session, subject: str) -> None:
    erase_texts(
        session,
        world.deployment.id,
        subject,
        reason="asked to",
        pseudonyms=world.platform.pseudonyms,
        vault=world.platform.texts,
        actor_id=world.engineer_id,
        at=world.platform.clock.now(),
    )


def prepared(make: Factory, world: World, data: DatasetVersion, *inputs: Node, **more: Any) -> None:
    """A run that made `data` of these."""
    record_run(
        make.session,
        "prepare",
        namespace=world.deployment.namespace,
        label_id=world.deployment.label_id,
        inputs=inputs,
        outputs=[Node("dataset-version", data.id)],
        parameters={},
        metrics={},
        started_at=make.at,
        actor_id=make.engineer.id,
        at=make.at,
        **more,
    )


def test_erased_texts_that_it_may_have_learned_from_are_found(
    world: World, clock: ReplayClock
) -> None:
    inferences, labels = requests(4, first=clock.now() - DAY)
    keys = world.platform.pseudonyms.subjects(list("abcd"))
    subjects = [replace(one, subject_key=key) for one, key in zip(inferences, keys, strict=True)]
    bring(world, subjects[:2], labels[:2])
    with world.platform.database.transaction() as session:
        erase(world, session, "a")  # before it was trained
        champion = learned_from(factory_again(session, world.platform), world)
        clock.advance_to(clock.now() + DAY)
        assert upstream.erasures_after(session, champion) == []
    bring(world, subjects[2:], labels[2:])
    with world.platform.database.transaction() as session:
        champion = session.get_one(ModelVersion, champion.id)
        erase(world, session, "c")  # came after it was trained
        erase(world, session, "nobody")
        assert upstream.erasures_after(session, champion) == []
        erase(world, session, "b")
        (found,) = upstream.erasures_after(session, champion)
        assert str(session.scalars(select(TextErasure.id)).all()[-1]) == found
        unrelated = session.get_one(ModelVersion, world.champion_id)
        assert upstream.erasures_after(session, unrelated) == []


def test_newer_versions_of_what_it_learned_from_are_found_through_hops(
    world: World, clock: ReplayClock
) -> None:
    with world.platform.database.transaction() as session:
        make = factory_again(session, world.platform)
        data, made = (make.dataset_version(make.dataset(name)) for name in ("origin", "made"))
        prepared(make, world, made, Node("dataset-version", data.id))
        version, since = make.model_version(make.model("further"), made), make.at
        clock.advance_to(clock.now() + DAY)
        assert upstream.newer_inputs(session, version, since) == []
        later = make.dataset_version(data.dataset, seed=1)
        make.dataset_version(make.dataset("unrelated"))
        assert upstream.newer_inputs(session, version, since) == [str(later.id)]


def test_a_newer_champion_of_the_base_is_found_behind_retrained_versions(world: World) -> None:
    with world.platform.database.transaction() as session:
        make = factory_again(session, world.platform)
        data, base = make.dataset_version(make.dataset("texts")), make.model("base")
        first = make.champion(make.model_version(base, data))
        own = make.model("own")
        older = copy_of(session, make.model_version(own, data), base_version_id=first.id, number=91)
        newest = copy_of(session, older, base_version_id=older.id, number=92)
        assert upstream.newer_base(session, newest) is None
        second = make.champion(make.model_version(base, data))
        assert upstream.newer_base(session, newest) == str(second.id)
        assert upstream.newer_base(session, second) is None


def copy_of(session: Session, version: ModelVersion, **changes: Any) -> ModelVersion:
    """Another version of the same model that differs in this."""
    columns = [column.key for column in ModelVersion.__table__.columns]
    values = {name: getattr(version, name) for name in columns}
    copied = ModelVersion(**values | {"id": new_id()} | changes)
    session.add(copied)
    session.flush()
    return copied


def test_other_rules_since_it_was_trained_are_found(world: World, clock: ReplayClock) -> None:
    with world.platform.database.transaction() as session:
        champion = session.get_one(ModelVersion, world.champion_id)
        assert upstream.rules_after(session, champion) is None
        clock.advance_to(clock.now() + DAY)
        by: dict[str, Any] = {"at": clock.now()}
        bundle = PolicyBundle(
            digest="1" * 64,
            files={},
            note="",
            checks={},
            passed=True,
            proposed_by=world.engineer_id,
            **by,
        )
        session.add(bundle)
        session.flush()
        activation = BundleActivation(
            id=new_id(),
            number=1,
            bundle_id=bundle.id,
            old_digest="0" * 64,
            new_digest=bundle.digest,
            reason="x",
            actor_id=world.engineer_id,
            **by,
        )
        session.add(activation)
        session.flush()
        assert upstream.rules_after(session, champion) == str(activation.id)


@pytest.mark.parametrize("kind", ["erasure", "new-base", "new-inputs", "new-rules"])
def test_each_is_a_trigger_that_acts_once(kind: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    nothing = Facts(at, at, at, "v1", at)
    assert cause_of(Trigger(kind), nothing) is None
    found = replace(nothing, erasures=["x"], new_base="x", new_inputs=["x"], rules="x")
    cause = cause_of(Trigger(kind), found)
    assert cause is not None
    assert cause.key == f"{kind}:x"
    with pytest.raises(Invalid, match="takes no value"):
        Trigger(kind, 3)
