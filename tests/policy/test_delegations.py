"""A voice that is lent: it counts once, whoever uses it, and only while its owner could."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bailiwick.access import Principal, disable, find_principal, revoke_role
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.policy import (
    ApprovalRequest,
    ApprovalVote,
    Decision,
    Delegation,
    DeniedByPolicy,
    HiddenByPolicy,
    Subject,
    count_approvals,
    decide_approval,
    intern_label,
    record_denial,
    request_approval,
)
from bailiwick.policy.delegations import MAX_LENT, lend_voice, standing_of, take_back_voice
from factories import CONFIDENTIAL, Factory

WEEK = timedelta(days=7)


@pytest.fixture
def subject(make: Factory) -> Subject:
    label_id = intern_label(make.session, CONFIDENTIAL)
    return Subject("model-version", uuid4(), "a" * 64, "finance", label_id)


@pytest.fixture
def colleague(make: Factory) -> Principal:
    """Somebody who is no approver."""
    return make.principal("colleague", "steward")


def asked(make: Factory, subject: Subject, *, required: int = 1, **more: Any) -> ApprovalRequest:
    return request_approval(
        make.session,
        subject,
        purpose="promote",
        required=required,
        actor=make.actor(more.get("by", make.engineer)),
        at=make.at,
    )


def lent(make: Factory, lender: Principal, to: Principal | str, **more: Any) -> Delegation:
    return lend_voice(
        make.session,
        to if isinstance(to, str) else to.name,
        namespace=more.get("namespace", "finance"),
        reason=more.get("reason", "on leave"),
        since=more.get("since"),
        until=more.get("until", make.at + WEEK),
        rules=make.platform.rules,
        actor=make.actor(lender),
        at=make.at,
    )


def vote(
    make: Factory, request: ApprovalRequest, by: Principal, voice: Principal | None = None, **m: Any
) -> ApprovalRequest:
    return decide_approval(
        make.session,
        request,
        rules=make.platform.rules,
        approve=True,
        comment="",
        actor=make.actor(by),
        at=m.get("at", make.at),
        voice_id=voice.id if voice else None,
    )


def votes(request: ApprovalRequest) -> list[tuple[UUID, UUID]]:
    return [(vote.approver_id, vote.voice_id) for vote in request.votes]


def test_a_lent_voice_is_used_in_both_names(
    make: Factory, session: Session, subject: Subject, colleague: Principal
) -> None:
    request = asked(make, subject)
    with pytest.raises(DeniedByPolicy):
        vote(make, request, colleague)
    lent(make, make.approver, colleague)
    assert vote(make, request, colleague, make.approver).state == "approved"
    assert votes(request) == [(colleague.id, make.approver.id)]
    assert count_approvals(session, subject, purpose="promote", at=make.at) == 1
    decided = session.scalars(select(Decision).where(Decision.action == "approval:decide")).one()
    assert decided.principal_id == colleague.id
    assert "approver" in decided.actor_facts["roles"]["finance"]


def test_with_one_voice_to_use_it_need_not_be_named(
    make: Factory, subject: Subject, colleague: Principal
) -> None:
    lent(make, make.approver, colleague)
    request = asked(make, subject)
    vote(make, request, colleague)
    assert votes(request) == [(colleague.id, make.approver.id)]


def test_an_approver_who_was_lent_a_voice_says_which_one_they_use(
    make: Factory, subject: Subject
) -> None:
    other = make.principal("other", "approver")
    lent(make, make.approver, other)
    request = asked(make, subject, required=2)
    with pytest.raises(Invalid, match="say which one"):
        vote(make, request, other)
    vote(make, request, other, other)
    assert votes(request) == [(other.id, other.id)]


@pytest.mark.parametrize("first", ["own", "lent"])
def test_nobody_answers_as_themselves_and_as_a_delegate(
    make: Factory, subject: Subject, first: str
) -> None:
    other = make.principal("other", "approver")
    lent(make, make.approver, other)
    request = asked(make, subject, required=2)
    voices = [other, make.approver] if first == "own" else [make.approver, other]
    vote(make, request, other, voices[0])
    with pytest.raises(Conflict, match="have answered this request already"):
        vote(make, request, other, voices[1])
    assert request.state == "open"


def test_one_voice_is_not_used_by_two_delegates(
    make: Factory, subject: Subject, colleague: Principal
) -> None:
    second = make.principal("second", "steward")
    lent(make, make.approver, colleague)
    lent(make, make.approver, second)
    request = asked(make, subject, required=2)
    vote(make, request, colleague)
    with pytest.raises(Conflict, match="have answered this request already"):
        vote(make, request, second)


@pytest.mark.parametrize("first", ["lender", "delegate"])
def test_nor_by_its_owner_and_a_delegate(
    make: Factory, subject: Subject, colleague: Principal, first: str
) -> None:
    lent(make, make.approver, colleague)
    request = asked(make, subject, required=2)
    people = [make.approver, colleague]
    one, other = people if first == "lender" else people[::-1]
    vote(make, request, one, make.approver)
    with pytest.raises(Conflict, match="have answered this request already"):
        vote(make, request, other, make.approver)


def test_two_who_swap_their_voices_are_not_four(make: Factory, subject: Subject) -> None:
    other = make.principal("other", "approver")
    lent(make, make.approver, other)
    lent(make, other, make.approver)
    request = asked(make, subject, required=2)
    vote(make, request, other, make.approver)
    for voice in (make.approver, other):
        with pytest.raises(Conflict, match="have answered this request already"):
            vote(make, request, make.approver, voice)
    assert request.state == "open"


def test_two_people_with_two_voices_are_two(
    make: Factory, session: Session, subject: Subject, colleague: Principal
) -> None:
    lent(make, make.approver, colleague)
    request = asked(make, subject, required=2)
    vote(make, request, colleague)
    assert vote(make, request, make.principal("other", "approver")).state == "approved"
    assert count_approvals(session, subject, purpose="promote", at=make.at) == 2


def test_a_voice_used_in_two_requests_counts_once(
    make: Factory, session: Session, subject: Subject, colleague: Principal
) -> None:
    lent(make, make.approver, colleague)
    vote(make, asked(make, subject), colleague)
    vote(make, asked(make, subject), make.approver)
    assert len(session.scalars(select(ApprovalVote)).all()) == 2
    assert count_approvals(session, subject, purpose="promote", at=make.at) == 1


def forged(request: ApprovalRequest, approver: Principal, voice: Principal) -> ApprovalVote:
    return ApprovalVote(
        request_id=request.id,
        requested_by=request.requested_by,
        trained_by=request.trained_by,
        approver_id=approver.id,
        voice_id=voice.id,
        vouched_by=[],
        approve=True,
        comment="",
        at=request.created_at,
    )


def test_the_database_itself_refuses_a_voice_that_spoke_and_those_of_requester_and_maker(
    make: Factory, session: Session, subject: Subject, colleague: Principal
) -> None:
    request = asked(make, subject, required=2)
    session.add(forged(request, colleague, make.approver))
    session.flush()
    other, third = make.principal("other", "approver"), make.principal("third", "approver")
    for approver, voice in (
        (other, make.approver),
        (colleague, other),
        (make.engineer, other),
        (third, make.engineer),
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(forged(request, approver, voice))
    session.add(forged(request, third, third))
    session.flush()


def test_neither_requester_nor_maker_speaks_with_a_lent_voice(
    make: Factory, subject: Subject
) -> None:
    lent(make, make.approver, make.engineer)
    with pytest.raises(DeniedByPolicy) as refused:
        vote(make, asked(make, subject), make.engineer, make.approver)
    assert refused.value.details["policies"] == ["four-eyes"]


def test_nor_is_their_voice_used_by_others(
    make: Factory, session: Session, subject: Subject, colleague: Principal
) -> None:
    both = make.principal("both", "engineer", "approver")
    lent(make, both, colleague)
    with pytest.raises(DeniedByPolicy) as refused:
        vote(make, asked(make, subject, by=both), colleague, both)
    assert refused.value.details["policies"] == ["four-eyes"]
    assert "The voice that was lent does not count here now" in str(refused.value)
    record_denial(session, refused.value)
    session.flush()
    denied = session.scalars(select(Decision).where(Decision.allowed.is_(False))).one()
    assert denied.principal_id == colleague.id


def test_a_voice_is_worth_what_its_owner_may_at_that_very_moment(
    make: Factory, session: Session, subject: Subject, colleague: Principal
) -> None:
    lent(make, make.approver, colleague)
    revoke_role(
        session, make.approver, "approver", namespace="*", actor_id=make.root.id, at=make.at
    )
    with pytest.raises(DeniedByPolicy):
        vote(make, asked(make, subject), colleague, make.approver)


def test_nor_does_the_voice_of_somebody_who_is_gone_count(
    make: Factory, session: Session, subject: Subject, colleague: Principal
) -> None:
    lent(make, make.approver, colleague)
    disable(session, make.approver, actor_id=make.root.id, at=make.at)
    with pytest.raises(DeniedByPolicy):
        vote(make, asked(make, subject), colleague, make.approver)


def test_the_delegate_must_be_cleared_for_it_and_so_must_the_lender(
    make: Factory, subject: Subject
) -> None:
    low = make.principal("low", "steward", clearance="internal")
    lent(make, make.approver, low)
    with pytest.raises(HiddenByPolicy):
        vote(make, asked(make, subject), low, make.approver)
    lower = make.principal("lower", "approver", clearance="internal")
    other = make.principal("other", "steward")
    lent(make, lower, other)
    with pytest.raises(DeniedByPolicy) as refused:
        vote(make, asked(make, subject), other, lower)
    assert refused.value.details["policies"] == ["no-read-up"]


def test_a_voice_reaches_the_namespace_that_it_was_lent_for(
    make: Factory, subject: Subject, colleague: Principal
) -> None:
    request = asked(make, subject)
    lent(make, make.approver, colleague, namespace="people")
    with pytest.raises(Conflict, match="not lent to you for this now"):
        vote(make, request, colleague, make.approver)
    lent(make, make.approver, colleague, namespace="*")
    assert vote(make, request, colleague, make.approver).state == "approved"


def test_it_is_lent_from_then_until_then_and_can_be_taken_back(
    make: Factory, subject: Subject, colleague: Principal
) -> None:
    request = asked(make, subject)
    day = timedelta(days=1)
    loan = lent(make, make.approver, colleague, since=make.at + day, until=make.at + 2 * day)
    for moment, state in ((make.at, "ahead"), (make.at + 2 * day, "over")):
        assert standing_of(loan, moment) == state
        with pytest.raises(Conflict, match="not lent to you for this now"):
            vote(make, request, colleague, make.approver, at=moment)
    assert standing_of(loan, make.at + day) == "standing"
    common: Any = {"rules": make.platform.rules, "at": make.at}
    with pytest.raises(DeniedByPolicy):
        take_back_voice(make.session, loan, actor=make.actor(colleague), **common)
    for _ in range(2):
        take_back_voice(make.session, loan, actor=make.actor(make.approver), **common)
    assert standing_of(loan, make.at + day) == "revoked"
    with pytest.raises(Conflict, match="not lent to you for this now"):
        vote(make, request, colleague, make.approver, at=make.at + day)
    actions = make.session.scalars(
        select(AuditEvent.action).where(AuditEvent.subject_id == str(loan.id))
    )
    assert list(actions) == ["delegation.created", "delegation.revoked"]


def test_what_was_lent_cannot_be_lent_on(
    make: Factory, subject: Subject, colleague: Principal
) -> None:
    third = make.principal("third", "steward")
    lent(make, make.approver, colleague)
    with pytest.raises(DeniedByPolicy):
        lent(make, colleague, third)  # who is no approver has no voice to lend
    other = make.principal("other", "approver")
    lent(make, make.approver, other)
    lent(make, other, third)
    request = asked(make, subject, required=2)
    with pytest.raises(Conflict, match="not lent to you for this now"):
        vote(make, request, third, make.approver)
    vote(make, request, third, other)
    assert votes(request) == [(third.id, other.id)]


def test_a_service_uses_no_voice_and_lends_none(make: Factory) -> None:
    robot = make.principal("robot", "approver", "service", kind="service")
    with pytest.raises(NotFound, match="no person 'robot'"):
        lent(make, make.approver, robot)
    helper = make.principal("helper", "steward")
    lent(make, robot, helper)
    label_id = intern_label(make.session, CONFIDENTIAL)
    subject = Subject("model-version", uuid4(), "a" * 64, "finance", label_id)
    with pytest.raises(DeniedByPolicy) as refused:
        vote(make, asked(make, subject), helper, robot)
    assert refused.value.details["policies"] == ["services-never-approve"]


@pytest.mark.parametrize("role", ["admin", "steward", "engineer", "auditor"])
def test_only_approvers_have_a_voice_to_lend(
    make: Factory, colleague: Principal, role: str
) -> None:
    with pytest.raises(DeniedByPolicy):
        lent(make, make.principal("x", role), colleague)


def test_an_auditor_only_reads_whoever_lends_them_a_voice(make: Factory, subject: Subject) -> None:
    auditor = make.principal("auditor", "auditor")
    lent(make, make.approver, auditor)
    with pytest.raises(DeniedByPolicy) as refused:
        vote(make, asked(make, subject), auditor, make.approver)
    assert refused.value.details["policies"] == ["auditors-only-read"]


def test_it_is_lent_to_another_person_who_can_read_what_they_decide(make: Factory) -> None:
    with pytest.raises(Conflict, match="yours already"):
        lent(make, make.approver, make.approver)
    with pytest.raises(NotFound, match="no person 'nobody'"):
        lent(make, make.approver, "nobody")
    stranger = make.principal("stranger")
    with pytest.raises(Invalid, match="could not read what they would decide"):
        lent(make, make.approver, stranger)
    disable(make.session, stranger, actor_id=make.root.id, at=make.at)
    with pytest.raises(NotFound):
        lent(make, make.approver, stranger)
    assert find_principal(make.session, "stranger") is stranger


TOO_LONG = MAX_LENT.days + 1


@pytest.mark.parametrize("days", [(0, 0), (0, -1), (3, 2), (0, TOO_LONG)])
def test_a_voice_is_lent_for_a_time(
    make: Factory, colleague: Principal, days: tuple[int, int]
) -> None:
    since, until = (make.at + timedelta(days=n) for n in days)
    with pytest.raises(Invalid, match="at most 90 days"):
        lent(make, make.approver, colleague, since=since, until=until)


def test_and_for_a_reason(make: Factory, colleague: Principal) -> None:
    with pytest.raises(Invalid, match="say why"):
        lent(make, make.approver, colleague, reason=" ")
