"""Browsers on their way to the OpenID provider and back.

What comes back is `state`, in the address; what stayed in the browser is a cookie. A row is found
by both together, so nobody can send somebody else the end of a sign-in of their own. The cookie
is `SameSite=Lax`, because the way back begins at another site.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from bailiwick.access import hash_token
from bailiwick.core.errors import Unauthenticated
from bailiwick.core.ids import new_id
from bailiwick.web.tables import PendingSignIn
from bailiwick.web.throttle import Throttle

COOKIE = "bailiwick_sign_in"
LIFETIME = timedelta(minutes=10)
MAX_STARTS, WINDOW_SECONDS = 60, 60.0  # of one address: each leaves a row for ten minutes


@dataclass(frozen=True)
class Departure:
    """What the browser takes along (`state`, `nonce`), keeps (`cookie`), and what we keep."""

    state: str
    cookie: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True)
class Return:
    """What we kept for whoever came back."""

    nonce: str
    code_verifier: str
    next_path: str


def new_start_throttle() -> Throttle:
    """How many sign-ins of one address may begin."""
    return Throttle(MAX_STARTS, window_seconds=WINDOW_SECONDS)


def depart(session: Session, *, next_path: str, at: datetime) -> Departure:
    """Remember a browser that is sent to the provider; forgets those that never came back."""
    session.execute(delete(PendingSignIn).where(PendingSignIn.expires_at <= at))
    # PKCE asks for 43 characters at least (RFC 7636, 4.1), which these are.
    gone = Departure(*(secrets.token_urlsafe(32) for _ in range(4)))
    session.add(
        PendingSignIn(
            id=new_id(),
            state_hash=_hash(gone.state, gone.cookie),
            nonce=gone.nonce,
            code_verifier=gone.code_verifier,
            next_path=next_path,
            expires_at=at + LIFETIME,
        )
    )
    return gone


def come_back(session: Session, state: str, cookie: str, *, at: datetime) -> Return:
    """What was kept, this once. Raises `Unauthenticated` for the second time and for others."""
    row = session.execute(
        delete(PendingSignIn)
        .where(PendingSignIn.state_hash == _hash(state, cookie), PendingSignIn.expires_at > at)
        .returning(PendingSignIn.nonce, PendingSignIn.code_verifier, PendingSignIn.next_path)
    ).first()
    if row is None:
        raise Unauthenticated(
            "this sign-in was not begun in this browser, took more than ten minutes or is over "
            "already; start again"
        )
    return Return(*row)


def _hash(state: str, cookie: str) -> str:
    return hash_token(f"{state} {cookie}")
