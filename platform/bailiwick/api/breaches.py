"""`/breaches`: deployments that the policies would not allow any more, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from bailiwick.api.schemas import Schema
from bailiwick.policy import Unseen
from bailiwick.registry import WAIVABLE_DEPLOYMENTS, Breach, Deployment, deployment_resource
from bailiwick.web import Caller, Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of, tag

router = APIRouter(prefix="/breaches", tags=["rules"], route_class=GovernedRoute)


class BreachOut(Schema):
    """Why a deployment is out of policy, since when, and when it is stopped for it.

    `stopped`: the platform stopped it; `resolved`: the policies allow it again, or it was stopped
    by hand. `stop_at` is null where the rules only report.
    """

    id: UUID
    deployment_id: UUID
    deployment: str
    state: Literal["found", "stopped", "resolved"]
    version_id: UUID
    policy_ids: list[str]
    reason: str
    cause: str
    caused_by: UUID
    owner_id: UUID
    found_at: datetime
    stop_at: datetime | None
    stopped_at: datetime | None
    resolved_at: datetime | None
    resolution: str | None


class BreachPage(Page):
    """Breaches, newest first."""

    items: list[BreachOut]


@router.get("", **acts("deployment:list"))
def list_breaches(
    caller: Governed,
    open: Annotated[  # noqa: A002 - the query's word
        bool | None, Query(description="true: not resolved; false: resolved; left out: all.")
    ] = None,
    namespace: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> BreachPage:
    """The breaches of the deployments that the caller may see, newest first."""
    query = (
        select(Breach)
        .join(Deployment, Deployment.id == Breach.deployment_id)
        .where(
            caller.visible(
                "Deployment",
                Deployment.namespace,
                Deployment.label_id,
                action="deployment:read",
                objects=("deployments", Deployment.name),
                waivable=WAIVABLE_DEPLOYMENTS,
            )
        )
    )
    if open is not None:
        query = query.where(Breach.resolved_at.is_(None) == open)
    if namespace is not None:
        query = query.where(Deployment.namespace == namespace)
    rows, following = page_of(caller.session, query, Breach.id, limit=limit, cursor=cursor)
    return BreachPage(items=breaches_shown(caller, rows), next_cursor=following)


@router.get("/{breach_id}", **acts("deployment:read"))
def read_breach(breach_id: UUID, caller: Governed, response: Response) -> BreachOut:
    """One breach; it is seen by whoever may see its deployment."""
    breach = caller.session.get(Breach, breach_id)
    if breach is None:
        raise Unseen
    deployment = caller.session.get_one(Deployment, breach.deployment_id)
    caller.require(deployment_resource(caller.session, deployment))
    tag(response, breach)
    return breaches_shown(caller, [breach])[0]


def breaches_shown(caller: Caller, breaches: Sequence[Breach]) -> list[BreachOut]:
    """Breaches of deployments that the caller may see, with their names, in one query."""
    wanted = select(Deployment.id, Deployment.namespace, Deployment.name).where(
        Deployment.id.in_([breach.deployment_id for breach in breaches])
    )
    names = {one: f"{space}/{name}" for one, space, name in caller.session.execute(wanted)}
    fields = set(BreachOut.model_fields) - {"deployment", "state"}
    return [
        BreachOut(
            deployment=names[breach.deployment_id],
            state=_state(breach),
            **{field: getattr(breach, field) for field in fields},
        )
        for breach in breaches
    ]


def _state(breach: Breach) -> Literal["found", "stopped", "resolved"]:
    if breach.resolved_at is not None:
        return "resolved"
    return "found" if breach.stopped_at is None else "stopped"
