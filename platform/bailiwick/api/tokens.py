"""`/tokens`: API tokens, shown once."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import ColumnElement, and_, or_, select

from bailiwick.access import (
    SCOPES,
    Principal,
    Token,
    default_expiry,
    find_principal,
    issue_token,
    revoke_token,
)
from bailiwick.api.schemas import Body, Schema, Slug, Text
from bailiwick.core.errors import NotFound
from bailiwick.policy import PLATFORM, Resource, require_clearance_of
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of

router = APIRouter(prefix="/tokens", tags=["access"], route_class=GovernedRoute)

State = Literal["in-force", "expired", "revoked"]


class TokenIn(Body):
    """A token for a principal, for all that it may do or for less."""

    principal: Slug
    name: Text
    expires_at: Annotated[
        AwareDatetime | None,
        Field(description="Left out: after 90 days, or sooner where less is allowed; null: never."),
    ] = None
    scopes: Annotated[
        list[str] | None,
        Field(description=f"What it is for, of {', '.join(SCOPES)}; null: everything."),
    ] = None
    namespaces: Annotated[
        list[Slug] | None, Field(max_length=100, description="Where it works; null: everywhere.")
    ] = None


class TokenOut(Schema):
    """What is known of a token; never the token itself.

    `vouched_by`: who but its owner has held it, or what it was made with.
    """

    id: UUID
    principal_id: UUID
    name: str
    scopes: list[str] | None
    namespaces: list[str] | None
    vouched_by: list[UUID]
    created_at: datetime
    created_by: UUID
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewTokenOut(TokenOut):
    """A token just made. It is shown this once."""

    token: str


class TokenPage(Page):
    """Tokens, newest first."""

    items: list[TokenOut]


@router.get("", **acts("token:list"))
def list_tokens(
    caller: Governed,
    principal: Annotated[str | None, Query(description="Only those of this principal.")] = None,
    state: Annotated[State | None, Query(description="Only these.")] = None,
    unused_since: Annotated[
        AwareDatetime | None, Query(description="Only those not used since, or never.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TokenPage:
    """What is known of tokens, newest first."""
    caller.require(PLATFORM)
    query = select(Token)
    if principal is not None:
        owner = select(Principal.id).where(Principal.name == principal)
        query = query.where(Token.principal_id.in_(owner))
    if state is not None:
        query = query.where(_is(state, caller.at))
    if unused_since is not None:
        unused = or_(Token.last_used_at.is_(None), Token.last_used_at < unused_since)
        query = query.where(unused)
    rows, following = page_of(caller.session, query, Token.id, limit=limit, cursor=cursor)
    return TokenPage(items=list(map(TokenOut.model_validate, rows)), next_cursor=following)


@router.post("", status_code=201, **acts("token:create"))
def create_token(body: TokenIn, caller: Governed) -> NewTokenOut:
    """Make a token. The answer holds it, this once: it cannot be read again or replayed.

    A token that is narrowed itself makes none that is wider or lives longer. One that is made for
    somebody else says so in each approval that is given with it.
    """
    caller.require(Resource("Principal", body.principal, None, None))
    principal = find_principal(caller.session, body.principal)
    require_clearance_of(caller.rules.scheme, caller.actor, principal)
    max_days = caller.platform.settings.token_max_days
    said = "expires_at" in body.model_fields_set
    token, secret = issue_token(
        caller.session,
        principal,
        body.name,
        actor_id=caller.principal_id,
        at=caller.at,
        expires_at=body.expires_at if said else default_expiry(caller.at, max_days),
        scopes=body.scopes,
        namespaces=body.namespaces,
        max_days=max_days,
        made_with=caller.token,
    )
    caller.session.flush()
    caller.answers_secret = True
    return NewTokenOut(**TokenOut.model_validate(token).model_dump(), token=secret)


@router.delete("/{token_id}", status_code=204, **acts("token:revoke"))
def revoke_a_token(token_id: UUID, caller: Governed) -> Response:
    """Refuse a token from now on."""
    token = caller.session.get(Token, token_id)
    owner = {"principal_id": str(token.principal_id)} if token is not None else {}
    caller.require(Resource("Token", str(token_id), None, None, owner))
    if token is None:
        raise NotFound("there is no such token")
    revoke_token(caller.session, token, actor_id=caller.principal_id, at=caller.at)
    return Response(status_code=204)


def _is(state: State, at: datetime) -> ColumnElement[bool]:
    revoked, expired = Token.revoked_at.is_not(None), Token.expires_at <= at
    lasting = or_(Token.expires_at.is_(None), Token.expires_at > at)
    return {
        "revoked": revoked,
        "expired": and_(Token.revoked_at.is_(None), expired),
        "in-force": and_(Token.revoked_at.is_(None), lasting),
    }[state]
