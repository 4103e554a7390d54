"""Deadlines, comments, withdrawals, and answers that count for nothing."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.policy import (
    ApprovalComment,
    ApprovalRequest,
    DeniedByPolicy,
    HiddenByPolicy,
    Subject,
    comment_on_approval,
    count_approvals,
    decide_approval,
    intern_label,
    request_approval,
    standing_state,
    why_void,
    withdraw_approval,
)
from bailiwick.policy.approvals import LIFETIME, MAX_LIFETIME, stands
from factories import CONFIDENTIAL, Factory

OPEN_LABEL = replace(CONFIDENTIAL, level="public", compartments=frozenset())


@pytest.fixture
def subject(make: Factory) -> Subject:
    label_id = intern_label(make.session, CONFIDENTIAL)
    return Subject("model-version", uuid4(), "a" * 64, "finance", label_id)


def asked(make: Factory, subject: Subject, **deadline: timedelta) -> ApprovalRequest:
    return request_approval(
        make.session,
        subject,
        purpose="promote",
        required=1,
        actor=make.actor(make.engineer),
        at=make.at,
        expires_at=make.at + deadline["within"] if deadline else None,
    )


def approved(make: Factory, request: ApprovalRequest, subject: Subject | None = None) -> None:
    decide_approval(
        make.session,
        request,
        rules=make.platform.rules,
        approve=True,
        comment="",
        actor=make.actor(make.approver),
        at=make.at,
        subject=subject,
    )


def withdrawn(make: Factory, request: ApprovalRequest, by: str = "engineer") -> ApprovalRequest:
    actor = make.actor(make.engineer if by == "engineer" else make.principal(by, by))
    return withdraw_approval(
        make.session, request, rules=make.platform.rules, actor=actor, at=make.at
    )


def test_the_deadline_can_be_chosen_within_limits(make: Factory, subject: Subject) -> None:
    assert asked(make, subject).expires_at == make.at + LIFETIME
    other = replace(subject, id=uuid4())
    assert asked(make, other, within=MAX_LIFETIME).expires_at == make.at + MAX_LIFETIME
    for within in (timedelta(0), -timedelta(1), MAX_LIFETIME + timedelta(seconds=1)):
        with pytest.raises(Invalid, match="at most 90 days"):
            asked(make, subject, within=within)


def test_what_is_past_its_deadline_is_shown_as_expired_and_found_as_such(
    make: Factory, session: Session, subject: Subject
) -> None:
    request = asked(make, subject, within=timedelta(hours=1))
    later = make.at + timedelta(hours=1)
    for at, state in ((make.at, "open"), (later, "expired")):
        assert standing_state(request, at) == state
        for other in ("open", "expired", "approved", "rejected", "withdrawn"):
            found = session.scalars(select(ApprovalRequest).where(stands(other, at))).all()
            assert found == ([request] if other == state else [])


def test_who_asked_takes_the_question_back(make: Factory, subject: Subject) -> None:
    request = withdrawn(make, asked(make, subject))
    assert request.state == "withdrawn"
    with pytest.raises(Conflict, match="withdrawn already"):
        approved(make, request)
    with pytest.raises(Conflict, match="withdrawn already"):
        withdrawn(make, request)
    assert count_approvals(make.session, subject, purpose="promote", at=make.at) == 0
    assert asked(make, subject).id != request.id


def test_nobody_else_takes_it_back(make: Factory, subject: Subject) -> None:
    request = asked(make, subject)
    with pytest.raises(Conflict, match="only who asked"):
        withdrawn(make, request, by="steward")
    with pytest.raises(DeniedByPolicy):
        withdrawn(make, request, by="auditor")
    assert request.state == "open"


def test_what_was_approved_is_not_taken_back(make: Factory, subject: Subject) -> None:
    request = asked(make, subject)
    approved(make, request)
    with pytest.raises(Conflict, match="approved already"):
        withdrawn(make, request)


@pytest.mark.parametrize("what", ["digest", "label"])
def test_answers_about_what_has_changed_are_void_and_say_why(
    make: Factory, session: Session, subject: Subject, what: str
) -> None:
    request, other = asked(make, subject), intern_label(session, OPEN_LABEL)
    changed = {
        "digest": replace(subject, digest="b" * 64),
        "label": replace(subject, label_id=other),
    }[what]
    assert why_void(request, subject) is None
    assert why_void(request, None) is None
    reason = why_void(request, changed)
    assert reason is not None
    assert ("label" in reason) == (what == "label")
    with pytest.raises(Conflict, match="is void: it"):
        approved(make, request, changed)
    approved(make, request, subject)
    assert count_approvals(session, subject, purpose="promote", at=make.at) == 1
    assert count_approvals(session, changed, purpose="promote", at=make.at) == 0


def said(
    make: Factory, request: ApprovalRequest, text: str = "looked at it", by: str = "engineer"
) -> ApprovalComment:
    actor = make.actor(make.engineer if by == "engineer" else make.principal(by, by))
    return comment_on_approval(
        make.session, request, text, rules=make.platform.rules, actor=actor, at=make.at
    )


@pytest.mark.parametrize("role", ["service", "steward", "admin"])
def test_people_who_work_there_comment_before_and_after(
    make: Factory, subject: Subject, role: str
) -> None:
    request = asked(make, subject)
    first = said(make, request, "  which rows did you leave out? ", by=role)
    assert first.text == "which rows did you leave out?"
    approved(make, request)
    second = said(make, request)
    comments = make.session.scalars(select(ApprovalComment).order_by(ApprovalComment.id))
    assert list(comments) == [first, second]


def test_comments_have_words_and_are_not_quoted_in_the_log(
    make: Factory, session: Session, subject: Subject
) -> None:
    request = asked(make, subject)
    with pytest.raises(Invalid, match="needs words"):
        said(make, request, " \n")
    said(make, request, "row 17 names a patient")
    events = session.scalars(select(AuditEvent).where(AuditEvent.action == "approval.commented"))
    (body,) = [event.body for event in events]
    assert b"patient" not in body


def test_auditors_do_not_comment_and_strangers_do_not_know_of_it(
    make: Factory, subject: Subject
) -> None:
    request = asked(make, subject)
    with pytest.raises(DeniedByPolicy):
        said(make, request, by="auditor")
    with pytest.raises(HiddenByPolicy):
        comment_on_approval(
            make.session,
            request,
            "hello",
            rules=make.platform.rules,
            actor=make.actor(make.principal("low", "engineer", clearance="public")),
            at=make.at,
        )
