"""Errors as RFC 9457 problem details: one table from kind to status."""

import re
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from bailiwick.access import names
from bailiwick.blobs import CorruptBlob
from bailiwick.core.disks import is_full
from bailiwick.core.errors import (
    BailiwickError,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PreconditionFailed,
    TooLarge,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
)
from bailiwick.web.streams import UnsupportedMedia

log = structlog.get_logger(__name__)

STATUS: dict[type[BailiwickError], int] = {
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    Denied: 403,
    Unauthenticated: 401,
    UnsupportedMedia: 415,
    Invalid: 422,
    Unavailable: 503,
    TooLarge: 413,
    TooManyAttempts: 429,
    CorruptBlob: 500,
}
TITLES = {
    400: "Malformed request",
    401: "Not signed in",
    403: "Denied",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid",
    429: "Too many attempts",
    500: "Internal error",
    503: "Unavailable",
}

HEADERS = {503: {"Retry-After": "2"}}
# Where a client learns how to sign in (RFC 9728).
RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
# By status, for errors that the framework raises before any of our code runs.
FOREIGN = {
    400: ("malformed", "the request's body cannot be read; check its encoding and Content-Type"),
    404: ("not-found", "there is no such address; /openapi.json lists all that there are"),
    405: (
        "method-not-allowed",
        "this address exists, but not with this method; see /openapi.json",
    ),
}
# Messages of pydantic that repeat parts of the input, in other words.
REWORDED = {
    "uuid_parsing": "is not a UUID",
    "union_tag_invalid": "names a type that is not known here",
}
# Of patterns, what they stand for.
PATTERNS = {
    f"^{names.NAME.pattern}$": "should be 1 to 100 lower-case letters, digits, '.', '_' or '-', "
    "beginning and ending with a letter or digit",
    "^[^/]+/[^/]+$": "should read NAMESPACE/NAME",
    "^[a-z0-9._-]{1,100}/[a-z0-9._-]{1,100}$": "should read NAMESPACE/NAME",
}
SHOWN_FAULTS = 20
NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class Problem(BaseModel):
    """RFC 9457 problem details; `code` is stable, `detail` says what to do."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[dict[str, Any]] | None = None
    policies: list[str] | None = None
    decision: str | None = None


class ProblemResponse(JSONResponse):
    """`application/problem+json`."""

    media_type = "application/problem+json"


def status_of(error: BailiwickError) -> int:
    """The HTTP status of the error's nearest kind."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> ProblemResponse:
    """A problem answer; what is None in `extra` is left out."""
    content = {
        "type": f"urn:bailiwick:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
        **{name: value for name, value in extra.items() if value is not None},
    }
    sent = {**HEADERS.get(status, {}), **(headers or {})}
    return ProblemResponse(content, status_code=status, headers=sent)


def from_error(error: BailiwickError, request: Request | None = None) -> ProblemResponse:
    """The problem answer of one of our errors (to `request`, which a 401 sends to sign in)."""
    if not any(kind in STATUS for kind in type(error).__mro__):
        return problem(500, error.code, error.message)
    return problem(
        status_of(error),
        error.code,
        error.message,
        headers=_headers(error, request),
        policies=error.details.get("policies"),
        decision=error.details.get("decision"),
    )


def _headers(error: BailiwickError, request: Request | None) -> dict[str, str]:
    if isinstance(error, TooManyAttempts):
        return {"Retry-After": str(error.details["retry_after_seconds"])}
    if not isinstance(error, Unauthenticated) or request is None:
        return {}
    # What was sent was refused, or nothing was sent (RFC 6750, 3).
    fault = 'error="invalid_token", ' if "authorization" in request.headers else ""
    address = f"{request.base_url}".rstrip("/") + RESOURCE_METADATA
    return {"WWW-Authenticate": f'Bearer {fault}resource_metadata="{address}"'}


def install(app: FastAPI) -> None:
    """Answer every error of this app as a problem."""

    @app.exception_handler(BailiwickError)
    def ours(request: Request, error: BailiwickError) -> ProblemResponse:
        return from_error(error, request)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> ProblemResponse:
        faults = [
            {"where": _where(fault["loc"]), "what": _what(fault)}
            for fault in error.errors()[:SHOWN_FAULTS]
        ]
        named = "; ".join(f"{fault['where']}: {fault['what']}" for fault in faults[:5])
        return problem(422, "invalid", f"the request does not fit: {named}", errors=faults)

    @app.exception_handler(HTTPException)
    def foreign(_: Request, error: HTTPException) -> ProblemResponse:
        if isinstance(error.__cause__, OSError):  # of the form parser, which spools to disk
            said = error.__cause__.strerror
            return from_error(
                Unavailable(f"the upload cannot be kept on disk ({said}); free space in TMPDIR")
            )
        code, detail = FOREIGN.get(error.status_code, ("error", str(error.detail)))
        return problem(error.status_code, code, detail, headers=error.headers)

    @app.exception_handler(Exception)
    def unexpected(_: Request, error: Exception) -> ProblemResponse:
        if is_full(error):
            return from_error(
                Unavailable(
                    "a disk of the server is full; nothing was changed: free some space below "
                    "BAILIWICK_HOME, then try again"
                )
            )
        # Where, and not what it says: messages and local values can hold confidential text.
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("unexpected error", kind=type(error).__name__, frames=frames)
        return problem(
            500, "internal", "this is a defect of Bailiwick; the server's log has the details"
        )


def _what(fault: Mapping[str, Any]) -> str:
    """What is wrong, for people: no pattern, and no part of the input."""
    pattern = fault.get("ctx", {}).get("pattern")
    return PATTERNS.get(pattern) or REWORDED.get(fault["type"], str(fault["msg"]))


def _where(place: Sequence[int | str]) -> str:
    """Where in the request; a part that can be no field's name may be a text, and stays out."""
    return ".".join(part if NAME.fullmatch(part) else "…" for part in map(str, place))
