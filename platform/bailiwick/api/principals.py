"""`/principals` and `/me`: people, services, and what they hold."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import select

from bailiwick.access import (
    Principal,
    create_principal,
    disable,
    enable,
    find_principal,
    grant_role,
    names_of,
    revoke_role,
    roles_held,
    set_clearance,
)
from bailiwick.api.schemas import Body, RoleIn, RoleObject, RoleOut, Schema, Slug
from bailiwick.policy import PLATFORM, Label, Resource, require_clearance
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

router = APIRouter(tags=["access"], route_class=GovernedRoute)
MAX_NAMES = 500


class PrincipalIn(Body):
    """A new person or service."""

    name: Slug
    kind: Literal["person", "service"]
    clearance_level: str = "internal"
    clearance_compartments: list[str] = Field(default_factory=list)
    roles: list[RoleIn] = Field(default_factory=list, max_length=50)


class PrincipalPatch(Body):
    """What may change about a principal; what is left out stays."""

    clearance_level: str | None = None
    clearance_compartments: list[str] | None = None
    disabled: bool | None = None


class HeldRoleOut(RoleOut):
    """A role that is held: the principal's own, or through the group named."""

    group: str | None


class PrincipalOut(Schema):
    """A principal with all roles that it holds."""

    id: UUID
    name: str
    kind: str
    clearance_level: str
    clearance_compartments: list[str]
    roles: list[HeldRoleOut]
    disabled_at: datetime | None
    created_at: datetime


class TokenInUseOut(Schema):
    """What the caller's token narrows: null does not."""

    id: UUID
    scopes: list[str] | None
    namespaces: list[str] | None
    expires_at: datetime | None


class MeOut(PrincipalOut):
    """The caller, and what the token in use is for; null for other proofs of identity."""

    token: TokenInUseOut | None


class NamesOut(Schema):
    """Names by id."""

    names: dict[UUID, str]


class PrincipalPage(Page):
    """Principals, newest first."""

    items: list[PrincipalOut]


@router.get("/me", **acts("self:read"))
def read_me(caller: Governed) -> MeOut:
    """Who the caller is and what they hold."""
    caller.require(PLATFORM)
    (known,) = _shown(caller, [caller.principal])
    token = TokenInUseOut.model_validate(caller.token) if caller.token else None
    return MeOut(**known.model_dump(), token=token)


@router.get("/principals", **acts("principal:list"))
def list_principals(caller: Governed, limit: Limit = 50, cursor: Cursor = None) -> PrincipalPage:
    """All principals, newest first."""
    caller.require(PLATFORM)
    rows, following = page_of(
        caller.session, select(Principal), Principal.id, limit=limit, cursor=cursor
    )
    return PrincipalPage(items=_shown(caller, rows), next_cursor=following)


@router.get("/principal-names", **acts("principal:name"))
def read_names(
    caller: Governed,
    ids: Annotated[list[UUID], Query(alias="id", default_factory=list, max_length=MAX_NAMES)],
) -> NamesOut:
    """Whose ids these are, which other answers mention; unknown ones are left out."""
    caller.require(PLATFORM)
    return NamesOut(names=names_of(caller.session, ids))


