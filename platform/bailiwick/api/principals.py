"""`/principals`, `/tokens`, `/me`: access."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from bailiwick.access import (
    EVERY_NAMESPACE,
    Principal,
    RoleBinding,
    Token,
    create_principal,
    disable,
    find_principal,
    grant_role,
    issue_token,
    revoke_role,
    revoke_token,
)
from bailiwick.api.schemas import Body, Schema, Slug, Text
from bailiwick.core.errors import NotFound
from bailiwick.policy import PLATFORM, Label, Resource
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of, tag

router = APIRouter(tags=["access"], route_class=GovernedRoute)


class RoleIn(Body):
    """A role, in one namespace or in every one (`*`)."""

    role: Literal["admin", "steward", "engineer", "approver", "auditor", "service"]
    namespace: str = EVERY_NAMESPACE


class PrincipalIn(Body):
    """A new person or service."""

    name: Slug
    kind: Literal["person", "service"]
    clearance_level: str = "internal"
    clearance_compartments: list[str] = Field(default_factory=list)
    roles: list[RoleIn] = Field(default_factory=list, max_length=50)


class RoleOut(Schema):
    """A role that is held."""

    role: str
    namespace: str


class PrincipalOut(Schema):
    """A principal with its roles."""

    id: UUID
    name: str
    kind: str
    clearance_level: str
    clearance_compartments: list[str]
    roles: list[RoleOut]
    disabled_at: datetime | None
    created_at: datetime


class PrincipalPage(Page):
    """Principals, newest first."""

    items: list[PrincipalOut]


class TokenIn(Body):
    """A token for a principal."""

    principal: Slug
    name: Text
    expires_at: AwareDatetime | None = None


class TokenOut(Schema):
    """What is known of a token; never the token itself."""

    id: UUID
    principal_id: UUID
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewTokenOut(TokenOut):
    """A token just made. It is shown this once."""

    token: str


class TokenPage(Page):
    """Tokens, newest first."""

    items: list[TokenOut]


@router.get("/me", **acts("self:read"))
def read_me(caller: Governed) -> PrincipalOut:
    """Who the caller is and what they hold."""
    caller.require(PLATFORM)
    return _shown(caller, [caller.principal])[0]


@router.get("/principals", **acts("principal:list"))
def list_principals(caller: Governed, limit: Limit = 50, cursor: Cursor = None) -> PrincipalPage:
    """All principals, newest first."""
    caller.require(PLATFORM)
    rows, following = page_of(
        caller.session, select(Principal), Principal.id, limit=limit, cursor=cursor
    )
    return PrincipalPage(items=_shown(caller, rows), next_cursor=following)


@router.post("/principals", status_code=201, **acts("principal:create"))
def create(body: PrincipalIn, caller: Governed, response: Response) -> PrincipalOut:
    """Create a person or service with roles."""
    caller.require(Resource("Principal", body.name, None, None))
    compartments = frozenset(body.clearance_compartments)
    scheme = caller.rules.scheme
    outermost = frozenset(zone for zone, around in scheme.zones.items() if around is None)
    scheme.check(Label(body.clearance_level, compartments, outermost, frozenset(scheme.purposes)))
    principal = create_principal(
        caller.session,
        body.name,
        kind=body.kind,
        clearance_level=body.clearance_level,
        clearance_compartments=compartments,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    for role in body.roles:
        grant_role(
            caller.session,
            principal,
            role.role,
            namespace=role.namespace,
            actor_id=caller.principal_id,
            at=caller.at,
        )
    caller.session.flush()
    tag(response, principal)
    return _shown(caller, [principal])[0]


@router.get("/principals/{name}", **acts("principal:read"))
def read(name: str, caller: Governed, response: Response) -> PrincipalOut:
    """One principal."""
    principal = _principal(caller, name)
    tag(response, principal)
    return _shown(caller, [principal])[0]


@router.post("/principals/{name}/roles", status_code=201, **acts("principal:update"))
def grant(name: str, body: RoleIn, caller: Governed) -> PrincipalOut:
    """Grant a role."""
    principal = _principal(caller, name)
    grant_role(
        caller.session,
        principal,
        body.role,
        namespace=body.namespace,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    caller.session.flush()
    return _shown(caller, [principal])[0]


@router.delete(
    "/principals/{name}/roles/{namespace}/{role}", status_code=204, **acts("principal:update")
)
def revoke(name: str, namespace: str, role: str, caller: Governed) -> Response:
    """Take a role away."""
    principal = _principal(caller, name)
    revoke_role(
        caller.session,
        principal,
        role,
        namespace=namespace,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return Response(status_code=204)


@router.post("/principals/{name}/disable", **acts("principal:update"))
def disable_principal(name: str, caller: Governed) -> PrincipalOut:
    """Accept none of this principal's tokens any more."""
    principal = _principal(caller, name)
    disable(caller.session, principal, actor_id=caller.principal_id, at=caller.at)
    caller.session.flush()
    return _shown(caller, [principal])[0]


@router.get("/tokens", **acts("token:list"))
def list_tokens(caller: Governed, limit: Limit = 50, cursor: Cursor = None) -> TokenPage:
    """What is known of all tokens, newest first."""
    caller.require(PLATFORM)
    rows, following = page_of(caller.session, select(Token), Token.id, limit=limit, cursor=cursor)
    return TokenPage(items=list(map(TokenOut.model_validate, rows)), next_cursor=following)


@router.post("/tokens", status_code=201, **acts("token:create"))
def create_token(body: TokenIn, caller: Governed) -> NewTokenOut:
    """Make a token. The answer holds it, this once: it cannot be read again or replayed."""
    caller.require(Resource("Principal", body.principal, None, None))
    principal = find_principal(caller.session, body.principal)
    token, secret = issue_token(
        caller.session,
        principal,
        body.name,
        actor_id=caller.principal_id,
        at=caller.at,
        expires_at=body.expires_at,
    )
    caller.session.flush()
    caller.answers_secret = True
    return NewTokenOut(**TokenOut.model_validate(token).model_dump(), token=secret)


@router.delete("/tokens/{token_id}", status_code=204, **acts("token:revoke"))
def revoke_a_token(token_id: UUID, caller: Governed) -> Response:
    """Refuse a token from now on."""
    token = caller.session.get(Token, token_id)
    owner = {"principal_id": str(token.principal_id)} if token is not None else {}
    caller.require(Resource("Token", str(token_id), None, None, owner))
    if token is None:
        raise NotFound("there is no such token")
    revoke_token(caller.session, token, actor_id=caller.principal_id, at=caller.at)
    return Response(status_code=204)


def _principal(caller: Governed, name: str) -> Principal:
    caller.require(Resource("Principal", name, None, None))
    return find_principal(caller.session, name)


def _shown(caller: Governed, principals: list[Principal]) -> list[PrincipalOut]:
    bindings = list(
        caller.session.scalars(
            select(RoleBinding)
            .where(RoleBinding.principal_id.in_([principal.id for principal in principals]))
            .order_by(RoleBinding.id)
        )
    )
    return [
        PrincipalOut(
            **{
                field: getattr(principal, field)
                for field in PrincipalOut.model_fields
                if field != "roles"
            },
            roles=[
                RoleOut.model_validate(binding)
                for binding in bindings
                if binding.principal_id == principal.id
            ],
        )
        for principal in principals
    ]
