"""Signing in with an API token, and out."""

import time
from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from bailiwick.access import authenticate, note_use
from bailiwick.console.rendering import plain_page
from bailiwick.console.routing import HOME, SIGN_IN, OpenPage, local_path
from bailiwick.console.throttle import Throttle
from bailiwick.core.errors import Denied, NotFound, Unauthenticated
from bailiwick.lifecycle import Platform
from bailiwick.web import COOKIE, LIFETIME, session_principal, sign_in, sign_out
from bailiwick.web.problem import STATUS

MAX_TOKEN_LENGTH = 500


class _Site(TypedDict):
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["strict"]


def make_open_router() -> APIRouter:
    """The pages that need no session; holds the count of failed attempts."""
    router = APIRouter(prefix=HOME, include_in_schema=False, route_class=OpenPage)
    throttle = Throttle()

    @router.get("/sign-in")
    def ask(request: Request, next: str | None = None) -> Response:  # noqa: A002 - the query's name
        if _is_signed_in(request):
            return RedirectResponse(local_path(next), 303)
        return _form(request, next)

    @router.post("/sign-in")
    def enter(
        request: Request,
        token: Annotated[str, Form(max_length=MAX_TOKEN_LENGTH)] = "",
        next: Annotated[str | None, Form()] = None,  # noqa: A002 - the field's name
    ) -> Response:
        require_own_origin(request)
        address = request.client.host if request.client else "unknown"
        wait = throttle.wait_seconds(address, time.monotonic())
        if wait:
            return _form(request, next, status=429, wait_seconds=wait)
        try:
            cookie = _open_session(request.app.state.platform, token.strip())
        except Unauthenticated:
            throttle.note_failure(address, time.monotonic())
            return _form(request, next, status=401)
        response = RedirectResponse(local_path(next), 303)
        response.set_cookie(COOKIE, cookie, max_age=int(LIFETIME.total_seconds()), **_site(request))
        return response

    @router.post("/sign-out")
    def leave(request: Request) -> Response:
        require_own_origin(request)
        platform: Platform = request.app.state.platform
        with platform.database.transaction() as session:
            sign_out(session, request.cookies.get(COOKIE, ""))
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(COOKIE, **_site(request))
        return response

    return router


def make_last_router() -> APIRouter:
    """What answers every address of the console that nothing else has answered."""
    router = APIRouter(prefix=HOME, include_in_schema=False, route_class=OpenPage)

    @router.get("/{path:path}")
    def nowhere(path: str) -> Response:
        raise NotFound(f"there is no page {path!r}")

    return router


def require_own_origin(request: Request) -> None:
    """A form must come from our own pages (`Origin`, RFC 6454)."""
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if request.headers.get("origin") != own:
        raise Denied("this form did not come from the console's own pages; open the page again")


def _is_signed_in(request: Request) -> bool:
    platform: Platform = request.app.state.platform
    cookie = request.cookies.get(COOKIE, "")
    with platform.database.reading() as session:
        try:
            session_principal(session, cookie, request, at=platform.clock.now())
        except Unauthenticated:
            return False
    return True


def _open_session(platform: Platform, secret: str) -> str:
    now = platform.clock.now()
    with platform.database.reading() as session:
        authenticate(session, secret, at=now)  # a wrong token never takes the write lock
    with platform.database.transaction() as session:
        principal, token = authenticate(session, secret, at=now)
        note_use(session, token.id, at=now)
        return sign_in(session, principal, at=now)


def _form(
    request: Request, next_path: str | None, *, status: int = 200, wait_seconds: int = 0
) -> Response:
    response = plain_page(
        request,
        "sign_in.html",
        title="Sign in",
        status=status,
        next=local_path(next_path),
        failed=status == STATUS[Unauthenticated],
        wait_minutes=-(-wait_seconds // 60),
    )
    if wait_seconds:
        response.headers["Retry-After"] = str(wait_seconds)
    return response


def _site(request: Request) -> _Site:
    # The API takes tokens: the cookie is for these pages only.
    return {
        "path": HOME,
        "secure": request.url.scheme == "https",
        "httponly": True,
        "samesite": "strict",
    }
