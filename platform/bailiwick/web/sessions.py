"""Signed-in browsers: a random cookie, kept as a hash, bound to this site."""

import secrets
from datetime import datetime, timedelta

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import Principal, hash_token
from bailiwick.audit.log import record
from bailiwick.core.errors import Denied, Unauthenticated
from bailiwick.web.tables import ConsoleSession

COOKIE = "bailiwick_session"
LIFETIME = timedelta(hours=12)


def sign_in(session: Session, principal: Principal, *, at: datetime) -> str:
    """The value of a fresh session cookie."""
    cookie = secrets.token_urlsafe(32)
    kept = ConsoleSession(
        principal_id=principal.id,
        cookie_hash=hash_token(cookie),
        created_at=at,
        expires_at=at + LIFETIME,
    )
    session.add(kept)
    session.flush()
    record(
        session,
        "console.signed-in",
        subject_type="principal",
        subject_id=principal.id,
        actor_id=principal.id,
        at=at,
    )
    return cookie


def sign_out(session: Session, cookie: str) -> None:
    """Forget the session; an unknown one is fine."""
    kept = session.scalar(
        select(ConsoleSession).where(ConsoleSession.cookie_hash == hash_token(cookie))
    )
    if kept is not None:
        session.delete(kept)


def session_principal(
    session: Session, cookie: str, request: Request, *, at: datetime
) -> Principal:
    """Who is signed in. A write must come from our own pages (`Origin`, RFC 6454)."""
    if request.method not in ("GET", "HEAD"):
        origin = request.headers.get("origin")
        own = f"{request.url.scheme}://{request.headers.get('host', '')}"
        if origin != own:
            raise Denied("this request did not come from the console's own pages")
    found = session.execute(
        select(Principal, ConsoleSession)
        .join(ConsoleSession, ConsoleSession.principal_id == Principal.id)
        .where(ConsoleSession.cookie_hash == hash_token(cookie))
    ).first()
    if found is not None:
        principal, kept = found
        if kept.expires_at > at and principal.disabled_at is None:
            return principal
    raise Unauthenticated("your session has ended; sign in again")
