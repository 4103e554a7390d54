"""`/decisions`: what the policy answered, and why."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from sqlalchemy import ScalarResult, Select, select

from bailiwick.access import Principal
from bailiwick.api.policies import PolicyOut
from bailiwick.api.schemas import Schema
from bailiwick.core.errors import BailiwickError
from bailiwick.lifecycle.subjects import TABLES, Thing, named, resource_of
from bailiwick.policy import (
    Decision,
    PolicyBundle,
    Resource,
    Rules,
    Unseen,
    load_label,
)
from bailiwick.policy.enforcement import READ_ACTIONS
from bailiwick.policy.explanation import Way, people_to_ask, ways_to_allow
from bailiwick.policy.questions import Question, question_of
from bailiwick.registry import RegisteredModel, model_resource
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    acts,
    page_of,
    visible_decisions,
)

router = APIRouter(tags=["rules"], route_class=GovernedRoute)

KINDS: dict[str, type[Thing]] = {table.__name__: table for table in TABLES.values()}


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
    decision = caller.session.scalar(
        select(Decision).where(Decision.id == decision_id, visible_decisions(caller))
    )
    if decision is None:
        raise Unseen
    label = load_label(caller.session, decision.label_id) if decision.label_id else None
    who, what = _principal_name(caller, decision), _resource_name(caller, decision)
    question = question_of(decision, label, name=who or "whoever asked")
    ways = ways_to_allow(question, caller.rules)
    then = _rules_then(caller, decision)
    policies = (then or caller.rules).engine.policies
    thing = f"{decision.resource_type} {what or decision.resource_id}"
    return ExplanationOut(
        **DecisionOut.model_validate(decision).model_dump(),
        principal=who,
        resource=what,
        asked=f"May {question.actor.name} do {decision.action} on {thing}?",
        policies=[
            PolicyOut.model_validate(policies[identifier])
            for identifier in decision.policy_ids
            if identifier in policies
        ],
        policies_as_of="then" if then else "today",
        today="allow" if question.put_to(caller.rules).allowed else "deny",
        would_be_allowed_if=_shown(caller, question, ways),
    )


def _shown(caller: Governed, question: Question, ways: list[Way]) -> list[WayOut]:
    people = people_to_ask(caller.session, question, ways)
    return [
        WayOut(
            changes=list(way.words),
            ask=sorted({name for role in way.roles for name in people[role]}),
        )
        for way in ways
    ]


def _rules_then(caller: Governed, decision: Decision) -> Rules | None:
    """The rules that decided, if they are in force or kept."""
    if decision.bundle_digest == caller.rules.digest:
        return caller.rules
    rulesets = caller.platform.rulesets
    if decision.bundle_digest == rulesets.shipped.rules.digest:
        return rulesets.shipped.rules
    kept = caller.session.scalar(
        select(PolicyBundle).where(PolicyBundle.digest == decision.bundle_digest)
    )
    try:
        return None if kept is None else rulesets.of(kept).rules
    except BailiwickError:  # of an older version: its words are in the bundle all the same
        return None


def _principal_name(caller: Governed, decision: Decision) -> str | None:
    asker = caller.session.get_one(Principal, decision.principal_id)
    resource = Resource("Principal", str(asker.id), None, None)
    known = asker.id == caller.principal_id or caller.may(resource, "principal:read")
    return asker.name if known else None


def _resource_name(caller: Governed, decision: Decision) -> str | None:
    """What people call it, if the caller may read it as it stands now."""
    kind, read = decision.resource_type, READ_ACTIONS.get(decision.resource_type)
    try:
        identifier = UUID(decision.resource_id)
    except ValueError:
        return decision.resource_id  # what did not exist yet was asked about by its name
    if kind == "Model":
        model = caller.session.get(RegisteredModel, identifier)
        seen = model is not None and caller.may(model_resource(caller.session, model), str(read))
        return f"{model.namespace}/{model.name}" if model is not None and seen else None
    thing = _thing(caller, kind, identifier)
    if thing is None or not caller.may(resource_of(caller.session, thing), str(read)):
        return None
    return named(thing).name


def _thing(caller: Governed, kind: str, identifier: UUID) -> Thing | None:
    table = KINDS.get(kind)
    if table is None:
        return None
    found: ScalarResult[Thing] = caller.session.scalars(select(table).where(table.id == identifier))
    return found.one_or_none()
