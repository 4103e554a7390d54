"""`/approvals`, `/decisions`, `/policies`, `/classifications`: the rules and their use."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import ColumnElement, and_, or_, select

from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import promotion, retraining_policies
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.policy import (
    AUDIT_LOG,
    PLATFORM,
    ApprovalRequest,
    Decision,
    Unseen,
    approval_resource,
    decide_approval,
)
from bailiwick.registry import ModelVersion, find_model, find_version, version_resource
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    Precondition,
    acts,
    page_of,
    tag,
)

router = APIRouter(tags=["rules"], route_class=GovernedRoute)


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
    """What other people should approve."""

    subject: Annotated[VersionSubject | PolicySubject, Field(discriminator="type")]


class VoteIn(Body):
    """One person's answer."""

    approve: bool
    comment: Text = ""


class VoteOut(Schema):
    """An answer that was given."""

    approver_id: UUID
    approve: bool
    comment: str
    at: datetime


class ApprovalOut(Schema):
    """A request for approval of one exact subject (its digest)."""

    id: UUID
    namespace: str
    subject_type: str
    subject_id: UUID
    subject_digest: str
    purpose: str
    requested_by: UUID
    required: int
    state: str
    created_at: datetime
    expires_at: datetime
    votes: list[VoteOut]


class ApprovalPage(Page):
    """Approval requests, newest first."""

    items: list[ApprovalOut]


class DecisionOut(Schema):
    """One answer of the policy engine."""

    id: UUID
    at: datetime
    principal_id: UUID
    action: str
    resource_type: str
    resource_id: str
    namespace: str | None
    allowed: bool
    policy_ids: list[str]
    reason: str
    context: dict[str, Any]
    bundle_digest: str


class DecisionPage(Page):
    """Decisions, newest first."""

    items: list[DecisionOut]


class PolicyOut(Schema):
    """One Cedar policy of the bundle in force."""

    id: str
    effect: str
    reason: str
    file: str
    text: str


class BundleOut(Schema):
    """The policy bundle in force."""

    digest: str
    policies: list[PolicyOut]
    risk_tiers: list[dict[str, Any]]


class SchemeOut(Schema):
    """The words that labels are made of."""

    levels: list[str]
    compartments: dict[str, str]
    zones: dict[str, str | None]
    purposes: dict[str, str]


