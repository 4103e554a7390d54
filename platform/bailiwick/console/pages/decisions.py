"""Decisions: what the policy answered, and one of them explained."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from bailiwick.access import names_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_decisions
from bailiwick.policy import Decision
from bailiwick.web import Cursor, Governed, acts, explained_decision, page_of

DECISIONS_PER_PAGE = 50

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
        following=following,
        denied=bool(denied),
        names=names_of(caller.session, [row.principal_id for row in rows]),
    )


@router.get("/{decision_id}", **acts("decision:read"))
def decision(request: Request, caller: Governed, decision_id: UUID) -> Response:
    """What was asked, which policies decided, what would change the answer, and whom to ask."""
    found = explained_decision(caller, decision_id)
    actor, asked = found.question.actor, found.question.resource
    return page(
        request,
        caller,
        "decision.html",
        title=found.asked,
        section="decisions",
        found=found,
        one=found.decision,
        label=asked.label,
        roles=sorted(actor.roles_on(asked)),
        clearance=" / ".join([actor.clearance_level, *sorted(actor.clearance_compartments)]),
        scopes=None if actor.scopes is None else sorted(actor.scopes),
        in_force=found.decision.bundle_digest == caller.rules.digest,
    )
