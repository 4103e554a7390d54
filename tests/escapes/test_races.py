"""Ways to slip through between a question and its answer: two things at the same moment."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.access import find_principal
from bailiwick.core.errors import Conflict
from bailiwick.db import Database, make_engine
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.promotion import ask_for_approval, promote
from bailiwick.lifecycle.relabelling import relabel_dataset
from bailiwick.lineage import DatasetVersion, find_dataset
from bailiwick.policy import (
    ApprovalRequest,
    ApprovalVote,
    DeniedByPolicy,
    decide_approval,
    load_actor,
    load_label,
)
from bailiwick.registry import (
    CHAMPION,
    Breach,
    Deployment,
    Environment,
    ModelVersion,
    RegisteredModel,
    create_deployment,
    pointed_at,
    set_deployment_state,
    start_deployment,
)
from factories import PURPOSE, Factory
from support.api_world import SECRET
from support.escapes import arrived, founded, label_of, rows
from support.lifecycle_world import at_once, factory_again

Call = Callable[[Platform, Session], Any]


@pytest.fixture
def made(platform: Platform) -> Platform:
    """A model that may hold secrets, its first version approved, a place for confidential ones."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        model = make.model(label=SECRET)
        data = make.dataset_version(make.dataset(), rows=60)
        version = make.model_version(model, data)
        make.environment()
        request = ask_for_approval(
            session,
            version,
            rules=platform.rules,
            tiers=platform.tiers,
            actor=make.actor(make.engineer),
            at=make.at,
        )
        make.principal("steward", "steward")
        make.principal("second", "approver")
        _decide(platform, session, request, make.approver.id)
    return platform


def together(platform: Platform, *calls: Call) -> list[Any]:
    """Each in a transaction of a process of its own, all begun at the same moment."""
    others = [
        replace(platform, database=Database(make_engine(platform.settings.resolved_database_url)))
        for _ in calls
    ]

    def begin(call: Call, other: Platform) -> Callable[[], Any]:
        def run() -> Any:
            with other.database.transaction() as session:
                return call(other, session)

        return run

    answers = at_once(*(begin(*pair) for pair in zip(calls, others, strict=True)))
    for other in others:
        other.database.close()
    return answers


def rise(platform: Platform, session: Session) -> None:
    """The steward raises the data's label."""
    make = factory_again(session, platform)
    steward = load_actor(session, _named(session, "steward"))
    by: Any = {"rules": platform.rules, "actor": steward, "at": make.at}
    dataset = find_dataset(session, "finance", "purchases")
    relabel_dataset(session, dataset, SECRET, reason="health data", **by)


def promoted(platform: Platform, session: Session) -> None:
    """The engineer promotes the approved version."""
    make = factory_again(session, platform)
    promote(
        session,
        session.scalars(select(ModelVersion)).one(),
        reason="x",
        rules=platform.rules,
        tiers=platform.tiers,
        actor=make.actor(make.engineer),
        at=make.at,
    )


def deployed(platform: Platform, session: Session) -> None:
    """The engineer deploys the champion where confidential data may be."""
    make = factory_again(session, platform)
    create_deployment(
        session,
        session.scalars(select(RegisteredModel)).one(),
        session.scalars(select(Environment)).one(),
        namespace="finance",
        name="cards",
        purpose=PURPOSE,
        keeps_text=False,
        pinned=None,
        rules=platform.rules,
        actor=make.actor(make.engineer),
        at=make.at,
    )


def trained(platform: Platform, session: Session) -> None:
    """The engineer trains another version on the data."""
    make = factory_again(session, platform)
    model = session.scalars(select(RegisteredModel)).one()
    data = session.scalars(select(DatasetVersion)).one()
    make.model_version(model, data)


def labels_hold(platform: Platform) -> None:
    """Nothing ranks below what it was made from, and nothing runs where it may not."""
    scheme = platform.rules.scheme
    with platform.database.reading() as session:
        data = load_label(session, session.scalars(select(DatasetVersion)).one().label_id)
        assert data == SECRET
        for version in session.scalars(select(ModelVersion)):
            assert scheme.dominates(load_label(session, version.label_id), data)
        for deployment in session.scalars(select(Deployment)):
            assert scheme.dominates(load_label(session, deployment.label_id), data)


