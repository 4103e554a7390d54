"""The model server: `POST /classify` for the platform's own processes, which hold the secret.

It knows no users, models or policies. Who may ask for which version was decided before the
request came here; `fetch` gives the verified files of a version.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bailiwick.core.errors import (
    BailiwickError,
    Denied,
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from bailiwick.serving.batching import Batcher
from bailiwick.serving.classification import Classification
from bailiwick.serving.engines import Engines
from bailiwick.texts.languages import language_of

BODY_LIMIT_BYTES = 4 * 1024 * 1024
_STATUS = {
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Denied: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


class ClassifyRequest(BaseModel):
    """The texts to classify, and by which model version."""

    model_config = ConfigDict(extra="forbid", strict=True)
    expected: ClassVar = "version_id and texts, 1 to 4096 strings"

    version_id: str = Field(min_length=1, max_length=128)
    texts: list[str] = Field(min_length=1, max_length=4096)


class KeepRequest(BaseModel):
    """The versions to hold in memory from now on."""

    model_config = ConfigDict(extra="forbid", strict=True)
    expected: ClassVar = "version_ids, at most 64 strings"

    version_ids: list[Annotated[str, Field(min_length=1, max_length=128)]] = Field(max_length=64)


T = TypeVar("T", ClassifyRequest, KeepRequest)


def create_app(
    *,
    fetch: Callable[[str], Path],
    secret: str,
    threads: int,
    engines_in_memory: int = 8,
) -> Starlette:
    """The model server's application.

    `fetch(version_id)` returns the folder of a version's verified files, or raises a
    `BailiwickError`; it runs on a worker thread. `threads` is how many CPU threads one
    inference may use.
    """
    if not secret:
        raise Invalid("The model server needs a secret. Set one and give it to its callers.")
    expected = f"Bearer {secret}".encode()
    engines = Engines(fetch, capacity=engines_in_memory)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        torch.set_num_threads(threads)
        app.state.batcher = Batcher()
        await run_in_threadpool(language_of, "")  # loads its model before the first request
        yield
        await run_in_threadpool(app.state.batcher.close)

    def check(request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            raise Unauthenticated("The secret of the model server is missing or wrong.")

    async def classify(request: Request) -> Response:
        check(request)
        asked = _parsed(ClassifyRequest, await _body(request))
        engine = engines.loaded(asked.version_id)
        if engine is None:
            engine = await run_in_threadpool(engines.get, asked.version_id)
        answers = await asyncio.wrap_future(request.app.state.batcher.submit(engine, asked.texts))
        return _json(
            {"version_id": asked.version_id, "predictions": [_flat(answer) for answer in answers]}
        )

    async def keep(request: Request) -> Response:
        check(request)
        asked = _parsed(KeepRequest, await _body(request))
        missing = engines.keep(asked.version_ids)
        return Response(
            to_json({"loading": len(missing)}),
            media_type="application/json",
            background=BackgroundTask(_load, engines, missing),
        )

    async def healthz(_: Request) -> Response:
        return _json({"status": "ok"})

    return Starlette(
        routes=[
            Route("/classify", classify, methods=["POST"]),
            Route("/keep", keep, methods=["POST"]),
            Route("/healthz", healthz, methods=["GET"]),
        ],
        exception_handlers={BailiwickError: _problem},
        lifespan=lifespan,
    )


def _load(engines: Engines, version_ids: list[str]) -> None:
    """One after the other; what cannot be loaded tells whoever asks for it."""
    for version_id in version_ids:
        with suppress(BailiwickError, OSError):
            engines.get(version_id)


async def _body(request: Request) -> bytes:
    """The body, read no further than the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise TooLarge(
                f"A request may hold {BODY_LIMIT_BYTES} bytes. Send the texts in several."
            )
    return bytes(body)


def _parsed(kind: type[T], body: bytes) -> T:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        # The place and the kind of a mistake, never the value: that may be confidential.
        places = "; ".join(
            f"{'.'.join(map(str, mistake['loc'])) or 'body'}: {mistake['type']}"
            for mistake in error.errors(include_input=False, include_url=False)[:5]
        )
        raise Invalid(f"Send JSON with {kind.expected} ({places}).") from None


def _flat(answer: Classification) -> dict[str, object]:
    seen = asdict(answer.seen) if answer.seen else {}
    if answer.seen and answer.seen.embedding:
        seen["embedding"] = answer.seen.embedding.hex()
    return seen | {
        "label": answer.label,
        "confidence": answer.confidence,
        "characters": answer.descriptors.characters,
        "words": answer.descriptors.words,
        "unseen_words_ratio": answer.descriptors.unseen_words_ratio,
    }


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(to_json(value), status, media_type="application/json")


async def _problem(_: Request, error: Exception) -> Response:
    """A user-readable error as problem details (RFC 9457)."""
    if not isinstance(error, BailiwickError):
        raise error
    status = next(
        (status for kind, status in _STATUS.items() if isinstance(error, kind)),
        HTTPStatus.BAD_REQUEST,
    )
    problem = {"status": status, "title": status.phrase, "code": error.code}
    response = _json({**problem, "detail": error.message}, status)
    response.headers["content-type"] = "application/problem+json"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = "1"
    return response