@router.get("/approvals", **acts("approval:list"))
def list_approvals(
    caller: Governed,
    state: Literal["open", "approved", "rejected"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ApprovalPage:
    """The approval requests that the caller may see, newest first."""
    query = select(ApprovalRequest).where(
        caller.visible(
            "Approval", ApprovalRequest.namespace, ApprovalRequest.label_id, action="approval:read"
        )
    )
    if state is not None:
        query = query.where(ApprovalRequest.state == state)
    rows, following = page_of(caller.session, query, ApprovalRequest.id, limit=limit, cursor=cursor)
    return ApprovalPage(items=list(map(ApprovalOut.model_validate, rows)), next_cursor=following)


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
        )
    else:
        policy = caller.session.get(RetrainingPolicy, body.subject.id)
        if policy is None:
            raise Unseen
        caller.require(retraining_policies.retraining_policy_resource(caller.session, policy))
        asked = retraining_policies.ask_for_policy_approval(
            caller.session, policy, actor=caller.actor, at=caller.at
        )
    tag(response, asked)
    return ApprovalOut.model_validate(asked)


@router.get("/approvals/{approval_id}", **acts("approval:read"))
def read(approval_id: UUID, caller: Governed, response: Response) -> ApprovalOut:
    """One approval request with its answers."""
    asked = _approval(caller, approval_id)
    caller.require(approval_resource(caller.session, asked))
    tag(response, asked)
    return ApprovalOut.model_validate(asked)


@router.post("/approvals/{approval_id}/decide", **acts("approval:decide"))
def decide(
    approval_id: UUID, body: VoteIn, caller: Governed, response: Response, seen: Precondition
) -> ApprovalOut:
    """Approve or reject. Who asked, who trained, and services may not."""
    asked = _approval(caller, approval_id)
    trained_by = trainer_of(caller, asked)
    resource = approval_resource(caller.session, asked, trained_by=trained_by)
    caller.require(resource, action="approval:read")
    seen.check(asked)
    decide_approval(
        caller.session,
        asked,
        rules=caller.rules,
        approve=body.approve,
        comment=body.comment,
        trained_by=trained_by,
        actor=caller.actor,
        at=caller.at,
    )
    tag(response, asked)
    return ApprovalOut.model_validate(asked)


@router.get("/decisions", **acts("decision:list"))
def list_decisions(
    caller: Governed,
    allowed: Annotated[bool | None, Query(description="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DecisionPage:
    """Recorded decisions about what the caller may see, newest first: changes and denials."""
    query = select(Decision).where(_readable(caller))
    if allowed is not None:
        query = query.where(Decision.allowed.is_(allowed))
    rows, following = page_of(caller.session, query, Decision.id, limit=limit, cursor=cursor)
    return DecisionPage(items=list(map(DecisionOut.model_validate, rows)), next_cursor=following)


@router.get("/decisions/{decision_id}", **acts("decision:read"))
def read_decision(decision_id: UUID, caller: Governed) -> DecisionOut:
    """One decision: what was asked, which policies decided, and what they say."""
    decision = caller.session.scalar(
        select(Decision).where(Decision.id == decision_id, _readable(caller))
    )
    if decision is None:
        raise Unseen
    return DecisionOut.model_validate(decision)


@router.get("/policies", **acts("policy:read"))
def read_policies(caller: Governed) -> BundleOut:
    """The policy bundle in force, as it stands in its files."""
    caller.require(PLATFORM)
    tiers = caller.platform.tiers.values()
    return BundleOut(
        digest=caller.rules.engine.bundle_digest,
        policies=[
            PolicyOut.model_validate(policy) for policy in caller.rules.engine.policies.values()
        ],
        risk_tiers=[
            {field: getattr(tier, field) for field in tier.__dataclass_fields__} for tier in tiers
        ],
    )


@router.get("/classifications", **acts("classification:read"))
def read_classifications(caller: Governed) -> SchemeOut:
    """The levels, compartments, zones and purposes that labels may name."""
    caller.require(PLATFORM)
    scheme = caller.rules.scheme
    return SchemeOut(
        levels=list(scheme.levels),
        compartments=dict(scheme.compartments),
        zones=dict(scheme.zones),
        purposes=dict(scheme.purposes),
    )


def _readable(caller: Governed) -> ColumnElement[bool]:
    """Decisions about what the caller may see, and their own about what has no label.

    A denial that hid something stays hidden from whom it hid it: it would tell that it exists.
    Others' decisions about unlabelled things (people, tokens) are for those who read the log.
    """
    seen = caller.visible("Decision", Decision.namespace, Decision.label_id, action="decision:read")
    own = Decision.principal_id == caller.principal_id
    unlabelled = Decision.label_id.is_(None)
    oversees = caller.may(AUDIT_LOG, "audit:read")
    return or_(seen, unlabelled if oversees else and_(own, unlabelled))


def trainer_of(caller: Governed, asked: ApprovalRequest) -> UUID | None:
    """Who trained the subject, if it is a version."""
    if asked.subject_type == "model-version":
        return caller.session.get_one(ModelVersion, asked.subject_id).trained_by
    if asked.subject_type == "retraining-policy":
        return caller.session.get_one(RetrainingPolicy, asked.subject_id).created_by
    raise Invalid(f"nobody can approve a {asked.subject_type}")


def _approval(caller: Governed, approval_id: UUID) -> ApprovalRequest:
    asked = caller.session.get(ApprovalRequest, approval_id)
    if asked is None:
        raise Unseen
    return asked
