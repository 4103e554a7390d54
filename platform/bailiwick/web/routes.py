"""How every route is served: one transaction, one declared action, an answer kept for retries.

A route of a governed router names its policy action (`**acts("model:read")`) and must ask the
policy through its `Caller` before it answers; one that did not is refused. The transaction
is committed before the answer leaves: what a client was told has happened, has.
"""

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from typing import Any
from uuid import UUID

from anyio import CancelScope
from anyio.to_thread import run_sync
from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from bailiwick.core.canonical import digest_of, sha256_hex
from bailiwick.core.errors import BailiwickError, Unavailable
from bailiwick.lifecycle.platform import Platform
from bailiwick.policy import DeniedByPolicy, HiddenByPolicy, record_denial
from bailiwick.web.bodies import BoundedBody
from bailiwick.web.callers import Caller
from bailiwick.web.etags import complete_tag, not_modified
from bailiwick.web.proofs import prove_person
from bailiwick.web.retries import UNANSWERED, claim, keep, replay

ACTION = "x-bailiwick-action"
OWN = "x-bailiwick-own-transaction"
STREAMS = "x-bailiwick-streams"
READING = frozenset({"GET", "HEAD"})

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


def acts(action: str, *, own_transaction: bool = False, streams: bool = False) -> dict[str, Any]:
    """Declare a route's policy action: `@router.get("/models", **acts("model:list"))`.

    `own_transaction`: the route does slow work (an upload, a model's answer) before it writes;
    its caller's session only reads, it opens a writing transaction itself at the end, and it is
    safe to repeat by its content instead of by `Idempotency-Key`.
    `streams`: it reads its body piece by piece, so that one may be as long as an upload.
    """
    marks = {OWN: own_transaction, STREAMS: streams}
    return {"openapi_extra": {ACTION: action, **{name: True for name in marks if marks[name]}}}


class GovernedRoute(APIRoute):
    """A route with a transaction, a policy action and, for writes, `Idempotency-Key`."""

    def get_route_handler(self) -> Answer:
        """The handler that FastAPI calls; refuses to exist without an action."""
        extra = self.openapi_extra or {}
        action = extra.get(ACTION)
        if not action:
            message = f"route {self.path} declares no policy action"
            raise RuntimeError(message)
        answer = super().get_route_handler()

        async def handle(received: Request) -> Response:
            platform: Platform = received.app.state.platform
            body = BoundedBody(received, platform.settings, streams=bool(extra.get(STREAMS)))
            request = Request(received.scope, body)
            person_id = await prove_person(request, platform)
            writes = request.method not in READING and not extra.get(OWN)
            if writes:
                await request.body()  # before the database's write lock is taken, not under it
            unit = platform.database.transaction() if writes else platform.database.reading()

            def begin() -> Caller:
                return _identified(
                    unit, request, platform, action, writes=writes, person_id=person_id
                )

            # Waiting for the database's only writer happens in threads of its own, so that the
            # writer always finds one for its route; and a turn once taken is never forgotten.
            with CancelScope(shield=True):
                caller = await run_sync(begin, limiter=request.app.state.waiting_room)
            try:
                request.state.caller = caller
                serve = _answered_once if writes else _answered
                response = await serve(request, caller.session, caller, answer)
            except BaseException as error:
                await run_in_threadpool(unit.__exit__, type(error), error, None)
                if isinstance(error, DeniedByPolicy | HiddenByPolicy):
                    await run_in_threadpool(_keep_denial, platform, error)
                if body.exceeded:  # form parsers hide it behind an error of their own
                    raise body.error() from error
                raise
            await run_in_threadpool(unit.__exit__, None, None, None)
            if caller.notes:
                await run_in_threadpool(_note_use, platform, caller)
            return response

        return handle


def _identified(
    unit: AbstractContextManager[Session],
    request: Request,
    platform: Platform,
    action: str,
    *,
    writes: bool,
    person_id: UUID | None,
) -> Caller:
    """Begin the unit of work, under the rules that are in force as it begins."""
    session = unit.__enter__()
    try:
        caller = Caller.identify(
            request, session, platform, action, writes=writes, person_id=person_id
        )
        caller.platform = platform.in_force(session)
    except BaseException as error:
        unit.__exit__(type(error), error, error.__traceback__)
        raise
    return caller


async def _answered(request: Request, _: Session, caller: Caller, answer: Answer) -> Response:
    response = await answer(request)
    caller.check_decided()
    complete_tag(response)
    return not_modified(request, response) or response


async def _answered_once(
    request: Request, session: Session, caller: Caller, answer: Answer
) -> Response:
    """The answer that this `Idempotency-Key` got before, or a new one that is kept for it."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return await _answered(request, session, caller, answer)
    digest = await run_in_threadpool(_digest, request, await request.body(), caller)
    kept = await run_in_threadpool(
        claim, session, caller.principal_id, key, request_digest=digest, at=caller.at
    )
    if kept.status != UNANSWERED:
        return replay(kept)
    response = await _answered(request, session, caller, answer)
    keep(kept, response, secret=caller.answers_secret)
    return response


def _note_use(platform: Platform, caller: Caller) -> None:
    """The answer stands already: a busy database only means that the next request notes it."""
    with suppress(Unavailable), platform.database.transaction() as session:
        for note in caller.notes:
            note(session)


def _keep_denial(platform: Platform, error: BailiwickError) -> None:
    with platform.database.transaction() as session:
        record_denial(session, error)


def _digest(request: Request, body: bytes, caller: Caller) -> str:
    """Of the request and of the rights that it came with: less of them get no kept answer."""
    address = [request.method, request.url.path, request.url.query]
    return digest_of([address, sha256_hex(body), caller.actor.to_facts()])
