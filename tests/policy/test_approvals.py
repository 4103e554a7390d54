"""Approvals: other people's answers, kept by the database itself."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from bailiwick.access import Principal
from bailiwick.core.errors import Conflict
from bailiwick.lifecycle import Platform
from bailiwick.policy import (
    ApprovalRequest,
    ApprovalVote,
    DeniedByPolicy,
    Subject,
    count_approvals,
    decide_approval,
    intern_label,
    load_actor,
    request_approval,
)
from bailiwick.policy.approvals import LIFETIME
from factories import CONFIDENTIAL, Factory


@pytest.fixture
def subject(make: Factory) -> Subject:
    """Something to be approved."""
    return Subject(
        "model-version",
        uuid4(),
        "a" * 64,
        "finance",
        intern_label(make.session, CONFIDENTIAL),
    )


def request(make: Factory, subject: Subject, *, required: int = 1, **more: Any) -> ApprovalRequest:
    return request_approval(
        make.session,
        subject,
        purpose="promote",
        required=required,
        actor=make.actor(make.engineer),
        at=more.get("at", make.at),
    )


def vote(
    make: Factory, asked: ApprovalRequest, by: Principal, *, approve: bool = True, **more: Any
) -> ApprovalRequest:
    return decide_approval(
        make.session,
        asked,
        rules=make.platform.rules,
        approve=approve,
        comment="",
        actor=make.actor(by),
        at=more.get("at", make.at),
    )


def counted(make: Factory, subject: Subject, **more: Any) -> int:
    return count_approvals(
        make.session, subject, purpose=more.get("purpose", "promote"), at=more.get("at", make.at)
    )


def test_one_approval_by_another_person_approves(make: Factory, subject: Subject) -> None:
    asked = request(make, subject)
    assert (asked.state, counted(make, subject)) == ("open", 0)
    assert vote(make, asked, make.approver).state == "approved"
    assert counted(make, subject) == 1


def test_two_are_two_different_people(make: Factory, subject: Subject) -> None:
    asked = request(make, subject, required=2)
    assert vote(make, asked, make.approver).state == "open"
    assert counted(make, subject) == 0
    assert vote(make, asked, make.principal("second", "approver")).state == "approved"
    assert counted(make, subject) == 2


def test_the_same_person_answers_once(make: Factory, subject: Subject) -> None:
    asked = request(make, subject, required=2)
    vote(make, asked, make.approver)
    with pytest.raises(Conflict, match="have answered this request already"):
        vote(make, asked, make.approver)


def test_one_rejection_rejects_for_good(make: Factory, subject: Subject) -> None:
    asked = request(make, subject, required=2)
    vote(make, asked, make.approver)
    second = make.principal("second", "approver")
    assert vote(make, asked, second, approve=False).state == "rejected"
    with pytest.raises(Conflict, match="rejected already"):
        vote(make, asked, make.principal("third", "approver"))
    assert counted(make, subject) == 0


@pytest.mark.parametrize("role", ["engineer", "admin", "steward", "auditor"])
def test_only_approvers_decide(make: Factory, subject: Subject, role: str) -> None:
    asked = request(make, subject)
    with pytest.raises(DeniedByPolicy):
        vote(make, asked, make.principal("someone", role))


def test_who_asks_never_approves(make: Factory, subject: Subject) -> None:
    asker = make.principal("both", "engineer", "approver")
    asked = request_approval(
        make.session, subject, purpose="promote", required=1, actor=make.actor(asker), at=make.at
    )
    with pytest.raises(DeniedByPolicy) as refused:
        vote(make, asked, asker)
    assert refused.value.details["policies"] == ["four-eyes"]


def test_who_trained_it_never_approves(make: Factory, subject: Subject) -> None:
    asked = request(make, replace(subject, trained_by=make.approver.id))
    with pytest.raises(DeniedByPolicy) as refused:
        vote(make, asked, make.approver)
    assert refused.value.details["policies"] == ["four-eyes"]


def test_a_service_never_approves(make: Factory, subject: Subject) -> None:
    asked = request(make, subject)
    with pytest.raises(DeniedByPolicy) as refused:
        vote(make, asked, make.principal("robot", "approver", kind="service"))
    assert refused.value.details["policies"] == ["services-never-approve"]


def forged(asked: ApprovalRequest, by: UUID, requested_by: UUID) -> ApprovalVote:
    return ApprovalVote(
        request_id=asked.id,
        requested_by=requested_by,
        trained_by=asked.trained_by,
        approver_id=by,
        voice_id=by,
        vouched_by=[],
        approve=True,
        comment="",
        at=asked.created_at,
    )


def test_the_database_itself_refuses_the_requester(make: Factory, subject: Subject) -> None:
    asked = request(make, subject)
    with pytest.raises(IntegrityError), make.session.begin_nested():
        make.session.add(forged(asked, asked.requested_by, asked.requested_by))


def test_nor_does_it_take_another_name_for_the_requester(make: Factory, subject: Subject) -> None:
    asked = request(make, subject)
    with pytest.raises(IntegrityError), make.session.begin_nested():
        make.session.add(forged(asked, asked.requested_by, make.approver.id))


def test_an_approval_holds_for_exactly_what_was_approved(make: Factory, subject: Subject) -> None:
    vote(make, request(make, subject), make.approver)
    assert counted(make, replace(subject, digest="b" * 64)) == 0
    assert counted(make, replace(subject, id=uuid4())) == 0
    assert counted(make, subject, purpose="automate") == 0


def test_an_approval_runs_out(make: Factory, subject: Subject) -> None:
    vote(make, request(make, subject), make.approver)
    assert counted(make, subject, at=make.at + LIFETIME - timedelta(seconds=1)) == 1
    assert counted(make, subject, at=make.at + LIFETIME) == 0


def test_an_expired_request_cannot_be_answered_and_a_new_one_is_made(
    make: Factory, subject: Subject
) -> None:
    asked = request(make, subject)
    later = make.at + LIFETIME
    with pytest.raises(Conflict, match="expired"):
        vote(make, asked, make.approver, at=later)
    assert request(make, subject, at=later).id != asked.id


def test_asking_again_is_the_same_open_request(make: Factory, subject: Subject) -> None:
    assert request(make, subject).id == request(make, subject).id
    changed = replace(subject, digest="b" * 64)
    assert request(make, changed).id != request(make, subject).id


def test_two_answers_at_the_same_moment_both_count(platform: Platform) -> None:
    """Neither may miss the other and leave a request open that has all its answers."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        people = [make.approver.id, make.principal("second", "approver").id]
        label = intern_label(session, CONFIDENTIAL)
        subject = Subject("model-version", uuid4(), "a" * 64, "finance", label)
        identifier, at = request(make, subject, required=2).id, make.at

    def answer(person: UUID) -> None:
        with platform.database.transaction() as session:
            decide_approval(
                session,
                session.get_one(ApprovalRequest, identifier),
                rules=platform.rules,
                approve=True,
                comment="",
                actor=load_actor(session, person),
                at=at,
            )

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(answer, people))
    with platform.database.reading() as session:
        assert session.get_one(ApprovalRequest, identifier).state == "approved"
