"""API tokens: shown once, kept as a hash, made for as little as one likes."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bailiwick.access.names import checked_name
from bailiwick.access.tables import Principal, Token
from bailiwick.audit.log import record
from bailiwick.core.errors import Denied, Invalid, Unauthenticated
from bailiwick.core.ids import new_id

PREFIX = "bwk_"
LAST_USED_PRECISION = timedelta(minutes=10)
DEFAULT_DAYS = 90
# What a token can be for: the groups of actions that the policy `token-scope` knows.
SCOPES = (
    "read",
    "content",
    "oversight",
    "build",
    "operate",
    "predict",
    "curate",
    "approve",
    "govern",
    "administer",
)


class WiderToken(Denied):
    """A token made for less than its owner may do cannot make one for more."""

    code = "wider-token"


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
    scopes: Collection[str] | None = None,
    namespaces: Collection[str] | None = None,
    max_days: int | None = None,
    made_with: Token | None = None,
) -> tuple[Token, str]:
    """A new token's row and its text, which nobody can read again.

    `scopes` and `namespaces` narrow what it is for; None does not. `max_days` is the longest
    life that the installation allows. `made_with`: the token that its maker uses; one that is
    narrowed gives no more than it has, and not for longer (`WiderToken`), and whoever has held
    that one could have made this one.
    """
    _check_life(expires_at, at, max_days)
    _check_words(scopes, namespaces)
    _check_width(made_with, scopes, namespaces, expires_at)
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token(
        id=new_id(),
        principal_id=principal.id,
        name=name,
        token_hash=hash_token(secret),
        scopes=_sorted(scopes),
        namespaces=_sorted(namespaces),
        vouched_by=_vouchers(principal, actor_id, made_with),
        created_at=at,
        created_by=actor_id,
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
            "scopes": token.scopes,
            "namespaces": token.namespaces,
            "vouched_by": token.vouched_by,
        },
    )
    return token, secret


def default_expiry(at: datetime, max_days: int | None) -> datetime:
    """When a token ends of which nobody said when: after 90 days, or what is allowed if less."""
    return at + timedelta(days=min(DEFAULT_DAYS, max_days or DEFAULT_DAYS))


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
    found = session.execute(_HOLDER, {"token_hash": hash_token(secret)}).first()
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


def _check_life(expires_at: datetime | None, at: datetime, max_days: int | None) -> None:
    if expires_at is not None and expires_at <= at:
        raise Invalid("the token would have expired already; give a later expires_at")
    if max_days is not None and (expires_at is None or expires_at > at + timedelta(days=max_days)):
        raise Invalid(
            f"tokens live {max_days} days at most here (BAILIWICK_TOKEN_MAX_DAYS); "
            "give an earlier expires_at, or none for the usual"
        )


def _check_words(scopes: Collection[str] | None, namespaces: Collection[str] | None) -> None:
    unknown = sorted(set(scopes or ()) - set(SCOPES))
    if unknown:
        raise Invalid(f"there is no scope {unknown[0]!r}; the scopes are {', '.join(SCOPES)}")
    for given, what in ((scopes, "scopes"), (namespaces, "namespaces")):
        if given is not None and not given:
            raise Invalid(f"a token without {what} is for nothing; name some, or leave them out")
    for namespace in namespaces or ():
        checked_name(namespace, "namespace")


def require_whole(token: Token | None) -> None:
    """`WiderToken` for a narrowed token where something without limits is given (a password)."""
    if token is not None and _is_narrow(token):
        raise WiderToken(
            "the token in use was made for less than this: what it would give has no such limits; "
            "use a token without them"
        )


def _is_narrow(token: Token) -> bool:
    return token.scopes is not None or token.namespaces is not None


def _check_width(
    maker: Token | None,
    scopes: Collection[str] | None,
    namespaces: Collection[str] | None,
    expires_at: datetime | None,
) -> None:
    if maker is None or not _is_narrow(maker):
        return
    wider = _exceeds(scopes, maker.scopes) or _exceeds(namespaces, maker.namespaces)
    outlives = maker.expires_at is not None and (
        expires_at is None or expires_at > maker.expires_at
    )
    if wider or outlives:
        raise WiderToken(
            "the token in use was made for less than this: name no scopes and namespaces beyond "
            "its own and no later end, or use a token without such limits"
        )


def _exceeds(asked: Collection[str] | None, allowed: Collection[str] | None) -> bool:
    return allowed is not None and (asked is None or not set(asked) <= set(allowed))


def _vouchers(owner: Principal, maker_id: UUID, made_with: Token | None) -> list[str]:
    """Everybody but its owner who could hold a token that is made now."""
    before = made_with.vouched_by if made_with is not None else []
    return sorted({str(maker_id), *before} - {str(owner.id)})


def _sorted(words: Collection[str] | None) -> list[str] | None:
    return None if words is None else sorted(set(words))


# Composed once, as each request needs it: composing costs more than running it.
_HOLDER = (
    select(Principal, Token)
    .join(Token, Token.principal_id == Principal.id)
    .where(Token.token_hash == bindparam("token_hash"))
)
