"""Errors as RFC 9457 problem details: one table from kind to status."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from bailiwick.blobs import CorruptBlob
from bailiwick.core.errors import (
    BailiwickError,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

log = structlog.get_logger(__name__)

STATUS: dict[type[BailiwickError], int] = {
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    Denied: 403,
    Unauthenticated: 401,
    Invalid: 422,
    Unavailable: 503,
    TooLarge: 413,
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
    422: "Invalid",
    500: "Internal error",
    503: "Unavailable",
}


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


def problem(status: int, code: str, detail: str, **extra: Any) -> ProblemResponse:
    """A problem answer."""
    content = {
        "type": f"urn:bailiwick:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
        **{name: value for name, value in extra.items() if value is not None},
    }
    headers = {}
    if status == STATUS[Unauthenticated]:
        headers["WWW-Authenticate"] = 'Bearer realm="bailiwick"'
    if status == STATUS[Unavailable]:
        headers["Retry-After"] = "2"
    return ProblemResponse(content, status_code=status, headers=headers)


def from_error(error: BailiwickError) -> ProblemResponse:
    """The problem answer of one of our errors."""
    if not any(kind in STATUS for kind in type(error).__mro__):
        return problem(500, error.code, error.message)
    return problem(
        status_of(error),
        error.code,
        error.message,
        policies=error.details.get("policies"),
        decision=error.details.get("decision"),
    )


def install(app: FastAPI) -> None:
    """Answer every error of this app as a problem."""

    @app.exception_handler(BailiwickError)
    def ours(_: Request, error: BailiwickError) -> ProblemResponse:
        return from_error(error)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> ProblemResponse:
        # Not the input itself: it can hold confidential text.
        faults = [
            {"where": ".".join(map(str, fault["loc"])), "what": fault["msg"]}
            for fault in error.errors()
        ]
        named = "; ".join(f"{fault['where']}: {fault['what']}" for fault in faults[:5])
        return problem(422, "invalid", f"the request does not fit: {named}", errors=faults)

    @app.exception_handler(HTTPException)
    def foreign(_: Request, error: HTTPException) -> ProblemResponse:
        codes = {404: "not-found", 405: "method-not-allowed"}
        details = {
            404: "there is no such address; /openapi.json lists all that there are",
            405: "this address exists, but not with this method; see /openapi.json",
        }
        code = codes.get(error.status_code, "error")
        return problem(error.status_code, code, details.get(error.status_code, str(error.detail)))

    @app.exception_handler(Exception)
    def unexpected(_: Request, error: Exception) -> ProblemResponse:
        log.error("unexpected error", kind=type(error).__name__, exc_info=error)
        return problem(
            500, "internal", "this is a defect of Bailiwick; the server's log has the details"
        )
