"""`/delegations`: an approver's voice, lent to another person for a time."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, false, or_, select, true

from bailiwick.access import EVERY_NAMESPACE
from bailiwick.api.schemas import Body, Schema, Slug, Text
from bailiwick.policy import PLATFORM, Delegation, Resource, Unseen
from bailiwick.policy.delegations import (
    delegation_resource,
    involving,
    lend_voice,
    standing_of,
    take_back_voice,
)
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of

router = APIRouter(prefix="/delegations", tags=["rules"], route_class=GovernedRoute)


class DelegationIn(Body):
    """To whom the caller's voice is lent, where (`*`: everywhere), why, and for how long."""

    to: Slug
    namespace: Slug | Literal["*"]
    reason: Text
    until: AwareDatetime
    since: AwareDatetime | None = None


class DelegationOut(Schema):
    """A voice that is lent. `state`: ahead, standing, over or revoked."""

    id: UUID
    from_id: UUID
    to_id: UUID
    namespace: str
    reason: str
    since: datetime
    until: datetime
    revoked_at: datetime | None
    state: str


class DelegationPage(Page):
    """Delegations, newest first."""

    items: list[DelegationOut]


@router.get("", **acts("delegation:list"))
def list_delegations(caller: Governed, limit: Limit = 50, cursor: Cursor = None) -> DelegationPage:
    """Delegations of the namespaces that the caller may see, and the caller's own."""
    caller.decided_by_use_case()  # by `_seen`, which asks about each namespace
    rows, following = page_of(
        caller.session,
        select(Delegation).where(_seen(caller)),
        Delegation.id,
        limit=limit,
        cursor=cursor,
    )
    return DelegationPage(items=[_shown(caller, row) for row in rows], next_cursor=following)


@router.post("", status_code=201, **acts("delegation:create"))
def lend(body: DelegationIn, caller: Governed) -> DelegationOut:
    """Lend one's voice. Whoever uses it answers in their own name and in yours."""
    caller.decided_by_use_case()
    lent = lend_voice(
        caller.session,
        body.to,
        namespace=body.namespace,
        reason=body.reason,
        since=body.since,
        until=body.until,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return _shown(caller, lent)


@router.delete("/{delegation_id}", status_code=204, **acts("delegation:revoke"))
def take_back(delegation_id: UUID, caller: Governed) -> Response:
    """Take one's voice back. Answers that were given with it stand."""
    lent = caller.session.get(Delegation, delegation_id)
    if lent is None:
        raise Unseen
    caller.require(delegation_resource(lent))
    take_back_voice(caller.session, lent, rules=caller.rules, actor=caller.actor, at=caller.at)
    return Response(status_code=204)


def _seen(caller: Governed) -> ColumnElement[bool]:
    """Delegations of the namespaces where the policy lets the caller list them, and one's own."""
    if not caller.may(PLATFORM, "delegation:list"):
        return false()
    spaces = [place for place in caller.actor.roles if "/" not in place]
    seen = [
        space
        for space in spaces
        if caller.may(Resource("Delegation", "any", space, None), "delegation:list")
    ]
    if EVERY_NAMESPACE in seen:
        return true()
    return or_(involving(caller.principal_id), Delegation.namespace.in_(seen))


def _shown(caller: Governed, lent: Delegation) -> DelegationOut:
    fields = set(DelegationOut.model_fields) - {"state"}
    values = {field: getattr(lent, field) for field in fields}
    return DelegationOut(**values, state=standing_of(lent, caller.at))
