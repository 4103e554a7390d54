"""A label that rises while something is made, promoted or deployed: whoever is first, it holds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from bailiwick.core.errors import Conflict, Denied
from bailiwick.lifecycle import Platform, retrain, run_next, training_jobs
from bailiwick.lifecycle.compliance import stop_due, unresolved_breaches
from bailiwick.lifecycle.promotion import ask_for_approval, promote
from bailiwick.lifecycle.relabelling import relabel_dataset
from bailiwick.lifecycle.retrain import Overrides, start
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, TrainingOrder, order_training
from bailiwick.lineage import Dataset, DatasetVersion, Run
from bailiwick.policy import Label, decide_approval, load_actor, load_label
from bailiwick.registry import (
    Breach,
    Deployment,
    Environment,
    ModelVersion,
    RegisteredModel,
    served_version,
)
from bailiwick.training import SmallClassifierRecipe
from factories import CONFIDENTIAL, PURPOSE, Factory
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import World, at_once, bring, factory_again, requests

RESTRICTED = replace(CONFIDENTIAL, level="restricted")
WHOLE_HISTORY = Overrides(window_days=3_650)
ROUNDS = 3


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


def steward(platform: Platform) -> UUID:
    with platform.database.transaction() as session:
        return factory_again(session, platform).principal("steward", "steward").id


def raise_label(platform: Platform, who: UUID, label: Label = RESTRICTED) -> None:
    """The dataset `purchases` gets a higher label."""
    with platform.database.transaction() as session:
        relabel_dataset(
            session,
            session.scalars(select(Dataset).where(Dataset.name == "purchases")).one(),
            label,
            reason="more is known",
            rules=platform.rules,
            actor=load_actor(session, who),
            at=platform.clock.now(),
        )


def newest_version(platform: Platform) -> tuple[Label, Label, Label]:
    """The labels of the newest version, of its run and of its model."""
    with platform.database.reading() as session:
        version = session.scalars(select(ModelVersion).order_by(ModelVersion.id.desc())).first()
        assert version is not None
        run = session.get_one(Run, version.run_id)
        found = [load_label(session, one.label_id) for one in (version, run, version.model)]
        return found[0], found[1], found[2]


def test_a_version_that_was_trained_meanwhile_carries_the_risen_label(
    world: World, training: FakeTraining
) -> None:
    who = steward(world.platform)
    training.meanwhile = [lambda: raise_label(world.platform, who)]
    with world.platform.database.transaction() as session:
        data = session.scalars(select(DatasetVersion.id)).one()
        order = TrainingOrder(
            model_id=world.model.id,
            dataset_version_ids=(data,),
            recipe=SmallClassifierRecipe(),
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier="standard",
            seed=0,
            from_champion=False,
        )
        actor = load_actor(session, world.engineer_id)
        at = world.platform.clock.now()
        order_training(session, order, rules=world.platform.rules, actor=actor, at=at)
    assert run_next(world.platform, owner="worker")
    assert newest_version(world.platform) == (RESTRICTED, RESTRICTED, RESTRICTED)


def test_rows_that_were_gathered_meanwhile_are_registered_under_the_risen_label(
    world: World, training: FakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = steward(world.platform)
    keep = retrain._keep

    def slowly(platform: Platform, gathered: Any, folder: Path) -> Any:
        raise_label(platform, who)
        return keep(platform, gathered, folder)

    monkeypatch.setattr(retrain, "_keep", slowly)
    bring(world, *requests(30, first=world.platform.clock.now() - timedelta(days=1)))
    with world.platform.database.transaction() as session:
        start(
            session,
            session.get_one(RetrainingPolicy, world.policy.id),
            reason="x",
            overrides=WHOLE_HISTORY,
            rules=world.platform.rules,
            actor=load_actor(session, world.engineer_id),
            at=world.platform.clock.now(),
        )
    assert run_next(world.platform, owner="worker")
    with world.platform.database.reading() as session:
        prepared = session.scalars(
            select(DatasetVersion).where(DatasetVersion.source_blob.is_(None))
        ).one()
        assert load_label(session, prepared.label_id) == RESTRICTED
    assert training.specs
    assert newest_version(world.platform)[0] == RESTRICTED


@pytest.fixture
def scene(platform: Platform) -> dict[str, UUID]:
    """A champion, a deployment that follows it, and a version that may be promoted."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        model, place = make.model(), make.environment()
        data = make.dataset_version(make.dataset())
        make.champion(make.model_version(model, make.dataset_version(make.dataset("old"), seed=1)))
        deployment = make.deployment(model, place)
        challenger = make.model_version(model, data)
        actor, at = make.actor(make.engineer), make.at
        common: dict[str, Any] = {"rules": platform.rules, "at": at}
        asked = ask_for_approval(session, challenger, tiers=platform.tiers, actor=actor, **common)
        approver = make.actor(make.approver)
        decide_approval(session, asked, approve=True, comment="", actor=approver, **common)
        return {
            "model": model.id,
            "place": place.id,
            "deployment": deployment.id,
            "challenger": challenger.id,
            "engineer": make.engineer.id,
            "steward": make.principal("steward", "steward").id,
        }


