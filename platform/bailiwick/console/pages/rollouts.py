"""Moving a rollout by hand, from the deployment's page."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from bailiwick.console.forms import Attempt, one_of, text_of
from bailiwick.console.pages.deployments import MOVES, show_deployment
from bailiwick.console.routing import GovernedPage
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import rolling_out
from bailiwick.policy import Unseen
from bailiwick.registry import Deployment, deployment_resource
from bailiwick.web import Caller, Governed, acts

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@router.post("/deployments/{deployment_id}/rollout", **acts("deployment:read"))
def move_rollout(
    request: Request,
    caller: Governed,
    deployment_id: UUID,
    move: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Go to the next step, stop, or roll back; the policy is asked about the move itself."""
    found = caller.session.get(Deployment, deployment_id)
    if found is None:
        raise Unseen
    resource = deployment_resource(caller.session, found)
    caller.require(resource)
    with Attempt(caller) as attempt:
        chosen = one_of("move", move, MOVES)
        caller.require(resource, action=f"rollout:{chosen}")
        why = text_of("reason", reason)
        if not why:
            raise Invalid("say why; whoever looks at the rollout later will want to know")
        _carry_out(caller, found, chosen, why)
        return RedirectResponse(f"/console/deployments/{deployment_id}", 303)
    return show_deployment(request, caller, found, problem=attempt.problem, status=attempt.status)


def _carry_out(caller: Caller, deployment: Deployment, move: str, why: str) -> None:
    session, platform, actor, at = caller.session, caller.platform, caller.actor, caller.at
    if move == "advance":
        rolling_out.advance(session, platform, deployment, reason=why, actor=actor, at=at)
    elif move == "stop":
        rolling_out.stop(session, deployment, reason=why, actor=actor, at=at)
    else:
        rolling_out.roll_back(session, platform, deployment, reason=why, actor=actor, at=at)