@router.post("/principals", status_code=201, **acts("principal:create"))
def create(body: PrincipalIn, caller: Governed, response: Response) -> PrincipalOut:
    """Create a person or service with roles."""
    caller.require(Resource("Principal", body.name, None, None))
    _check_clearance(caller, body.clearance_level, body.clearance_compartments)
    principal = create_principal(
        caller.session,
        body.name,
        kind=body.kind,
        clearance_level=body.clearance_level,
        clearance_compartments=body.clearance_compartments,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    for role in body.roles:
        _grant(caller, principal, role)
    return _answer(caller, principal, response)


@router.get("/principals/{name}", **acts("principal:read"))
def read(name: str, caller: Governed, response: Response) -> PrincipalOut:
    """One principal."""
    return _answer(caller, governed_principal(caller, name), response)


@router.patch("/principals/{name}", **acts("principal:update"))
def update(
    name: str, body: PrincipalPatch, caller: Governed, response: Response, seen: Precondition
) -> PrincipalOut:
    """Change a clearance (nobody their own), disable a principal, or accept it again."""
    principal = governed_principal(caller, name)
    seen.check(principal)
    actor_id, at = caller.principal_id, caller.at
    if body.clearance_level is not None or body.clearance_compartments is not None:
        level = body.clearance_level or principal.clearance_level
        compartments = body.clearance_compartments
        if compartments is None:
            compartments = principal.clearance_compartments
        _check_clearance(caller, level, compartments)
        set_clearance(caller.session, principal, level, compartments, actor_id=actor_id, at=at)
    if body.disabled is not None:
        change = disable if body.disabled else enable
        change(caller.session, principal, actor_id=actor_id, at=at)
    return _answer(caller, principal, response)


@router.post("/principals/{name}/roles", status_code=201, **acts("principal:update"))
def grant(name: str, body: RoleIn, caller: Governed) -> PrincipalOut:
    """Grant a role."""
    principal = governed_principal(caller, name)
    _grant(caller, principal, body)
    caller.session.flush()
    return _shown(caller, [principal])[0]


@router.delete(
    "/principals/{name}/roles/{namespace}/{role}", status_code=204, **acts("principal:update")
)
def revoke(
    name: str,
    namespace: str,
    role: str,
    caller: Governed,
    on: Annotated[RoleObject, Query(alias="object")] = None,
) -> Response:
    """Take a role away that the principal holds itself."""
    revoke_role(
        caller.session,
        governed_principal(caller, name),
        role,
        namespace=namespace,
        on=on or "",
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return Response(status_code=204)


@router.post("/principals/{name}/disable", **acts("principal:update"))
def disable_principal(name: str, caller: Governed) -> PrincipalOut:
    """Accept none of this principal's tokens any more."""
    principal = governed_principal(caller, name)
    disable(caller.session, principal, actor_id=caller.principal_id, at=caller.at)
    caller.session.flush()
    return _shown(caller, [principal])[0]


def governed_principal(caller: Governed, name: str) -> Principal:
    """The principal, after the policy has let the caller act on it."""
    caller.require(Resource("Principal", name, None, None))
    return find_principal(caller.session, name)


def _grant(caller: Governed, principal: Principal, role: RoleIn) -> None:
    grant_role(
        caller.session,
        principal,
        role.role,
        namespace=role.namespace,
        on=role.object or "",
        actor_id=caller.principal_id,
        at=caller.at,
    )


def _check_clearance(caller: Governed, level: str, compartments: list[str]) -> None:
    """`Invalid` for words that no label uses, `Denied` for more than the caller is cleared for."""
    scheme = caller.rules.scheme
    outermost = frozenset(zone for zone, around in scheme.zones.items() if around is None)
    scheme.check(Label(level, frozenset(compartments), outermost, frozenset(scheme.purposes)))
    require_clearance(scheme, caller.actor, level, compartments)


def _answer(caller: Governed, principal: Principal, response: Response) -> PrincipalOut:
    caller.session.flush()
    tag(response, principal)
    return _shown(caller, [principal])[0]


def _shown(caller: Governed, principals: list[Principal]) -> list[PrincipalOut]:
    """Principals with what they hold, in one query however many they are."""
    held = roles_held(caller.session, [principal.id for principal in principals])
    fields = set(PrincipalOut.model_fields) - {"roles"}
    return [
        PrincipalOut(
            **{field: getattr(principal, field) for field in fields},
            roles=[
                HeldRoleOut(
                    role=role.role,
                    namespace=role.namespace,
                    object=role.object or None,
                    group=role.group,
                )
                for role in held
                if role.principal_id == principal.id
            ],
        )
        for principal in principals
    ]
