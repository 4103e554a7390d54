"""API tokens: shown once, kept as a hash."""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bailiwick.access.tables import Principal, Token
from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid, Unauthenticated
from bailiwick.core.ids import new_id

PREFIX = "bwk_"
LAST_USED_PRECISION = timedelta(minutes=10)


def hash_token(token: str) -> str:
    """SHA-256 is enough: the token holds 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()


def issue_token(
    session: Session,
    principal: Principal,
    name: str,
    *,
    actor_id: UUID,
    at: datetime,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """A new token's row and its text, which nobody can read again."""
    if expires_at is not None and expires_at <= at:
        raise Invalid("the token would have expired already; give a later expires_at")
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token(
        id=new_id(),
        principal_id=principal.id,
        name=name,
        token_hash=hash_token(secret),
        created_at=at,
        expires_at=expires_at,
    )
    session.add(token)
    record(
        session,
        "token.issued",
        subject_type="token",
        subject_id=token.id,
        actor_id=actor_id,
        at=at,
        details={
            "principal": str(principal.id),
            "expires_at": expires_at.isoformat() if expires_at else None,
        },
    )
    return token, secret


def revoke_token(session: Session, token: Token, *, actor_id: UUID, at: datetime) -> None:
    """The token is refused from now on; revoking twice changes nothing."""
    if token.revoked_at is not None:
        return
    token.revoked_at = at
    record(
        session,
        "token.revoked",
        subject_type="token",
        subject_id=token.id,
        actor_id=actor_id,
        at=at,
    )


def authenticate(session: Session, secret: str, *, at: datetime) -> tuple[Principal, Token]:
    """Who holds this token. Every way of being wrong gets the same answer."""
    found = session.execute(
        select(Principal, Token)
        .join(Token, Token.principal_id == Principal.id)
        .where(Token.token_hash == hash_token(secret))
    ).first()
    if found is not None:
        principal, token = found
        expired = token.expires_at is not None and token.expires_at <= at
        if not expired and token.revoked_at is None and principal.disabled_at is None:
            return principal, token
    raise Unauthenticated(
        "this token is not valid here (wrong, expired, revoked, or its owner is disabled); "
        "ask an admin for a new one: `bailiwick token create NAME`"
    )


def is_use_unnoted(token: Token, *, at: datetime) -> bool:
    """Whether the use of a token is still to be noted, which is done to ten minutes."""
    return token.last_used_at is None or at - token.last_used_at >= LAST_USED_PRECISION


def note_use(session: Session, token_id: UUID, *, at: datetime) -> None:
    """Remember that the token was used."""
    session.execute(update(Token).where(Token.id == token_id).values(last_used_at=at))
