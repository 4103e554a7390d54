"""The application: API under `/api/v1`, console under `/console`, operations at the root."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from anyio import CapacityLimiter, create_task_group, sleep
from anyio.to_thread import run_sync
from fastapi import FastAPI

from bailiwick import __version__
from bailiwick.api import (
    access_review,
    alerts,
    aliases,
    approvals,
    audit,
    backtests,
    breaches,
    channels,
    comparisons,
    datasets,
    decisions,
    delegations,
    deployments,
    evaluation_settings,
    groups,
    inferences,
    intake,
    job_logs,
    jobs,
    labelled,
    labelling,
    labels,
    marks,
    models,
    monitors,
    operations,
    otlp,
    passwords,
    policies,
    principals,
    protected_resource,
    quarantines,
    records,
    retraining,
    rollouts,
    runs,
    silences,
    taxonomies,
    texts,
    tokens,
    waivers,
    watching,
)
from bailiwick.core.errors import BailiwickError
from bailiwick.db.session import MAX_WAITING_WRITERS
from bailiwick.lifecycle.platform import Platform
from bailiwick.policy.tallies import FLUSH_SECONDS
from bailiwick.registry import versions_to_keep_warm
from bailiwick.serving import Gateway
from bailiwick.serving.observing import Observer
from bailiwick.web import Problem, install
from bailiwick.web.pending_sign_ins import new_start_throttle
from bailiwick.web.problem import ProblemResponse
from bailiwick.web.proofs import new_bearer_throttle

V1 = "/api/v1"
FOLD_SECONDS = 0.5
WARM_SECONDS = 10.0
MAX_INTAKE_THREADS = 8  # bodies that are read at the same time; below MAX_WAITING_WRITERS
DESCRIPTION = """Governance and lifecycle of private small language models.

Send `Authorization: Bearer TOKEN`. Collections page by `limit` and `cursor`. Writes accept
`Idempotency-Key`; single resources carry `ETag`, and changes honour `If-Match`. Errors are
`application/problem+json` (RFC 9457) with a stable `code`. Each operation names its policy action
in `x-bailiwick-action`; what one may not see answers 404. GET honours `If-None-Match`.
"""
SCHEMAS = "#/components/schemas/"
# Named, not given as a model: FastAPI would compile a field of it for each route and status.
PROBLEM = {ProblemResponse.media_type: {"schema": {"$ref": f"{SCHEMAS}{Problem.__name__}"}}}
ERRORS: dict[int | str, dict[str, object]] = {
    status: {"content": PROBLEM} for status in (401, 403, 404, 422, "default")
}


class Api(FastAPI):
    """FastAPI, except that its document knows the problems that all operations answer with."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        problem = Problem.model_json_schema(ref_template=f"{SCHEMAS}{{model}}")
        schemas = document["components"]["schemas"]
        schemas.update(problem.pop("$defs", {}))
        schemas[Problem.__name__] = problem
        return document


async def _write_counts(platform: Platform) -> None:
    """Every few seconds write how often the policy allowed what changes nothing."""
    while True:
        await sleep(FLUSH_SECONDS)
        await run_sync(platform.rules.tallies.flush, platform.database)


async def _fold_log(platform: Platform) -> None:
    """Twice a second spare the next commits some work."""
    while True:
        await sleep(FOLD_SECONDS)
        await run_sync(platform.database.fold_log)


async def _keep_warm(platform: Platform, gateway: Gateway) -> None:
    """Have the model server hold both sides of rollouts, and where one may go back to."""
    kept: set[UUID] = set()
    while True:
        kept = await run_sync(keep_warm, platform, gateway, kept)
        await sleep(WARM_SECONDS)


def keep_warm(platform: Platform, gateway: Gateway, kept: set[UUID]) -> set[UUID]:
    """One turn of it, after `kept` was; a model server that is down is told the next time."""
    with suppress(BailiwickError):
        with platform.database.reading() as session:
            wanted = versions_to_keep_warm(session, at=platform.clock.now())
        if wanted or kept:
            gateway.keep([str(one) for one in sorted(wanted)])
        return wanted
    return kept


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    platform: Platform = app.state.platform
    gateway: Gateway = app.state.gateway
    observer: Observer = app.state.observer
    async with create_task_group() as background:
        background.start_soon(_write_counts, platform)
        background.start_soon(_fold_log, platform)
        background.start_soon(_keep_warm, platform, gateway)
        yield
        background.cancel_scope.cancel()
    await run_sync(observer.close)
    gateway.close()
    platform.close()


def attach(app: FastAPI, platform: Platform, gateway: Gateway) -> None:
    """Let the application answer for this installation; its routes know none."""
    app.state.platform = platform
    app.state.gateway = gateway
    app.state.observer = Observer(platform.database, gateway) if platform is not None else None
    app.state.waiting_room = CapacityLimiter(MAX_WAITING_WRITERS)
    app.state.intake_room = CapacityLimiter(MAX_INTAKE_THREADS)
    app.state.bearer_failures = new_bearer_throttle()
    app.state.sign_in_starts = new_start_throttle()


def create_api(platform: Platform, gateway: Gateway) -> FastAPI:
    """The API of an installation; `gateway` reaches its model server."""
    app = Api(
        title="Bailiwick",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{route.tags[0]}:{route.name}",
    )
    attach(app, platform, gateway)
    install(app)
    # Routers are searched in turn, so those that are asked most come first; and not inside a
    # router of their own, as each level of nesting is searched once more by each request.
    for module in (
        inferences,
        intake,
        otlp,
        models,
        aliases,
        deployments,
        rollouts,
        datasets,
        principals,
        marks,
        runs,
        monitors,
        watching,
        alerts,
        records,
        labelling,
        taxonomies,
        quarantines,
        comparisons,
        texts,
        silences,
        channels,
        jobs,
        job_logs,
        retraining,
        backtests,
        labelled,
        approvals,
        decisions,
        policies,
        waivers,
        delegations,
        labels,
        breaches,
        audit,
        groups,
        tokens,
        passwords,
        access_review,
        evaluation_settings,
    ):
        app.include_router(module.router, prefix=V1, responses=ERRORS)
    app.include_router(operations.open_router)
    app.include_router(protected_resource.router)
    app.include_router(operations.router, responses=ERRORS)
    return app
