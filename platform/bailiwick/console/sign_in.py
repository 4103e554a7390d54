"""Signing in with a local password or an API token, and out; see `single_sign_on` for the third."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bailiwick.access import Password
from bailiwick.console.rendering import plain_page
from bailiwick.console.routing import HOME, SIGN_IN, OpenPage, local_path
from bailiwick.core.errors import BailiwickError, NotFound, TooManyAttempts, Unauthenticated
from bailiwick.lifecycle import Platform
from bailiwick.web import LIFETIME, end_sessions
from bailiwick.web.problem import status_of
from bailiwick.web.proofs import address_of
from bailiwick.web.sessions import (
    cookie_name,
    cookie_of,
    cookie_rules,
    require_own_origin,
    sign_out,
    signed_in,
)
from bailiwick.web.sign_ins import by_password, by_token

MAX_FIELD_LENGTH = 1_000

Field = Annotated[str, Form(max_length=MAX_FIELD_LENGTH)]
NextPath = Annotated[str | None, Form()]


def make_open_router() -> APIRouter:
    """The pages that need no session."""
    router = APIRouter(prefix=HOME, include_in_schema=False, route_class=OpenPage)

    @router.get("/sign-in")
    def ask(request: Request, next: str | None = None) -> Response:  # noqa: A002 - the query's name
        if _is_signed_in(request):
            return RedirectResponse(local_path(next), 303)
        return sign_in_page(request, next)

    @router.post("/sign-in")
    def enter_by_token(request: Request, token: Field = "", next: NextPath = None) -> Response:  # noqa: A002 - the field's name
        require_own_origin(request)
        try:
            cookie = by_token(_platform(request), token.strip(), address=address_of(request))
        except (Unauthenticated, TooManyAttempts) as error:
            return sign_in_page(request, next, by="token", error=error)
        return keep_cookie(request, RedirectResponse(local_path(next), 303), cookie)

    @router.post("/sign-in/password")
    def enter_by_password(
        request: Request,
        name: Field = "",
        password: Field = "",
        next: NextPath = None,  # noqa: A002 - the field's name
    ) -> Response:
        require_own_origin(request)
        platform = _platform(request)
        if not platform.settings.local_passwords:
            raise NotFound("there are no local passwords here")
        try:
            cookie = by_password(platform, name, password, address=address_of(request))
        except (Unauthenticated, TooManyAttempts) as error:
            return sign_in_page(request, next, by="password", name=name, error=error)
        return keep_cookie(request, RedirectResponse(local_path(next), 303), cookie)

    @router.post("/sign-out")
    def leave(request: Request, everywhere: Annotated[bool, Form()] = False) -> Response:  # noqa: FBT002 - a button's value
        require_own_origin(request)
        platform = _platform(request)
        now = platform.clock.now()
        with platform.database.transaction() as session:
            person_id = sign_out(session, cookie_of(request) or "", at=now)
            if everywhere and person_id is not None:
                end_sessions(session, person_id, actor_id=person_id, at=now)
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(cookie_name(request), **cookie_rules(request))
        return response

    return router


def make_last_router() -> APIRouter:
    """What answers every address of the console that nothing else has answered."""
    router = APIRouter(prefix=HOME, include_in_schema=False, route_class=OpenPage)

    @router.get("/{path:path}")
    def nowhere(path: str) -> Response:
        raise NotFound(f"there is no page {path!r}")

    return router


def keep_cookie(request: Request, response: Response, cookie: str) -> Response:
    """The response, with the fresh session's cookie; the session it replaces ends."""
    former = cookie_of(request)
    if former:
        platform = _platform(request)
        with platform.database.transaction() as session:
            sign_out(session, former, at=platform.clock.now())
    lifetime_seconds = int(LIFETIME.total_seconds())
    response.set_cookie(
        cookie_name(request), cookie, max_age=lifetime_seconds, **cookie_rules(request)
    )
    return response


def sign_in_page(
    request: Request,
    next_path: str | None,
    *,
    by: str = "",
    name: str = "",
    error: BailiwickError | None = None,
) -> Response:
    """The ways to sign in that there are here; `error` says what went wrong with one, `by`."""
    platform = _platform(request)
    response = plain_page(
        request,
        "sign_in.html",
        title="Sign in",
        status=status_of(error) if error else 200,
        next=local_path(next_path),
        by=by,
        name=name,
        problem=error.message[:1].upper() + error.message[1:] if error else "",
        provider=platform.provider,
        passwords=platform.settings.local_passwords,
        has_passwords=platform.settings.local_passwords and _has_passwords(platform),
    )
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.details["retry_after_seconds"])
    return response


def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


def _is_signed_in(request: Request) -> bool:
    platform = _platform(request)
    with platform.database.reading() as session:
        try:
            signed_in(session, cookie_of(request) or "", at=platform.clock.now())
        except Unauthenticated:
            return False
    return True


def _has_passwords(platform: Platform) -> bool:
    with platform.database.reading() as session:
        return session.scalar(select(Password.principal_id).limit(1)) is not None
