"""Votes: one person's answer to a request for approval, in their own voice or a lent one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.policy.approvals import (
    APPROVED,
    OPEN,
    REJECTED,
    WITHDRAWN,
    approval_resource,
    standing_state,
    why_void,
)
from bailiwick.policy.bundles import Rules
from bailiwick.policy.decisions import Actor, Resource
from bailiwick.policy.delegations import (
    DECIDE,
    circumstances,
    lenders_to,
    lent_on,
    require_lender,
    speaking_for,
    usable_voices,
)
from bailiwick.policy.enforcement import require
from bailiwick.policy.subjects import Subject
from bailiwick.policy.tables import ApprovalComment, ApprovalRequest, ApprovalVote
from bailiwick.policy.waivers import WAIVER, settle_waiver


def decide_approval(
    session: Session,
    request: ApprovalRequest,
    *,
    rules: Rules,
    approve: bool,
    comment: str,
    actor: Actor,
    at: datetime,
    voice_id: UUID | None = None,
    subject: Subject | None = None,
) -> ApprovalRequest:
    """Give one person's answer. One rejection rejects; `required` approvals approve.

    `voice_id`: whose voice is used; it may be left out where only one could be. `subject`: what
    is asked about as it stands now, so that nobody answers what is void. The policy refuses the
    requester, the maker and services, whether they vote or their voice does; the database
    refuses them too, and a person or voice that answers twice. Somebody's own answer and one
    with a token that they made are one answer. The last approval of a waiver lets it act, in
    this transaction.
    """
    session.refresh(request, with_for_update=True)  # two people may answer at the same moment
    resource = approval_resource(session, request)
    voice = _voice(session, resource, voice_id, rules=rules, actor=actor, at=at)
    speaker = speaking_for(actor, voice, resource)
    context = circumstances(rules)
    require(session, rules, actor=speaker, action=DECIDE, resource=resource, context=context, at=at)
    _check_open(request, subject, at)
    heard = why_heard(request, actor, voice)
    if heard is not None:
        raise Conflict(heard)
    session.add(
        ApprovalVote(
            request_id=request.id,
            requested_by=request.requested_by,
            trained_by=request.trained_by,
            approver_id=UUID(actor.id),
            voice_id=UUID(voice.id),
            vouched_by=sorted(actor.vouched_by),
            approve=approve,
            comment=comment,
            at=at,
        )
    )
    session.flush()
    session.refresh(request, ["votes"])
    if not approve:
        request.state = REJECTED
    elif sum(vote.approve for vote in request.votes) >= request.required:
        request.state = APPROVED
    said = {"approve": approve, "voice": voice.id, "vouched_by": sorted(actor.vouched_by)}
    _note(session, request, "approval.decided", actor, at, **said)
    session.flush()
    if request.subject_type == WAIVER and request.state != OPEN:
        settle_waiver(session, request, approved=request.state == APPROVED, actor=actor, at=at)
    return request


def withdraw_approval(
    session: Session, request: ApprovalRequest, *, rules: Rules, actor: Actor, at: datetime
) -> ApprovalRequest:
    """Take the question back; only who asked may."""
    resource = approval_resource(session, request)
    require(session, rules, actor=actor, action="approval:request", resource=resource, at=at)
    session.refresh(request, with_for_update=True)
    if request.requested_by != UUID(actor.id):
        raise Conflict("only who asked may take the question back; reject it instead")
    _check_open(request, None, at)
    request.state = WITHDRAWN
    _note(session, request, "approval.withdrawn", actor, at)
    session.flush()
    if request.subject_type == WAIVER:
        settle_waiver(session, request, approved=False, actor=actor, at=at)
    return request


def comment_on_approval(
    session: Session,
    request: ApprovalRequest,
    text: str,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> ApprovalComment:
    """Say something about a request without deciding it; before or after it is decided."""
    resource = approval_resource(session, request)
    require(session, rules, actor=actor, action="approval:comment", resource=resource, at=at)
    if not text.strip():
        raise Invalid("a comment needs words")
    comment = ApprovalComment(
        request_id=request.id, author_id=UUID(actor.id), text=text.strip(), at=at
    )
    session.add(comment)
    session.flush()
    _note(session, request, "approval.commented", actor, at, comment=str(comment.id))
    return comment


def _voice(
    session: Session,
    resource: Resource,
    voice_id: UUID | None,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Actor:
    """Whose voice is used; where several could be, the actor must have said which."""
    if voice_id == UUID(actor.id):
        return actor
    lenders = lenders_to(session, actor, at=at)
    if voice_id is None and not lenders:
        return actor
    if voice_id is None:
        usable = usable_voices(resource, lenders, rules=rules, actor=actor, at=at)
        if len(usable) > 1:
            raise Invalid(
                "several voices are yours to use here; say which one (voice_id): "
                + ", ".join(f"{voice.id} ({voice.name})" for voice in usable)
            )
        return usable[0] if usable else actor  # the policy says why not
    lent = {voice.id: voice for voice in lent_on(resource, lenders)}
    voice = lent.get(str(voice_id))
    if voice is None:
        raise Conflict(
            "that voice is not lent to you for this now; leave voice_id out to use your own, or "
            "ask its owner to lend it"
        )
    require_lender(rules, voice, resource, actor=actor, at=at)
    return voice


def why_heard(request: ApprovalRequest, actor: Actor, voice: Actor) -> str | None:
    """Why another answer would be one of somebody who has given theirs; None if it would not.

    Whoever made a token for somebody else has held it: their own answer and one that was given
    with it count as one person's.
    """
    people = {actor.id, voice.id}
    heard = {str(who) for vote in request.votes for who in (vote.approver_id, vote.voice_id)}
    if heard & people:
        return "you, or the voice that you use, have answered this request already"
    if heard & actor.vouched_by:
        return (
            "whoever made the token in use has answered this request already, and both answers "
            "count as one person's: sign in without that token, or let somebody else answer"
        )
    if people & {who for vote in request.votes for who in vote.vouched_by}:
        return (
            "you, or the voice that you use, made the token with which this request was answered "
            "already, and both answers count as one person's: let somebody else answer"
        )
    return None


def _check_open(request: ApprovalRequest, subject: Subject | None, at: datetime) -> None:
    state = standing_state(request, at)
    if request.state == OPEN and state != OPEN:
        raise Conflict("this approval request has expired; ask for a new one")
    if state != OPEN:
        raise Conflict(f"this approval request is {state} already")
    void = why_void(request, subject)
    if void is not None:
        raise Conflict(f"this approval request is void: {void}")


def _note(
    session: Session,
    request: ApprovalRequest,
    action: str,
    actor: Actor,
    at: datetime,
    **details: object,
) -> None:
    record(
        session,
        action,
        subject_type="approval",
        subject_id=request.id,
        actor_id=UUID(actor.id),
        at=at,
        details={"state": request.state, "subject_digest": request.subject_digest, **details},
    )
