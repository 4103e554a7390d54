"""Signed-in browsers: a random cookie, kept as a hash, bound to this site."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypedDict
from uuid import UUID

from fastapi import Request
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bailiwick.access import Principal, Token, hash_token
from bailiwick.audit.log import record
from bailiwick.core.errors import Denied, Unauthenticated
from bailiwick.web.tables import ConsoleSession

CONSOLE = "/console"
COOKIE = "bailiwick_session"
LIFETIME = timedelta(hours=12)
IDLE = timedelta(hours=2)
NOTED_EVERY = timedelta(minutes=10)
READING = frozenset({"GET", "HEAD"})


class CookieRules(TypedDict):
    """Where a browser sends a cookie, and who may read it."""

    path: str
    secure: bool
    httponly: bool
    samesite: Literal["strict", "lax"]


@dataclass(frozen=True)
class SignedIn:
    """A session that stands, and the token that it was opened with, if it was."""

    principal: Principal
    kept: ConsoleSession
    token: Token | None


def cookie_name(request: Request, name: str = COOKIE) -> str:
    """On https with the prefix that keeps other hosts of the domain from setting it."""
    return f"__Host-{name}" if _is_secure(request) else name


def cookie_rules(request: Request, *, samesite: Literal["strict", "lax"] = "strict") -> CookieRules:
    """For the console's pages only; the prefix `__Host-` asks for the whole site."""
    secure = _is_secure(request)
    path = "/" if secure else CONSOLE
    return {"path": path, "secure": secure, "httponly": True, "samesite": samesite}


def cookie_of(request: Request) -> str | None:
    """The session's cookie, on the console's own pages: the API takes tokens."""
    own = request.url.path == CONSOLE or request.url.path.startswith(f"{CONSOLE}/")
    return request.cookies.get(cookie_name(request)) if own else None


def require_own_origin(request: Request) -> None:
    """A change must come from our own pages (`Origin`, RFC 6454)."""
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if request.method not in READING and request.headers.get("origin") != own:
        raise Denied("this did not come from the console's own pages; open the page again")


def sign_in(
    session: Session,
    principal: Principal,
    *,
    by: Literal["token", "password", "provider"],
    at: datetime,
    token: Token | None = None,
) -> str:
    """The value of a fresh session cookie, whatever cookie the browser had before."""
    session.execute(delete(ConsoleSession).where(ConsoleSession.expires_at <= at))
    cookie = secrets.token_urlsafe(32)
    session.add(
        ConsoleSession(
            principal_id=principal.id,
            token_id=token.id if token else None,
            cookie_hash=hash_token(cookie),
            created_at=at,
            last_used_at=at,
            expires_at=at + LIFETIME,
        )
    )
    session.flush()
    _event(session, "console.signed-in", principal.id, principal.id, at, by=by)
    return cookie


def signed_in(session: Session, cookie: str, *, at: datetime) -> SignedIn:
    """Who is signed in. Every way in which a session has ended gets the same answer."""
    found = session.execute(
        select(Principal, ConsoleSession, Token)
        .join(ConsoleSession, ConsoleSession.principal_id == Principal.id)
        .outerjoin(Token, Token.id == ConsoleSession.token_id)
        .where(ConsoleSession.cookie_hash == hash_token(cookie))
    ).first()
    if found is not None:
        principal, kept, token = found
        lasts = kept.expires_at > at and at - kept.last_used_at < IDLE
        if lasts and principal.disabled_at is None and _stands(token, at):
            return SignedIn(principal, kept, token)
    raise Unauthenticated("your session has ended; sign in again")


def is_session_unnoted(kept: ConsoleSession, *, at: datetime) -> bool:
    """Whether the use of a session is still to be noted, which is done to ten minutes."""
    return at - kept.last_used_at >= NOTED_EVERY


def note_session(session: Session, session_id: UUID, *, at: datetime) -> None:
    """Remember that the session was used."""
    session.execute(
        update(ConsoleSession).where(ConsoleSession.id == session_id).values(last_used_at=at)
    )


def sign_out(session: Session, cookie: str, *, at: datetime) -> UUID | None:
    """Forget the session; whose it was. An unknown one is fine."""
    kept = session.scalar(
        select(ConsoleSession).where(ConsoleSession.cookie_hash == hash_token(cookie))
    )
    if kept is None:
        return None
    session.delete(kept)
    _event(session, "console.signed-out", kept.principal_id, kept.principal_id, at)
    return kept.principal_id


def end_sessions(
    session: Session,
    principal_id: UUID,
    *,
    actor_id: UUID,
    at: datetime,
    keep: UUID | None = None,
) -> None:
    """Sign somebody out everywhere, but for the session `keep`."""
    theirs = delete(ConsoleSession).where(ConsoleSession.principal_id == principal_id)
    session.execute(theirs if keep is None else theirs.where(ConsoleSession.id != keep))
    _event(session, "console.sessions-ended", principal_id, actor_id, at)


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _stands(token: Token | None, at: datetime) -> bool:
    if token is None:
        return True
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > at)


def _event(
    session: Session,
    action: str,
    principal_id: UUID,
    actor_id: UUID,
    at: datetime,
    **details: object,
) -> None:
    record(
        session,
        action,
        subject_type="principal",
        subject_id=principal_id,
        actor_id=actor_id,
        at=at,
        details=details,
    )
