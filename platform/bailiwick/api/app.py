"""The application: API under `/api/v1`, console under `/console`, operations at the root."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI

from bailiwick import __version__
from bailiwick.api import (
    aliases,
    approvals,
    audit,
    datasets,
    deployments,
    inferences,
    jobs,
    models,
    monitors,
    operations,
    principals,
    runs,
)
from bailiwick.db.session import MAX_WAITING_WRITERS
from bailiwick.lifecycle.platform import Platform
from bailiwick.serving import Gateway
from bailiwick.web import Problem, install
from bailiwick.web.problem import ProblemResponse

DESCRIPTION = """Governance and lifecycle of private small language models.

Send `Authorization: Bearer TOKEN`. Collections page by `limit` and `cursor`. Writes accept
`Idempotency-Key`; single resources carry `ETag`, and changes honour `If-Match`. Errors are
`application/problem+json` (RFC 9457) with a stable `code`. Each operation names its policy action
in `x-bailiwick-action`; what one may not see answers 404. GET honours `If-None-Match`.
"""
ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": Problem} for status in (401, 403, 404, 422, "default")
}


class Api(FastAPI):
    """FastAPI, except that its document gives problems the media type that they have."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        for item in document["paths"].values():
            for operation in item.values():
                for status, response in operation["responses"].items():
                    if not status.startswith("2"):
                        (told,) = response["content"].values()
                        response["content"] = {ProblemResponse.media_type: told}
        return document


def create_api(platform: Platform, gateway: Gateway) -> FastAPI:
    """The API of an installation; `gateway` reaches its model server."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        gateway.close()
        platform.close()

    app = Api(
        title="Bailiwick",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{route.tags[0]}:{route.name}",
    )
    app.state.platform = platform
    app.state.gateway = gateway
    app.state.waiting_room = CapacityLimiter(MAX_WAITING_WRITERS)
    install(app)
    v1 = APIRouter(prefix="/api/v1", responses=ERRORS)
    for module in (
        models,
        aliases,
        datasets,
        runs,
        deployments,
        inferences,
        monitors,
        jobs,
        approvals,
        audit,
        principals,
    ):
        v1.include_router(module.router)
    app.include_router(v1)
    app.include_router(operations.open_router)
    app.include_router(operations.router, responses=ERRORS)
    return app
