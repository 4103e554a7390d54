"""`/approvals`: what other people should approve, and what they answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.lifecycle import promotion, replays, retraining_policies, waivers
from bailiwick.lifecycle.subjects import known_subjects, void_reasons
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.policy import (
    ApprovalComment,
    ApprovalRequest,
    approval_resource,
    comment_on_approval,
    standing_state,
    withdraw_approval,
)
from bailiwick.policy.approvals import stands
from bailiwick.registry import find_model, find_version, version_resource
from bailiwick.web import (
    Governed,
    GovernedRoute,
    Page,
    Paging,
    Precondition,
    acts,
    by_id,
    tag,
)

router = APIRouter(tags=["rules"], route_class=GovernedRoute)


State = Literal["open", "approved", "rejected", "withdrawn", "expired"]


class VersionSubject(Body):
    """A model version whose promotion is to be approved."""

    type: Literal["model-version"]
    model: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", description="NAMESPACE/NAME")]
    version: Annotated[int, Field(ge=1)]


class PolicySubject(Body):
    """A retraining policy that is to be approved as it stands."""

    type: Literal["retraining-policy"]
    id: UUID


class ApprovalIn(Body):
    """What other people should approve, and by when (14 days, at most 90)."""

    subject: Annotated[VersionSubject | PolicySubject, Field(discriminator="type")]
    expires_at: AwareDatetime | None = None


class VoteIn(Body):
    """One person's answer. `voice_id`: whose voice, where a lent one is used or could be."""

    approve: bool
    comment: Text = ""
    voice_id: UUID | None = None


class VoteOut(Schema):
    """An answer that was given; `voice_id` is another person's where a voice was lent.

    `vouched_by`: who made the token that it was given with, where that was not its owner, and
    who made the tokens that it was made with.
    """

    approver_id: UUID
    voice_id: UUID
    vouched_by: list[UUID]
    approve: bool
    comment: str
    at: datetime


class EvidenceOut(Schema):
    """What was found out about a subject: a backtest, and the digest of its result."""

    type: str
    id: UUID
    digest: str


class ApprovalOut(Schema):
    """A request for approval of one exact subject: its digest, under its label.

    `void` says why its answers count for nothing by now; `subject` names what it is about.
    """

    id: UUID
    namespace: str
    subject_type: str
    subject_id: UUID
    subject_digest: str
    subject: str | None
    purpose: str
    requested_by: UUID
    trained_by: UUID
    required: int
    state: str
    void: str | None
    created_at: datetime
    expires_at: datetime
    evidence: list[EvidenceOut]
    votes: list[VoteOut]


class ApprovalPage(Page):
    """Approval requests, newest first."""

    items: list[ApprovalOut]


class CommentIn(Body):
    """Something to say about a request without deciding it."""

    text: Annotated[Text, Field(min_length=1)]


class CommentOut(Schema):
    """What somebody said about a request."""

    id: UUID
    author_id: UUID
    text: str
    at: datetime


class CommentPage(Page):
    """Comments, newest first."""

    items: list[CommentOut]


@router.get("/approvals", **acts("approval:list"))
def list_approvals(
    caller: Governed,
    paging: Paging,
    state: State | None = None,
) -> ApprovalPage:
    """The approval requests that the caller may see, newest first."""
    query = select(ApprovalRequest).where(
        caller.visible(
            "Approval", ApprovalRequest.namespace, ApprovalRequest.label_id, action="approval:read"
        )
    )
    if state is not None:
        query = query.where(stands(state, caller.at))
    rows, following = paging.of(caller.session, query, ApprovalRequest.id)
    return ApprovalPage(items=_shown(caller, rows), next_cursor=following)


