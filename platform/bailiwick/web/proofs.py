"""What a request brings to prove who sends it, looked at before its transaction begins.

A JWT may need the provider's newest keys, and its holder may have to be written down first;
neither may happen while the request holds the database.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from bailiwick.access import Claims, admit, known_person
from bailiwick.core.errors import Conflict, TooManyAttempts, Unauthenticated
from bailiwick.lifecycle.platform import Platform
from bailiwick.web.throttle import Throttle

JWT_DOTS = 2  # header, claims, signature; our own tokens hold none


def new_bearer_throttle() -> Throttle:
    """How many bearer tokens of one address may fail. Those that are right are never slowed."""
    return Throttle(60, window_seconds=300.0)


def bearer_of(request: Request) -> str | None:
    """The token after `Authorization: Bearer`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def address_of(request: Request) -> str:
    """Where the request comes from, as far as it can be known."""
    return request.client.host if request.client else "unknown"


async def prove_person(request: Request, platform: Platform) -> UUID | None:
    """Whom the OpenID provider says the caller is; None if they bring another proof, or none."""
    token = bearer_of(request)
    provider = platform.provider
    if token is None or provider is None or token.count(".") != JWT_DOTS:
        return None

    def prove() -> UUID:
        with failures_counted(request):
            claims = provider.read_access_token(token, at=platform.clock.now())
            return person_behind(platform, claims)

    return await run_in_threadpool(prove)


def person_behind(platform: Platform, claims: Claims) -> UUID:
    """The principal for these claims; in a transaction of its own if something has to change."""
    with platform.database.reading() as session:
        known = known_person(session, claims)
        if known is not None:
            return known.id
    with suppress(Conflict):  # another request has just made the same person
        return _admitted(platform, claims)
    return _admitted(platform, claims)


@contextmanager
def failures_counted(request: Request) -> Iterator[None]:
    """Counts a bearer token that is refused; too many from one address are told to wait."""
    try:
        yield
    except Unauthenticated as error:
        if bearer_of(request) is None:
            raise
        throttle: Throttle = request.app.state.bearer_failures
        address, now = address_of(request), time.monotonic()
        wait = throttle.wait_seconds(address, now)
        if wait:
            raise TooManyAttempts(
                f"{error.message} (too many tokens from your address were refused: wait "
                f"{wait} seconds before the next)",
                retry_after_seconds=wait,
            ) from error
        throttle.note_failure(address, now)
        raise


def _admitted(platform: Platform, claims: Claims) -> UUID:
    with platform.database.transaction() as session:
        return admit(
            session,
            claims,
            clearance_level=platform.settings.oidc_default_clearance,
            at=platform.clock.now(),
        ).id
