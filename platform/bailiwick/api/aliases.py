"""`/models/{ns}/{name}/aliases` and `/history`: promotion, rollback, and who moved what."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.models import governed_model, governed_version
from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.core.errors import NotFound
from bailiwick.lifecycle import promotion
from bailiwick.registry import Alias, AliasMove, pointed_at
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

router = APIRouter(prefix="/models", tags=["registry"], route_class=GovernedRoute)


class AliasOut(Schema):
    """A pointer to a version."""

    alias: str
    version: int
    version_id: UUID
    moved_at: datetime
    rollouts: list[UUID] = Field(
        default_factory=list,
        description="Of a promotion: what is under way before the champion moves.",
    )


class AliasIn(Body):
    """Where a protected alias should point, and why. `champion` goes through every gate."""

    version: Annotated[int, Field(ge=1)]
    reason: Text


class RollbackIn(Body):
    """Why the previous champion should be champion again."""

    reason: Text


class MoveOut(Schema):
    """One move of a pointer."""

    alias: str
    old_version_id: UUID | None
    new_version_id: UUID
    actor_id: UUID
    reason: str
    at: datetime


class MovePage(Page):
    """Moves, newest first."""

    items: list[MoveOut]


@router.get("/{ns}/{name}/aliases/{alias}", **acts("version:read"))
def read_alias(ns: str, name: str, alias: str, caller: Governed, response: Response) -> AliasOut:
    """Which version an alias points at."""
    model = governed_model(caller, ns, name)
    version = pointed_at(caller.session, model.id, alias)
    if version is None:
        raise NotFound(f"{ns}/{name} has no alias {alias!r}")
    pointer = caller.session.get_one(Alias, (model.id, alias))
    tag(response, pointer)
    return AliasOut(
        alias=alias, version=version.number, version_id=version.id, moved_at=pointer.moved_at
    )


@router.put("/{ns}/{name}/aliases/champion", **acts("version:promote"))
def promote(
    ns: str, name: str, body: AliasIn, caller: Governed, response: Response, seen: Precondition
) -> AliasOut:
    """Promote a version: its gates, approvals and the policy decide.

    Where a deployment has a rollout plan, the answer is the champion that still stands, and the
    `rollouts` at whose end it moves.
    """
    version = governed_version(caller, ns, name, body.version, action="version:read")
    pointer = caller.session.get(Alias, (version.model_id, "champion"))
    seen.check(pointer)
    begun = promotion.promote(
        caller.session,
        version,
        reason=body.reason,
        rules=caller.rules,
        tiers=caller.platform.tiers,
        actor=caller.actor,
        at=caller.at,
    )
    moved = caller.session.get_one(Alias, (version.model_id, "champion"))
    tag(response, moved)
    champion = pointed_at(caller.session, version.model_id, "champion") or version
    return AliasOut(
        alias="champion",
        version=champion.number,
        version_id=champion.id,
        moved_at=moved.moved_at,
        rollouts=[one.id for one in begun],
    )


@router.post("/{ns}/{name}/aliases/champion/rollback", **acts("version:rollback"))
def roll_back(ns: str, name: str, body: RollbackIn, caller: Governed) -> AliasOut:
    """Make the previous champion champion again."""
    model = governed_model(caller, ns, name, action="model:read")
    version = promotion.roll_back(
        caller.session,
        model.id,
        reason=body.reason,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return AliasOut(
        alias="champion", version=version.number, version_id=version.id, moved_at=caller.at
    )


@router.get("/{ns}/{name}/history", **acts("version:read"))
def history(
    ns: str, name: str, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> MovePage:
    """Which version every alias pointed at, when, why, and who moved it."""
    model = governed_model(caller, ns, name)
    moves, following = page_of(
        caller.session,
        select(AliasMove).where(AliasMove.model_id == model.id),
        AliasMove.id,
        limit=limit,
        cursor=cursor,
    )
    return MovePage(items=list(map(MoveOut.model_validate, moves)), next_cursor=following)
