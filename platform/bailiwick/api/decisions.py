"""`/decisions`: what the policy answered, and why."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from sqlalchemy import Select, select

from bailiwick.access import Principal
from bailiwick.api.policies import PolicyOut
from bailiwick.api.schemas import Schema
from bailiwick.policy import Decision
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    acts,
    explained_decision,
    page_of,
    visible_decisions,
)

router = APIRouter(tags=["rules"], route_class=GovernedRoute)


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
    context_digest: str
    waiver_id: UUID | None
    bundle_digest: str


class DecisionPage(Page):
    """Decisions, newest first."""

    items: list[DecisionOut]


class WayOut(Schema):
    """Changes that together would make it allowed, and who can bring them about."""

    changes: list[str]
    ask: list[str]


class ExplanationOut(DecisionOut):
    """A decision in words: who asked for what, which policies decided, what would change it.

    `principal` and `resource` are names, where the caller may know them. `policies` are those
    that decided, as they stood then (`policies_as_of`: `then`, or `today` where that bundle is
    not kept). `today` is the answer that the rules in force give to the same question;
    `would_be_allowed_if` lists what would have to be otherwise.
    """

    principal: str | None
    resource: str | None
    asked: str
    policies: list[PolicyOut]
    policies_as_of: Literal["then", "today"]
    today: Literal["allow", "deny"]
    would_be_allowed_if: list[WayOut]


@router.get("/decisions", **acts("decision:list"))
def list_decisions(
    caller: Governed,
    principal: Annotated[str | None, Query(description="Of this principal, by name.")] = None,
    action: Annotated[str | None, Query(description="Of this action.")] = None,
    allowed: Annotated[bool | None, Query(description="Only these.")] = None,
    namespace: Annotated[str | None, Query(description="In this namespace.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="From this moment on.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DecisionPage:
    """Recorded decisions about what the caller may see, newest first: changes and denials."""
    query: Select[Decision] = select(Decision).where(visible_decisions(caller))
    if principal is not None:
        named_so = select(Principal.id).where(Principal.name == principal)
        query = query.where(Decision.principal_id.in_(named_so))
    if action is not None:
        query = query.where(Decision.action == action)
    if allowed is not None:
        query = query.where(Decision.allowed.is_(allowed))
    if namespace is not None:
        query = query.where(Decision.namespace == namespace)
    if since is not None:
        query = query.where(Decision.at >= since)
    rows, following = page_of(caller.session, query, Decision.id, limit=limit, cursor=cursor)
    return DecisionPage(items=list(map(DecisionOut.model_validate, rows)), next_cursor=following)


@router.get("/decisions/{decision_id}", **acts("decision:read"))
def explain_decision(decision_id: UUID, caller: Governed) -> ExplanationOut:
    """One decision in words: what was asked, what decided it, what would change the answer."""
    found = explained_decision(caller, decision_id)
    return ExplanationOut(
        **DecisionOut.model_validate(found.decision).model_dump(),
        principal=found.principal,
        resource=found.resource,
        asked=found.asked,
        policies=[PolicyOut.model_validate(policy) for policy in found.policies],
        policies_as_of="then" if found.then else "today",
        today="allow" if found.allowed_today else "deny",
        would_be_allowed_if=[WayOut.model_validate(remedy) for remedy in found.remedies],
    )