@router.post("/approvals", status_code=201, **acts("approval:request"))
def request(body: ApprovalIn, caller: Governed, response: Response) -> ApprovalOut:
    """Ask other people to approve a version's promotion or a retraining policy."""
    if isinstance(body.subject, VersionSubject):
        namespace, _, name = body.subject.model.partition("/")
        model = find_model(caller.session, namespace, name)
        version = find_version(caller.session, model, body.subject.version)
        caller.require(version_resource(caller.session, version))
        asked = promotion.ask_for_approval(
            caller.session,
            version,
            rules=caller.rules,
            tiers=caller.platform.tiers,
            actor=caller.actor,
            at=caller.at,
            expires_at=body.expires_at,
        )
    else:
        policy = by_id(caller, RetrainingPolicy, body.subject.id)
        caller.require(retraining_policies.retraining_policy_resource(caller.session, policy))
        asked = retraining_policies.ask_for_policy_approval(
            caller.session,
            policy,
            actor=caller.actor,
            at=caller.at,
            expires_at=body.expires_at,
            evidence=replays.evidence_of(caller.session, policy),
        )
    tag(response, asked)
    return _shown(caller, [asked])[0]


@router.get("/approvals/{approval_id}", **acts("approval:read"))
def read(approval_id: UUID, caller: Governed, response: Response) -> ApprovalOut:
    """One approval request with its answers, and whether they count."""
    asked = _approval(caller, approval_id)
    tag(response, asked)
    return _shown(caller, [asked])[0]


@router.post("/approvals/{approval_id}/decide", **acts("approval:decide"))
def decide(
    approval_id: UUID, body: VoteIn, caller: Governed, response: Response, seen: Precondition
) -> ApprovalOut:
    """Approve or reject. Who asked, who trained, and services may not, nor may their voices.

    With single sign-on, neither may whoever uses a token that one of those has made. One's own
    answer and one with a token that one made for somebody else count as one person's.
    """
    asked = _approval(caller, approval_id)
    seen.check(asked)
    waivers.decide(
        caller.session,
        asked,
        rules=caller.rules,
        approve=body.approve,
        comment=body.comment,
        voice_id=body.voice_id,
        actor=caller.actor,
        at=caller.at,
    )
    tag(response, asked)
    return _shown(caller, [asked])[0]


@router.post("/approvals/{approval_id}/withdraw", **acts("approval:request"))
def withdraw(
    approval_id: UUID, caller: Governed, response: Response, seen: Precondition
) -> ApprovalOut:
    """Take one's question back; what was waiting for its answer goes no further."""
    asked = _approval(caller, approval_id)
    seen.check(asked)
    withdraw_approval(caller.session, asked, rules=caller.rules, actor=caller.actor, at=caller.at)
    tag(response, asked)
    return _shown(caller, [asked])[0]


@router.get("/approvals/{approval_id}/comments", **acts("approval:read"))
def list_comments(approval_id: UUID, caller: Governed, paging: Paging) -> CommentPage:
    """What was said about a request, newest first."""
    asked = _approval(caller, approval_id)
    query = select(ApprovalComment).where(ApprovalComment.request_id == asked.id)
    rows, following = paging.of(caller.session, query, ApprovalComment.id)
    return CommentPage(items=list(map(CommentOut.model_validate, rows)), next_cursor=following)


@router.post("/approvals/{approval_id}/comments", status_code=201, **acts("approval:comment"))
def comment(approval_id: UUID, body: CommentIn, caller: Governed) -> CommentOut:
    """Say something about a request without deciding it."""
    asked = _approval(caller, approval_id)
    said = comment_on_approval(
        caller.session, asked, body.text, rules=caller.rules, actor=caller.actor, at=caller.at
    )
    return CommentOut.model_validate(said)


def _approval(caller: Governed, approval_id: UUID) -> ApprovalRequest:
    """The request, after the policy has let the caller read it."""
    asked = by_id(caller, ApprovalRequest, approval_id)
    caller.require(approval_resource(caller.session, asked), action="approval:read")
    return asked


def _shown(caller: Governed, requests: Sequence[ApprovalRequest]) -> list[ApprovalOut]:
    """Requests with what they are about, in a few queries however many they are."""
    known = known_subjects(caller.session, ((one.subject_type, one.subject_id) for one in requests))
    void = void_reasons(caller.session, requests, known)
    shown = []
    for one in requests:
        about = known.get(one.subject_id)
        shown.append(
            ApprovalOut.of_row(
                one,
                state=standing_state(one, caller.at),
                # Under another label, its name is no longer for everyone who sees the request.
                subject=about.name if about is not None and one.id not in void else None,
                void=void.get(one.id),
            )
        )
    return shown
