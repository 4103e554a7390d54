"""Signing in at the OpenID provider: the way there, and the way back.

The way back comes from another site, so the browser would not send our strict cookie on with a
redirect: a page of ours does, from which the browser goes on by itself.
"""

import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from bailiwick.access import OpenIdProvider
from bailiwick.console.rendering import plain_page
from bailiwick.console.routing import HOME, OpenPage, local_path
from bailiwick.console.sign_in import keep_cookie, sign_in_page
from bailiwick.core.errors import (
    NotFound,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
)
from bailiwick.lifecycle import Platform
from bailiwick.web import pending_sign_ins as pending
from bailiwick.web.proofs import address_of
from bailiwick.web.sessions import cookie_name, cookie_rules
from bailiwick.web.sign_ins import by_provider
from bailiwick.web.throttle import Throttle

BACK = f"{HOME}/sign-in/callback"
REFUSALS = (Unauthenticated, TooManyAttempts, Unavailable)


def make_single_sign_on_router() -> APIRouter:
    """The two pages, open to all."""
    router = APIRouter(prefix=f"{HOME}/sign-in", include_in_schema=False, route_class=OpenPage)

    @router.get("/provider")
    def go(request: Request, next: str | None = None) -> Response:  # noqa: A002 - the query's name
        try:
            _count(request.app.state.sign_in_starts, address_of(request))
            return _depart(request, local_path(next))
        except REFUSALS as error:
            return sign_in_page(request, next, by="provider", error=error)

    @router.get("/callback")
    def come_back(
        request: Request, state: str = "", code: str = "", iss: str | None = None
    ) -> Response:
        try:
            response = _arrive(request, state, code, iss)
        except REFUSALS as error:
            response = sign_in_page(request, None, by="provider", error=error)
        response.delete_cookie(
            cookie_name(request, pending.COOKIE), **cookie_rules(request, samesite="lax")
        )
        return response

    return router


def _depart(request: Request, next_path: str) -> Response:
    platform, provider = _here(request)
    with platform.database.transaction() as session:
        gone = pending.depart(session, next_path=next_path, at=platform.clock.now())
    address = provider.address_to_sign_in(
        _own_address(request), state=gone.state, nonce=gone.nonce, code_verifier=gone.code_verifier
    )
    response = RedirectResponse(address, 303)
    response.set_cookie(
        cookie_name(request, pending.COOKIE),
        gone.cookie,
        max_age=int(pending.LIFETIME.total_seconds()),
        **cookie_rules(request, samesite="lax"),
    )
    return response


def _arrive(request: Request, state: str, code: str, issuer: str | None) -> Response:
    platform, provider = _here(request)
    now = platform.clock.now()
    cookie = request.cookies.get(cookie_name(request, pending.COOKIE), "")
    with platform.database.transaction() as session:  # committed: whatever follows, it is used up
        kept = pending.come_back(session, state, cookie, at=now)
    if not code or issuer not in (None, provider.issuer):  # RFC 9207
        raise Unauthenticated("the provider did not sign you in; start again")
    claims = provider.redeem(
        code, _own_address(request), nonce=kept.nonce, code_verifier=kept.code_verifier, at=now
    )
    arrived = plain_page(request, "arriving.html", title="Arriving", address=kept.next_path)
    return keep_cookie(request, arrived, by_provider(platform, claims))


def _here(request: Request) -> tuple[Platform, OpenIdProvider]:
    platform: Platform = request.app.state.platform
    if platform.provider is None:
        raise NotFound("there is no single sign-on here")
    return platform, platform.provider


def _own_address(request: Request) -> str:
    """The `redirect_uri`, which the provider compares with those registered for the client."""
    return f"{request.url.scheme}://{request.headers.get('host', '')}{BACK}"


def _count(starts: Throttle, address: str) -> None:
    now = time.monotonic()
    wait = starts.wait_seconds(address, now)
    if wait:
        raise TooManyAttempts(
            f"too many sign-ins were begun from your address; try again in {wait} seconds",
            retry_after_seconds=wait,
        )
    starts.note_failure(address, now)