def test_promoting_while_the_label_rises(made: Platform) -> None:
    """Either the approval was of this label, or it is void: never a champion nobody approved."""
    answers = together(made, promoted, rise)
    assert answers[1] is None
    with made.database.reading() as session:
        champion = pointed_at(session, session.scalars(select(RegisteredModel.id)).one(), CHAMPION)
    assert (champion is None) == isinstance(answers[0], DeniedByPolicy), answers[0]
    labels_hold(made)


def test_training_while_the_label_rises(made: Platform) -> None:
    answers = together(made, trained, rise)
    assert answers == [None, None]
    labels_hold(made)


def test_deploying_while_the_label_rises(made: Platform) -> None:
    """Either it is refused, or it is found out of policy by whoever raised the label."""
    with made.database.transaction() as session:
        promoted(made, session)
    answers = together(made, deployed, rise)
    assert answers[1] is None
    labels_hold(made)
    with made.database.reading() as session:
        running = session.scalar(select(func.count()).select_from(Deployment))
        breaches = session.scalars(select(Breach)).all()
    assert running == len(breaches)
    assert (running == 0) == isinstance(answers[0], DeniedByPolicy)


def test_starting_while_a_higher_version_is_promoted(made: Platform) -> None:
    with made.database.transaction() as session:
        promoted(made, session)
        deployed(made, session)
        make = factory_again(session, made)
        deployment = session.scalars(select(Deployment)).one()
        set_deployment_state(session, deployment, "stopped", actor_id=make.engineer.id, at=make.at)
        data = make.dataset_version(make.dataset("secrets", label=SECRET), rows=60, seed=5)
        higher = make.model_version(session.scalars(select(RegisteredModel)).one(), data)
        higher_id = higher.id

    def start(platform: Platform, session: Session) -> None:
        make = factory_again(session, platform)
        deployment = session.scalars(select(Deployment)).one()
        actor = make.actor(make.engineer)
        start_deployment(session, deployment, rules=platform.rules, actor=actor, at=make.at)

    def crown(platform: Platform, session: Session) -> None:
        make = factory_again(session, platform)
        make.champion(session.get_one(ModelVersion, higher_id))

    answers = together(made, start, crown)
    with made.database.reading() as session:
        deployment = session.scalars(select(Deployment)).one()
        champion = pointed_at(session, deployment.model_id, CHAMPION)
        assert champion is not None
        served = load_label(session, champion.label_id)
        runs = deployment.state == "active"
    assert not (runs and served == SECRET), answers
    assert any(isinstance(answer, DeniedByPolicy) for answer in answers)


def test_two_copies_that_arrive_at_the_same_moment(platform: Platform) -> None:
    """One under a high label, one under a low: neither is there when the other looks."""
    world = founded(platform)
    csv = rows("Twin")

    def bring(name: str, level: str) -> Callable[[], Any]:
        return lambda: arrived(world, f"finance/{name}", label=label_of(level), csv=csv)

    with world.client:
        answers = at_once(bring("low", "internal"), bring("high", "restricted"))
    assert not any(isinstance(answer, Exception) for answer in answers), answers
    for name in ("low", "high"):
        told = world.get(f"/datasets/finance/{name}/versions/1").json()
        assert told["label"]["level"] == "restricted"


def test_one_person_who_answers_twice_at_the_same_moment(made: Platform) -> None:
    with made.database.transaction() as session:
        make = factory_again(session, made)
        model = session.scalars(select(RegisteredModel)).one()
        data = session.scalars(select(DatasetVersion)).one()
        version = make.model_version(model, data, risk_tier="high")
        request_id = ask_for_approval(
            session,
            version,
            rules=made.rules,
            tiers=made.tiers,
            actor=make.actor(make.engineer),
            at=make.at,
        ).id

    def answer(platform: Platform, session: Session) -> None:
        request = session.get_one(ApprovalRequest, request_id)
        _decide(platform, session, request, _named(session, "second"))

    answers = together(made, answer, answer)
    assert sorted(type(one).__name__ for one in answers) == ["Conflict", "NoneType"]
    assert any(isinstance(one, Conflict) for one in answers)
    with made.database.reading() as session:
        assert session.get_one(ApprovalRequest, request_id).state == "open"
        votes = select(func.count()).where(ApprovalVote.request_id == request_id)
        assert session.scalar(votes) == 1


def _decide(platform: Platform, session: Session, request: ApprovalRequest, who: Any) -> None:
    decide_approval(
        session,
        request,
        rules=platform.rules,
        approve=True,
        comment="",
        actor=load_actor(session, who),
        at=platform.clock.now(),
    )


def _named(session: Session, name: str) -> Any:
    return find_principal(session, name).id