def no_label_below_its_content(platform: Platform) -> None:
    """What serves carries the label of what it serves, and is known if it may not be there."""
    scheme = platform.rules.scheme
    with platform.database.reading() as session:
        for deployment in session.scalars(select(Deployment)):
            served = served_version(session, deployment)
            content = load_label(session, served.label_id)
            assert scheme.dominates(load_label(session, deployment.label_id), content)
            if scheme.dominates(content, RESTRICTED):
                assert deployment.id in unresolved_breaches(session, [deployment.id])
        for version in session.scalars(select(ModelVersion)):
            content = load_label(session, version.label_id)
            assert scheme.dominates(load_label(session, version.model.label_id), content)


def test_a_promotion_at_the_same_moment_is_refused_or_found(
    platform: Platform, rival: Platform, scene: dict[str, UUID]
) -> None:
    def release() -> None:
        with platform.database.transaction() as session:
            promote(
                session,
                session.get_one(ModelVersion, scene["challenger"]),
                reason="approved",
                rules=platform.rules,
                tiers=platform.tiers,
                actor=load_actor(session, scene["engineer"]),
                at=platform.clock.now(),
            )

    released, raised = at_once(release, lambda: raise_label(rival, scene["steward"]))
    assert raised is None
    assert released is None or isinstance(released, Denied | Conflict)
    no_label_below_its_content(platform)


def test_a_deployment_at_the_same_moment_is_refused_or_found(
    platform: Platform, rival: Platform, scene: dict[str, UUID]
) -> None:
    with platform.database.transaction() as session:
        make = factory_again(session, platform)
        make.champion(session.get_one(ModelVersion, scene["challenger"]))

    def deploy(number: int) -> Callable[[], None]:
        def act() -> None:
            with platform.database.transaction() as session:
                make = factory_again(session, platform)
                model = session.get_one(RegisteredModel, scene["model"])
                place = session.get_one(Environment, scene["place"])
                make.deployment(model, place, name=f"new-{number}")

        return act

    calls = [deploy(number) for number in range(ROUNDS)]
    *deployed, raised = at_once(*calls, lambda: raise_label(rival, scene["steward"]))
    assert raised is None
    assert all(one is None or isinstance(one, Denied) for one in deployed)
    no_label_below_its_content(platform)


def test_two_that_raise_at_the_same_moment_both_count(
    platform: Platform, rival: Platform, scene: dict[str, UUID]
) -> None:
    german = replace(RESTRICTED, residency=frozenset({"de"}))
    for label in (RESTRICTED, german):
        assert platform.rules.scheme.dominates(german, label)
    first, second = at_once(
        lambda: raise_label(platform, scene["steward"], RESTRICTED),
        lambda: raise_label(rival, scene["steward"], german),
    )
    assert second is None  # the higher one always holds; the lower one may come too late
    assert first is None or "a label only rises" in str(first)
    with platform.database.reading() as session:
        challenger = session.get_one(ModelVersion, scene["challenger"])
        assert load_label(session, challenger.label_id) == german


def test_of_many_workers_one_stops_a_deployment(
    platform: Platform, rival: Platform, scene: dict[str, UUID]
) -> None:
    with platform.database.transaction() as session:
        factory_again(session, platform).champion(
            session.get_one(ModelVersion, scene["challenger"])
        )
    raise_label(platform, scene["steward"])
    late = platform.clock.now() + timedelta(days=2)

    def stop(one: Platform) -> Callable[[], int]:
        def act() -> int:
            with one.database.transaction() as session:
                return stop_due(session, rules=one.rules, at=late)

        return act

    assert sorted(map(str, at_once(stop(platform), stop(rival)))) == ["0", "1"]
    with platform.database.reading() as session:
        breach = session.scalars(select(Breach)).one()
        assert breach.stopped_at == late
        assert session.get_one(Deployment, scene["deployment"]).state == "stopped"
