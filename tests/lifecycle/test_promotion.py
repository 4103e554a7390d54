"""Promotion and rollback: gates, four eyes and labels hold, whoever asks, however many at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bailiwick.access import Principal
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Conflict, Denied
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.promotion import (
    PURPOSE,
    ask_for_approval,
    evaluation_of,
    promote,
    roll_back,
)
from bailiwick.lineage import DatasetVersion
from bailiwick.policy import (
    ApprovalRequest,
    Decision,
    count_approvals,
    decide_approval,
    load_actor,
)
from bailiwick.policy.approvals import LIFETIME
from bailiwick.policy.tables import ApprovalVote
from bailiwick.registry import (
    CHALLENGER,
    CHAMPION,
    AliasMove,
    Environment,
    ModelVersion,
    RegisteredModel,
    pointed_at,
    version_subject,
)
from factories import CONFIDENTIAL, Factory
from support.lifecycle_world import at_once, audited

RESTRICTED = replace(CONFIDENTIAL, level="restricted")


@pytest.fixture
def data(make: Factory) -> DatasetVersion:
    return make.dataset_version(make.dataset())


def promoted(make: Factory, version: ModelVersion, who: Principal, **mandate: bool) -> None:
    promote(
        make.session,
        version,
        reason="asked for",
        rules=make.platform.rules,
        tiers=make.platform.tiers,
        actor=make.actor(who),
        at=make.at,
        **mandate,
    )


def asked(make: Factory, version: ModelVersion, who: Principal) -> ApprovalRequest:
    return ask_for_approval(
        make.session,
        version,
        rules=make.platform.rules,
        tiers=make.platform.tiers,
        actor=make.actor(who),
        at=make.at,
    )


def answered(make: Factory, request: ApprovalRequest, who: Principal, *, yes: bool = True) -> None:
    decide_approval(
        make.session,
        request,
        rules=make.platform.rules,
        approve=yes,
        comment="",
        actor=make.actor(who),
        at=make.at,
    )


CALLERS: dict[str, Callable[[Factory], Principal]] = {
    "engineer": lambda make: make.engineer,
    "admin": lambda make: make.principal("boss", "admin"),
    "service": lambda make: make.principal("robot", "service", kind="service"),
    "everything": lambda make: make.principal("all", "admin", "engineer", "approver", "steward"),
}


@pytest.mark.parametrize("caller", CALLERS)
def test_nobody_promotes_what_failed_its_gates(
    make: Factory, session: Session, data: DatasetVersion, caller: str
) -> None:
    version = make.model_version(make.model(), data, accuracy=0.2)
    evaluation = evaluation_of(session, version)
    assert evaluation is not None
    assert evaluation.reasons[0] == "accuracy 0.200 is below 0.300"
    who = CALLERS[caller](make)
    for mandate in (False, True):
        with pytest.raises(Denied) as refused:
            promoted(make, version, who, mandate=mandate)
        assert "promotion-needs-gates" in refused.value.details["policies"]  # type: ignore[operator]
    assert pointed_at(session, version.model_id, CHAMPION) is None


def test_there_is_nothing_to_approve_about_what_failed_its_gates(
    make: Factory, data: DatasetVersion
) -> None:
    version = make.model_version(make.model(), data, accuracy=0.2)
    with pytest.raises(Conflict, match="has not passed its gates"):
        asked(make, version, make.engineer)


@pytest.mark.parametrize("caller", CALLERS)
def test_nobody_promotes_by_hand_what_nobody_else_approved(
    make: Factory, session: Session, data: DatasetVersion, caller: str
) -> None:
    version = make.model_version(make.model(), data)
    with pytest.raises(Denied) as refused:
        promoted(make, version, CALLERS[caller](make))
    assert refused.value.details["policies"] == ["promotion-needs-approvals"]
    assert pointed_at(session, version.model_id, CHAMPION) is None
    assert pointed_at(session, version.model_id, CHALLENGER) is version


@pytest.mark.parametrize("role", ["auditor", "approver", "steward"])
def test_roles_that_do_not_operate_cannot_promote_even_what_was_approved(
    make: Factory, data: DatasetVersion, role: str
) -> None:
    version = make.model_version(make.model(), data)
    answered(make, asked(make, version, make.engineer), make.approver)
    with pytest.raises(Denied):
        promoted(make, version, make.principal("onlooker", role))
    promoted(make, version, make.engineer)


def test_a_rejection_rejects_and_an_approval_runs_out(
    make: Factory, data: DatasetVersion, clock: ReplayClock
) -> None:
    version = make.model_version(make.model(), data)
    request = asked(make, version, make.engineer)
    answered(make, request, make.approver, yes=False)
    assert request.state == "rejected"
    with pytest.raises(Denied):
        promoted(make, version, make.engineer)
    answered(make, asked(make, version, make.engineer), make.approver)
    clock.advance_to(clock.now() + LIFETIME)
    with pytest.raises(Denied):
        promoted(make, version, make.engineer)


def test_what_was_compared_with_a_replaced_champion_is_stale(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    model = make.model()
    make.champion(make.model_version(model, data))
    second = make.model_version(model, data, accuracy=0.85)
    third = make.model_version(model, data, accuracy=0.86)
    make.champion(second)
    with pytest.raises(Conflict, match="compared with a champion that has been replaced since"):
        make.champion(third)
    assert pointed_at(session, model.id, CHAMPION) is second


def test_promoting_the_champion_again_changes_nothing(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    version = make.champion(make.model_version(make.model(), data))
    before = moves(session, version.model)
    promoted(make, version, make.engineer)
    assert moves(session, version.model) == before


def test_a_champion_that_a_followers_environment_is_not_cleared_for_changes_nothing(
    platform: Platform,
) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        model = make.model(label=RESTRICTED)
        first = make.champion(make.model_version(model, make.dataset_version(make.dataset())))
        deployment = make.deployment(model, make.environment(clearance="confidential"))
        secret = make.dataset_version(make.dataset("payroll", label=RESTRICTED), seed=1)
        second = make.model_version(model, secret, accuracy=0.85)
        answered(make, asked(make, second, make.engineer), make.approver)
        engineer, label_id = make.engineer, deployment.label_id
    with pytest.raises(Denied) as refused, platform.database.transaction() as session:
        promoted(Factory(session, platform), second, engineer)
    assert refused.value.details["policies"] == ["no-deploy-up"]
    with platform.database.reading() as session:
        champion = pointed_at(session, model.id, CHAMPION)
        assert champion is not None
        assert champion.id == first.id
        assert session.get_one(type(deployment), deployment.id).label_id == label_id
        allowed = select(Decision).where(
            Decision.action == "version:promote", Decision.resource_id == str(second.id)
        )
        assert session.scalars(allowed).all() == []


def test_who_asked_or_trained_cannot_approve_and_neither_can_a_service(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    version = make.model_version(make.model(), data)
    request = asked(make, version, make.principal("asker", "engineer", "approver"))
    asker = session.get_one(Principal, request.requested_by)
    trainer = make.engineer
    robot = make.principal("robot", "approver", kind="service")
    boss = make.principal("boss", "admin")
    for who, policy in (
        (asker, "four-eyes"),
        (robot, "services-never-approve"),
        (boss, None),
        (trainer, None),
    ):
        with pytest.raises(Denied) as refused:
            answered(make, request, who)
        assert policy is None or policy in refused.value.details["policies"]  # type: ignore[operator]
    assert request.state == "open"


def test_the_database_itself_refuses_a_vote_of_ones_own_and_a_second_one(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    version = make.model_version(make.model(), data)
    request = asked(make, version, make.engineer)
    engineer, approver = make.engineer.id, make.approver.id

    def vote(requested_by: UUID, approver_id: UUID, voice_id: UUID | None = None) -> None:
        with session.begin_nested():
            session.add(
                ApprovalVote(
                    request_id=request.id,
                    requested_by=requested_by,
                    trained_by=request.trained_by,
                    approver_id=approver_id,
                    voice_id=voice_id or approver_id,
                    vouched_by=[],
                    approve=True,
                    comment="",
                    at=make.at,
                )
            )
            session.flush()

    with pytest.raises(IntegrityError, match="four_eyes"):
        vote(engineer, engineer)
    with pytest.raises(IntegrityError, match="four_eyes"):
        vote(engineer, approver, voice_id=engineer)  # with the voice of who asked
    other = make.principal("other", "approver").id
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        vote(approver, other)  # a lie about who asked
    vote(engineer, approver)
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        vote(engineer, approver)


def test_an_approval_is_of_exactly_these_bytes(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    version = make.champion(make.model_version(make.model(), data))
    subject = version_subject(version)
    count: Any = lambda of: count_approvals(session, of, purpose=PURPOSE, at=make.at)  # noqa: E731
    assert count(subject) == 1
    assert count(replace(subject, digest="0" * 64)) == 0
    assert count_approvals(session, subject, purpose="automate", at=make.at) == 0


def moves(session: Session, model: RegisteredModel) -> list[tuple[UUID | None, UUID, str]]:
    query = select(AliasMove).where(AliasMove.model_id == model.id, AliasMove.alias == CHAMPION)
    return [
        (move.old_version_id, move.new_version_id, move.reason)
        for move in session.scalars(query.order_by(AliasMove.id))
    ]


def rolled_back(make: Factory, model: RegisteredModel, who: Principal) -> ModelVersion:
    return roll_back(
        make.session,
        model.id,
        reason="it answers nonsense",
        rules=make.platform.rules,
        actor=make.actor(who),
        at=make.at,
    )


def test_a_rollback_restores_the_previous_champion_and_is_on_record(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    model = make.model()
    first = make.champion(make.model_version(model, data))
    second = make.champion(make.model_version(model, data, accuracy=0.85))
    with pytest.raises(Denied):
        rolled_back(make, model, make.approver)
    assert rolled_back(make, model, make.engineer) is first
    assert pointed_at(session, model.id, CHAMPION) is first
    assert moves(session, model) == [
        (None, first.id, "approved"),
        (first.id, second.id, "approved"),
        (second.id, first.id, "it answers nonsense"),
    ]
    assert audited(session, model.id).count("alias.moved") == 5  # two challengers before
    decided = select(Decision).where(Decision.action == "version:rollback", Decision.allowed)
    assert [decision.resource_id for decision in session.scalars(decided)] == [str(first.id)]


def test_without_a_previous_champion_there_is_nothing_to_go_back_to(
    make: Factory, data: DatasetVersion
) -> None:
    model = make.model()
    make.champion(make.model_version(model, data))
    with pytest.raises(Conflict, match="one champion only"):
        rolled_back(make, model, make.engineer)


def test_a_rollback_does_not_go_where_the_environment_is_not_cleared(
    make: Factory, session: Session
) -> None:
    model = make.model(label=RESTRICTED)
    secret = make.dataset_version(make.dataset("payroll", label=RESTRICTED), seed=1)
    make.champion(make.model_version(model, secret))
    open_data = make.dataset_version(make.dataset())
    second = make.champion(make.model_version(model, open_data, accuracy=0.85))
    environment: Environment = make.environment(clearance="confidential")
    make.deployment(model, environment)
    with pytest.raises(Denied) as refused:
        rolled_back(make, model, make.engineer)
    assert refused.value.details["policies"] == ["no-deploy-up"]
    assert pointed_at(session, model.id, CHAMPION) is second


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told_that_it_is_stale(
    platform: Platform, rival: Platform
) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        model, data = make.model(), make.dataset_version(make.dataset())
        first = make.champion(make.model_version(model, data))
        rivals = [make.model_version(model, data, accuracy=0.85) for _ in range(2)]
        for version in rivals:
            answered(make, asked(make, version, make.engineer), make.approver)
        engineer_id = make.engineer.id

    def attempt(mine: Platform, version_id: UUID) -> UUID:
        with mine.database.transaction() as session:
            promote(
                session,
                session.get_one(ModelVersion, version_id),
                reason="faster",
                rules=mine.rules,
                tiers=mine.tiers,
                actor=load_actor(session, engineer_id),
                at=mine.clock.now(),
            )
        return version_id

    outcomes = at_once(
        lambda: attempt(platform, rivals[0].id), lambda: attempt(rival, rivals[1].id)
    )
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, UUID)]
    (loser,) = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert isinstance(loser, Conflict)
    assert "replaced since" in loser.message
    with platform.database.reading() as session:
        assert [move[:2] for move in moves(session, model)] == [
            (None, first.id),
            (first.id, winner),
        ]
