"""`/backtests`: what a strategy, or a retraining policy, would have done."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.jobs import MemoryBytes, Recipe, TimeSeconds, parts_of
from bailiwick.api.schemas import Body, Schema
from bailiwick.lifecycle.backtest import Unit
from bailiwick.lifecycle.jobs import JobKind
from bailiwick.lifecycle.limits import ordered_limits
from bailiwick.lifecycle.replays import (
    ReplaySettings,
    Source,
    backtest_resource,
    in_order,
    order_backtest,
    results_of,
    source_of,
    usual_delay,
    year_of_requests,
)
from bailiwick.lifecycle.replays.settings import DEFAULT_STRATEGIES, POLICY_STRATEGIES
from bailiwick.lifecycle.retraining_policies import retraining_policy_resource
from bailiwick.lifecycle.strategies import DEFAULT_PRICE_ANSWERS
from bailiwick.lifecycle.tables import Backtest, BacktestResult, Job, RetrainingPolicy
from bailiwick.lineage import dataset_version_resource, find_dataset, find_dataset_version
from bailiwick.training import from_nothing, recipe_named
from bailiwick.web import (
    Governed,
    GovernedRoute,
    Page,
    Paging,
    acts,
    by_id,
    visible_backtests,
)

router = APIRouter(tags=["keeping them fit"], route_class=GovernedRoute)


class BacktestIn(Body):
    """Whose history to replay (one of three), how, and by which strategies.

    Strategies: `frozen`, `every-period`, `periodic:N`, `threshold`, `threshold:POINTS`,
    `cost-aware`, `hindsight:N`, `hindsight` (with as many retrainings as the policy did) and, of a
    policy, `policy`: its own triggers and conditions.
    """

    deployment_id: UUID | None = None
    policy_id: UUID | None = Field(default=None, description="Of its deployment, as it stands.")
    dataset: Annotated[
        str | None, Field(pattern=r"^[^/]+/[^/]+@\d+$", description="NAMESPACE/NAME@VERSION")
    ] = None
    purpose: str | None = Field(default=None, description="Of a dataset's rows; needed for those.")
    strategies: Annotated[list[str] | None, Field(min_length=1, max_length=20)] = None
    period: Unit = Unit.WEEK
    since: AwareDatetime | None = Field(
        default=None,
        description="Answer periods from then on; of a policy its last year, by default.",
    )
    until: AwareDatetime | None = Field(
        default=None, description="Now, by default, or where a policy's requests ended."
    )
    label_delay: Annotated[
        int | None,
        Field(
            ge=0,
            le=1_000,
            description="Labels count that came so many periods after theirs; of a deployment, by "
            "default, as many as nine of ten of its newest labels took.",
        ),
    ] = None
    budget: Annotated[int | None, Field(ge=0, description="Retrainings of cost-aware.")] = None
    price_answers: Annotated[
        float, Field(ge=0, description="What a retraining costs, in right answers.")
    ] = DEFAULT_PRICE_ANSWERS
    recipe_name: str = "head"
    recipe: Recipe = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    memory_bytes: MemoryBytes = None
    time_seconds: TimeSeconds = None


class BacktestOut(Schema):
    """A backtest: what was asked for, where its job stands, and what it came to.

    `digest`: of the result with all periods; `summary`: a line for each strategy, null until done.
    """

    id: UUID
    job_id: UUID
    deployment_id: UUID | None
    dataset_version_id: UUID | None
    policy_id: UUID | None
    policy_digest: str | None
    settings: dict[str, Any]
    state: str
    progress: dict[str, Any]
    error: str | None
    digest: str | None
    summary: dict[str, Any] | None
    created_by: UUID
    created_at: datetime


class BacktestResultOut(BacktestOut):
    """The same with each period of each strategy, as `bailiwick backtest --json` writes them."""

    periods: list[dict[str, str]] | None
    strategies: dict[str, list[dict[str, Any]]] | None


class BacktestPage(Page):
    """Backtests, newest first."""

    items: list[BacktestOut]


@router.get("/backtests", **acts("backtest:list"))
def list_backtests(
    caller: Governed,
    paging: Paging,
    deployment_id: UUID | None = None,
    policy_id: UUID | None = None,
) -> BacktestPage:
    """The backtests that the caller may see, newest first."""
    query = select(Backtest).join(Job, Job.id == Backtest.job_id).where(visible_backtests(caller))
    for column, wanted in (
        (Backtest.deployment_id, deployment_id),
        (Backtest.policy_id, policy_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    rows, following = paging.of(caller.session, query, Backtest.id)
    return BacktestPage(items=_shown(caller, rows), next_cursor=following)


def _usual(
    body: BacktestIn, source: Source, caller: Governed
) -> tuple[datetime | None, datetime, int]:
    """Since, until and the delay of labels: as asked for, or as is usual for the deployment."""
    since, until, delay = body.since, body.until or caller.at, body.label_delay
    deployment, session = source.deployment, caller.session
    if source.policy is not None and deployment is not None and since is None:
        since, until = year_of_requests(session, deployment.id, body.period, at=until)
    if delay is None:
        delay = (
            0
            if deployment is None
            else usual_delay(session, deployment.id, body.period, at=caller.at)
        )
    return since, until, delay


@router.post("/backtests", status_code=202, **acts("backtest:start"))
def start_backtest(body: BacktestIn, caller: Governed) -> BacktestOut:
    """Queue a backtest; rights and settings are checked before it is accepted."""
    source = _source(body, caller)
    since, until, delay = _usual(body, source, caller)
    default = POLICY_STRATEGIES if source.policy is not None else DEFAULT_STRATEGIES
    settings = ReplaySettings(
        until=until,
        since=since,
        purpose=source.deployment.purpose if source.deployment else body.purpose or "",
        strategies=tuple(body.strategies or default),
        period=body.period,
        label_delay=delay,
        budget=body.budget,
        price_answers=body.price_answers,
        recipe=from_nothing(recipe_named(body.recipe_name, body.recipe)),
        seed=body.seed,
    )
    limits = ordered_limits(
        caller.platform.settings,
        JobKind.BACKTEST,
        memory_bytes=body.memory_bytes,
        time_seconds=body.time_seconds,
    )
    ordered = order_backtest(
        caller.session,
        source,
        settings,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
        limits=limits,
    )
    caller.decided_by_use_case()
    return _shown(caller, [ordered])[0]


@router.get("/backtests/{backtest_id}", **acts("backtest:read"))
def read_backtest(backtest_id: UUID, caller: Governed) -> BacktestResultOut:
    """One backtest, with all periods once it is done."""
    backtest = by_id(caller, Backtest, backtest_id)
    caller.require(backtest_resource(caller.session, backtest))
    found = _shown(caller, [backtest])[0]
    kept: dict[str, Any] = {"periods": None, "strategies": None}
    if found.digest is not None:
        result = json.loads(caller.platform.blobs.read_bytes(found.digest))
        kept = {"periods": result["periods"], "strategies": in_order(result)}
    return BacktestResultOut(**found.model_dump(), **kept)


def _source(body: BacktestIn, caller: Governed) -> Source:
    """What is to be replayed, if the caller may know of it."""
    deployment = policy = version = None
    if body.policy_id is not None:
        policy = by_id(caller, RetrainingPolicy, body.policy_id)
        resource = retraining_policy_resource(caller.session, policy)
        caller.require(resource, action="retraining-policy:read")
    if body.deployment_id is not None:
        deployment = governed_deployment(caller, body.deployment_id, action="deployment:read")
    if body.dataset is not None:
        name, _, number = body.dataset.partition("@")
        dataset = find_dataset(caller.session, *parts_of(name))
        version = find_dataset_version(caller.session, dataset, int(number))
        caller.require(dataset_version_resource(caller.session, version), action="dataset:read")
    return source_of(caller.session, deployment=deployment, policy=policy, version=version)


def _shown(caller: Governed, backtests: Sequence[Backtest]) -> list[BacktestOut]:
    """With their jobs and results, in two queries however many they are."""
    ids = [one.job_id for one in backtests]
    jobs = {job.id: job for job in caller.session.scalars(select(Job).where(Job.id.in_(ids)))}
    results = results_of(caller.session, [one.id for one in backtests])
    return [_one(one, jobs[one.job_id], results.get(one.id)) for one in backtests]


def _one(backtest: Backtest, job: Job, result: BacktestResult | None) -> BacktestOut:
    return BacktestOut.of_row(
        backtest,
        state=job.state,
        progress=job.progress,
        error=job.error,
        digest=result.digest if result else None,
        summary=result.summary if result else None,
    )
