"""Voices: lending one's own, and taking it back. They are shown beside the approvals."""

from datetime import UTC, date, datetime, time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from bailiwick.console.routing import GovernedPage
from bailiwick.policy import Delegation, Unseen
from bailiwick.policy.delegations import delegation_resource, lend_voice, take_back_voice
from bailiwick.web import Governed, acts

HOME = "/console/approvals#voices"

router = APIRouter(prefix="/console/delegations", include_in_schema=False, route_class=GovernedPage)


@router.post("", **acts("delegation:create"))
def lend(
    caller: Governed,
    to: Annotated[str, Form(max_length=100)],
    namespace: Annotated[str, Form(max_length=100)],
    until: Annotated[date, Form()],
    reason: Annotated[str, Form(max_length=2_000)],
) -> Response:
    """Lend one's voice until the end of a day."""
    caller.decided_by_use_case()
    lend_voice(
        caller.session,
        to.strip(),
        namespace=namespace,
        reason=reason,
        until=datetime.combine(until, time.max, UTC),
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return RedirectResponse(HOME, 303)


@router.post("/{delegation_id}/revoke", **acts("delegation:revoke"))
def take_back(caller: Governed, delegation_id: UUID) -> Response:
    """Take one's voice back."""
    lent = caller.session.get(Delegation, delegation_id)
    if lent is None:
        raise Unseen
    caller.require(delegation_resource(lent))
    take_back_voice(caller.session, lent, rules=caller.rules, actor=caller.actor, at=caller.at)
    return RedirectResponse(HOME, 303)
