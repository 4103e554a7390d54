"""From a proof of identity to a console session: a token, a password, or the provider's word.

Each returns the value of a fresh cookie, and raises `Unauthenticated` or `TooManyAttempts`.
"""

from bailiwick.access import (
    Claims,
    Principal,
    authenticate,
    check_attempt,
    forgive,
    keep_rehashed,
    note_attempt,
    note_use,
    stored_password,
    wrong_password,
)
from bailiwick.core.errors import Unauthenticated
from bailiwick.lifecycle.platform import Platform
from bailiwick.web.proofs import person_behind
from bailiwick.web.sessions import sign_in


def by_token(platform: Platform, secret: str, *, address: str) -> str:
    """A session that can do what the token can, and ends with it."""
    now = platform.clock.now()
    try:
        with platform.database.reading() as session:
            check_attempt(session, address=address, name=None, at=now)
            authenticate(session, secret, at=now)
    except Unauthenticated:
        with platform.database.transaction() as session:
            note_attempt(session, address=address, name=None, at=now)
        raise
    with platform.database.transaction() as session:
        principal, token = authenticate(session, secret, at=now)
        note_use(session, token.id, at=now)
        return sign_in(session, principal, by="token", token=token, at=now)


def by_password(platform: Platform, name: str, password: str, *, address: str) -> str:
    """A session for the person of that name. The same work is done for a name that nobody has."""
    now = platform.clock.now()
    with platform.database.reading() as session:
        found = stored_password(session, name)
    with platform.database.transaction() as session:
        note_attempt(session, address=address, name=name, at=now)
    stored = found[1] if found else None
    if not platform.hasher.fits(password, stored) or stored is None:
        raise wrong_password()
    fresh = platform.hasher.hash(password) if platform.hasher.is_outdated(stored) else None
    with platform.database.transaction() as session:
        again = stored_password(session, name)
        if again is None or again[1] != stored:  # changed, or disabled, while we were looking
            raise wrong_password()
        forgive(session, address=address, name=name, at=now)
        if fresh is not None:
            keep_rehashed(session, again[0], old=stored, new=fresh)
        return sign_in(session, again[0], by="password", at=now)


def by_provider(platform: Platform, claims: Claims) -> str:
    """A session for the person whom the provider named."""
    person_id = person_behind(platform, claims)
    with platform.database.transaction() as session:
        principal = session.get_one(Principal, person_id)
        return sign_in(session, principal, by="provider", at=platform.clock.now())
