"""How pages are served: errors that people can read, and headers that confine the browser."""

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from bailiwick.console.rendering import plain_page, sentence
from bailiwick.core.errors import BailiwickError, NotFound, Unauthenticated
from bailiwick.web import GovernedRoute
from bailiwick.web.problem import TITLES, status_of

log = structlog.get_logger(__name__)

HOME = "/console"
SIGN_IN = "/console/sign-in"
READING = frozenset({"GET", "HEAD"})
# No inline script or style, nothing from elsewhere, no framing by other sites.
PAGE_POLICY = (
    "default-src 'self'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer` browsers send `Origin: null` from our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_PAGE_PATH = re.compile(r"/console(?:[/?][^\\\x00-\x1f\x7f]*)?")

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


class GovernedPage(GovernedRoute):
    """A page of a signed-in caller: one transaction, one policy action."""

    def get_route_handler(self) -> Answer:
        """The governed handler, its errors as pages."""
        return _readable(super().get_route_handler())


class OpenPage(APIRoute):
    """A page that anybody may open: signing in and out, and the answer to a wrong address."""

    def get_route_handler(self) -> Answer:
        """The plain handler, its errors as pages."""
        return _readable(super().get_route_handler())


def local_path(path: str | None) -> str:
    """`path` if it is a page of this console, else its home: never another site."""
    return path if path is not None and _PAGE_PATH.fullmatch(path) else HOME


def _readable(answer: Answer) -> Answer:
    async def handle(request: Request) -> Response:
        try:
            response = await answer(request)
        except Unauthenticated:
            response = _to_sign_in(request)
        except BailiwickError as error:
            response = error_page(request, error)
        except RequestValidationError:
            response = _page(request, 422, "A value is missing or too long; go back and check it.")
        except HTTPException as error:
            response = _page(request, error.status_code, str(error.detail))
        except Exception as error:
            log.exception("unexpected error", kind=type(error).__name__)
            detail = "This is a defect of Bailiwick; the server's log has the details."
            response = _page(request, 500, detail)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return handle


def error_page(request: Request, error: BailiwickError) -> Response:
    """One of our errors as a page. What is hidden and what is not there read the same."""
    if isinstance(error, NotFound):
        return _page(request, 404, "There is no such page here, or you may not see it.")
    return _page(request, status_of(error), error.message, told=error.details)


def _page(
    request: Request, status: int, detail: str, *, told: Mapping[str, object] | None = None
) -> Response:
    title = TITLES.get(status, "Error")
    return plain_page(
        request,
        "error.html",
        title=title,
        status=status,
        code=status,
        detail=sentence(detail),
        told=told or {},
    )


def _to_sign_in(request: Request) -> Response:
    """Whoever is not signed in comes back to the page that they wanted."""
    wanted = request.url.path
    if request.url.query:
        wanted += f"?{request.url.query}"
    target = wanted if request.method in READING else HOME
    address = f"{SIGN_IN}?next={quote(local_path(target), safe='/')}"
    if request.headers.get("sec-fetch-site") == "cross-site":
        # A link in somebody's mail: the browser withholds a strict cookie until our own page asks.
        return plain_page(request, "arriving.html", title="Arriving", address=address)
    return RedirectResponse(address, 303)
