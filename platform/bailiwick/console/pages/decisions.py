"""Decisions: what the policy answered, and one of them explained."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from bailiwick.access import names_of
from bailiwick.console.asked_about import things_of
from bailiwick.console.rendering import page, when, words
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_decisions
from bailiwick.policy import PLATFORM, Decision, Scheme
from bailiwick.policy.explanation import level_names
from bailiwick.web import Cursor, Governed, acts, explained_decision, page_of

DECISIONS_PER_PAGE = 50
MOMENTS = frozenset({"now", "retain_until"})

router = APIRouter(prefix="/console/decisions", include_in_schema=False, route_class=GovernedPage)


@router.get("", **acts("decision:list"))
def decisions(
    request: Request, caller: Governed, cursor: Cursor = None, denied: str = ""
) -> Response:
    """What the policy answered, newest first."""
    query = select(Decision).where(visible_decisions(caller))
    if denied:
        query = query.where(Decision.allowed.is_(False))
    rows, following = page_of(
        caller.session, query, Decision.id, limit=DECISIONS_PER_PAGE, cursor=cursor
    )
    return page(
        request,
        caller,
        "decisions.html",
        title="Decisions",
        section="decisions",
        rows=rows,
        things=things_of(caller, rows),
        following=following,
        denied=bool(denied),
        names=names_of(caller.session, [row.principal_id for row in rows]),
    )


@router.get("/{decision_id}", **acts("decision:read"))
def decision(request: Request, caller: Governed, decision_id: UUID) -> Response:
    """What was asked, which policies decided, what would change the answer, and whom to ask."""
    found = explained_decision(caller, decision_id)
    one, actor, asked = found.decision, found.question.actor, found.question.resource
    known = map(_principal, asked.attributes.values())
    names = names_of(caller.session, [one.principal_id, *known, *map(UUID, actor.vouched_by)])
    who = names[one.principal_id] if caller.may(PLATFORM, "principal:name") else actor.name
    thing = things_of(caller, [one])[one.id]
    return page(
        request,
        caller,
        "decision.html",
        title=f"May {who} do {one.action} on {thing.words}?",
        section="decisions",
        found=found,
        who=who,
        one=one,
        thing=thing,
        label=asked.label,
        roles=sorted(actor.roles_on(asked)),
        clearance=" / ".join([actor.clearance_level, *sorted(actor.clearance_compartments)]),
        scopes=None if actor.scopes is None else sorted(actor.scopes),
        vouchers=sorted(names[UUID(who)] for who in actor.vouched_by),
        facts=[
            *_facts(asked.attributes, caller.rules.scheme, names),
            *_facts(one.context, caller.rules.scheme, names),
        ],
        in_force=one.bundle_digest == caller.rules.digest,
    )


def _facts(
    told: Mapping[str, Any], scheme: Scheme, names: dict[UUID | None, str]
) -> Iterator[tuple[str, str]]:
    """What else the policies were shown, as (term, value) for people; what was not told is left."""
    for term, value in level_names(told, scheme).items():
        if value is not None:
            person = names.get(_principal(value))
            moment = datetime.fromisoformat(value) if term in MOMENTS else None
            yield words(term).capitalize(), person or (when(moment) if moment else _said(value))


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):  # a label
        return " / ".join([value["level"], *value["compartments"]])
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def _principal(value: Any) -> UUID | None:
    """Attributes that are ids are those of people and services."""
    try:
        return UUID(value)
    except (AttributeError, TypeError, ValueError):
        return None
