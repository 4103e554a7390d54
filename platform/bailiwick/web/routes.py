"""How every route is served: one transaction, one declared action, an answer kept for retries.

A route of a governed router names its policy action (`**acts("model:read")`) and must ask the
policy through its `Caller` before it answers; one that did not is refused. The transaction
is committed before the answer leaves: what a client was told has happened, has.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from bailiwick.core.canonical import sha256_hex
from bailiwick.core.errors import BailiwickError, Conflict, Invalid, TooLarge
from bailiwick.lifecycle.platform import Platform
from bailiwick.policy import DeniedByPolicy, HiddenByPolicy, record_denial
from bailiwick.web.callers import Caller
from bailiwick.web.tables import IdempotentResponse

ACTION = "x-bailiwick-action"
OWN = "x-bailiwick-own-transaction"
READING = frozenset({"GET", "HEAD"})
MAX_KEY_LENGTH = 200


class IdempotencyConflict(Conflict):
    """The key was used for another request."""

    code = "idempotency-key-reused"


def acts(action: str, *, own_transaction: bool = False) -> dict[str, Any]:
    """Declare a route's policy action: `@router.get("/models", **acts("model:list"))`.

    `own_transaction`: the route does slow work (an upload, a model's answer) before it writes;
    its caller's session only reads, it opens a writing transaction itself at the end, and it is
    safe to repeat by its content instead of by `Idempotency-Key`.
    """
    return {"openapi_extra": {ACTION: action} | ({OWN: True} if own_transaction else {})}


class GovernedRoute(APIRoute):
    """A route with a transaction, a policy action and, for writes, `Idempotency-Key`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that FastAPI calls; refuses to exist without an action."""
        extra = self.openapi_extra or {}
        action = extra.get(ACTION)
        if not action:
            message = f"route {self.path} declares no policy action"
            raise RuntimeError(message)
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            platform: Platform = request.app.state.platform
            _check_length(request, platform)
            writes = request.method not in READING and not extra.get(OWN)
            if writes:
                await request.body()  # before the database's write lock is taken, not under it
            database = platform.database
            unit = database.transaction() if writes else database.reading()
            session = await run_in_threadpool(unit.__enter__)
            try:
                caller = await run_in_threadpool(
                    Caller.identify, request, session, platform, action
                )
                request.state.caller = caller
                response = await _replayed(request, session, caller) if writes else None
                if response is None:
                    response = await answer(request)
                    caller.check_decided()
                    if writes:
                        await _remember(request, session, caller, response)
            except BaseException as error:
                await run_in_threadpool(unit.__exit__, type(error), error, None)
                if isinstance(error, DeniedByPolicy | HiddenByPolicy):
                    await run_in_threadpool(_keep_denial, platform, error)
                raise
            await run_in_threadpool(unit.__exit__, None, None, None)
            return response

        return handle


def _keep_denial(platform: Platform, error: BailiwickError) -> None:
    with platform.database.transaction() as session:
        record_denial(session, error)


def _check_length(request: Request, platform: Platform) -> None:
    stated = request.headers.get("content-length", "0")
    limit = platform.settings.max_body_bytes
    if request.headers.get("content-type", "").startswith("multipart/"):
        limit = platform.settings.max_upload_bytes
    if not stated.isdigit() or int(stated) > limit:
        raise TooLarge(f"a request may have {limit:,} bytes; send it in several parts")


async def _replayed(request: Request, session: Session, caller: Caller) -> Response | None:
    """The answer that this key got before, if any."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise Invalid(f"an Idempotency-Key has 1 to {MAX_KEY_LENGTH} characters")
    kept = await run_in_threadpool(
        session.scalar,
        select(IdempotentResponse).where(
            IdempotentResponse.principal_id == caller.principal_id, IdempotentResponse.key == key
        ),
    )
    if kept is None:
        return None
    if kept.request_digest != await _digest(request):
        raise IdempotencyConflict(
            "this Idempotency-Key was used for another request; use a fresh key per request"
        )
    return Response(
        json.dumps(kept.body) if kept.body is not None else b"",
        status_code=kept.status,
        headers={**kept.headers, "Idempotent-Replay": "true"},
        media_type="application/json",
    )


async def _remember(request: Request, session: Session, caller: Caller, response: Response) -> None:
    key = request.headers.get("idempotency-key")
    if key is None or isinstance(response, StreamingResponse):
        return
    body = bytes(response.body)
    kept = IdempotentResponse(
        principal_id=caller.principal_id,
        key=key,
        request_digest=await _digest(request),
        status=response.status_code,
        headers={n: v for n, v in response.headers.items() if n in ("etag", "location")},
        body=None if caller.answers_secret else json.loads(body) if body else None,
        created_at=caller.at,
    )
    await run_in_threadpool(_add, session, kept)


def _add(session: Session, kept: IdempotentResponse) -> None:
    session.add(kept)
    session.flush()


async def _digest(request: Request) -> str:
    if request.headers.get("content-type", "").startswith("multipart/"):
        body = request.headers.get("content-length", "").encode()
    else:
        body = await request.body()
    line = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return sha256_hex(line + body)
