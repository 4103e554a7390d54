"""`/jobs`: what the platform does on its own, and on request."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.schemas import Body, Schema
from bailiwick.lifecycle.gates import tier_named
from bailiwick.lifecycle.jobs import JobKind, cancel, job_resource
from bailiwick.lifecycle.limits import ordered_limits
from bailiwick.lifecycle.sampling import Sampling
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.tables import Job, JobEvent
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, TrainingOrder, order_training
from bailiwick.lineage import dataset_resource, find_dataset, find_dataset_version
from bailiwick.registry import find_model, model_resource
from bailiwick.training import recipe_named
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    Paging,
    acts,
    by_id,
    page_of,
    visible_jobs,
)

router = APIRouter(tags=["keeping them fit"], route_class=GovernedRoute)

Recipe = Annotated[
    dict[str, Any] | None,
    Field(description="Settings that differ from the recipe's defaults; null: none differ."),
]
MemoryBytes = Annotated[
    int | None,
    Field(ge=1, description="What its processes may hold together; null: what all may here."),
]
TimeSeconds = Annotated[
    int | None, Field(ge=1, description="What one attempt may take; null: what all may here.")
]


class SamplingIn(Body):
    """Which of more than `max_rows` rows are learned from: by default the newest."""

    replay_ratio: float = Field(
        0, description="The share of the rows that is drawn from older ones instead."
    )
    hard_ratio: float = Field(
        0, description="A further share of older rows that the champion gets wrong, or nearly."
    )
    half_life_days: float | None = Field(
        None, description="In that draw a row's chance halves with so many days of age."
    )
    balance_ratio: float = Field(
        0, description="And falls with its label's frequency: 1 draws labels alike."
    )
    max_repeats: int | None = Field(
        None, description="Of equal texts with equal labels at most so many, the newest."
    )

    def sampling(self) -> Sampling:
        """What it says; `Invalid` if that cannot be."""
        return Sampling(**self.model_dump())


class TrainIn(Body):
    """A version to train on dataset versions, all of one dataset."""

    model: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", description="NAMESPACE/NAME")]
    dataset: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", description="NAMESPACE/NAME")]
    dataset_versions: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=100)
    purpose: str
    recipe_name: str = "small-classifier"
    recipe: Recipe = None
    risk_tier: str = "standard"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 17
    from_champion: bool = False
    holdout_ratio: Annotated[float, Field(gt=0, lt=1)] = DEFAULT_SELECTION.holdout_ratio
    max_rows: Annotated[int, Field(ge=1)] = DEFAULT_SELECTION.max_rows
    window_days: Annotated[int | None, Field(ge=1)] = None
    sampling: SamplingIn = SamplingIn()
    memory_bytes: MemoryBytes = None
    time_seconds: TimeSeconds = None


class JobOut(Schema):
    """One piece of work."""

    id: UUID
    kind: str
    namespace: str
    subject_id: UUID
    acts_as: UUID
    payload: dict[str, Any]
    state: str
    attempt: int
    max_attempts: int
    available_at: datetime
    due_at: datetime | None
    progress: dict[str, Any]
    limits: dict[str, int] = Field(
        description="`memory_bytes`, `time_seconds` of its order; else those of the installation."
    )
    result: dict[str, Any] | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobPage(Page):
    """Jobs, newest first."""

    items: list[JobOut]


class JobEventOut(Schema):
    """Something that happened to a job."""

    at: datetime
    attempt: int
    kind: str
    message: str


class JobEventPage(Page):
    """Events, newest first."""

    items: list[JobEventOut]


@router.get("/jobs", **acts("job:list"))
def list_jobs(
    caller: Governed,
    paging: Paging,
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"] | None = None,
    kind: (Literal["train", "retrain", "check", "compare", "backtest", "trial"] | None) = None,
    subject_id: UUID | None = None,
) -> JobPage:
    """The jobs that the caller may see, newest first."""
    query = select(Job).where(visible_jobs(caller))
    for column, wanted in ((Job.state, state), (Job.kind, kind), (Job.subject_id, subject_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    rows, following = paging.of(caller.session, query, Job.id)
    return JobPage(items=list(map(JobOut.model_validate, rows)), next_cursor=following)


@router.post("/jobs", status_code=202, **acts("training:start"))
def train(
    body: TrainIn,
    caller: Governed,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> JobOut:
    """Queue a training job. Labels, purpose and inputs are checked before it is accepted."""
    model = find_model(caller.session, *parts_of(body.model))
    caller.require(model_resource(caller.session, model), action="model:read")
    dataset = find_dataset(caller.session, *parts_of(body.dataset))
    caller.require(dataset_resource(caller.session, dataset), action="dataset:read")
    tier_named(caller.platform.tiers, body.risk_tier)
    versions = [
        find_dataset_version(caller.session, dataset, number) for number in body.dataset_versions
    ]
    order = TrainingOrder(
        model_id=model.id,
        dataset_version_ids=tuple(version.id for version in versions),
        recipe=recipe_named(body.recipe_name, body.recipe),
        selection=Selection(
            holdout_ratio=body.holdout_ratio,
            max_rows=body.max_rows,
            window_days=body.window_days,
            sampling=body.sampling.sampling(),
        ),
        purpose=body.purpose,
        risk_tier=body.risk_tier,
        seed=body.seed,
        from_champion=body.from_champion,
    )
    job = order_training(
        caller.session,
        order,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
        key=idempotency_key,
        limits=ordered_limits(
            caller.platform.settings,
            JobKind.TRAIN,
            memory_bytes=body.memory_bytes,
            time_seconds=body.time_seconds,
        ),
    )
    return JobOut.model_validate(job)


@router.get("/jobs/{job_id}", **acts("job:read"))
def read_job(job_id: UUID, caller: Governed) -> JobOut:
    """One job with its progress and result."""
    return JobOut.model_validate(_job(caller, job_id))


@router.get("/jobs/{job_id}/events", **acts("job:read"))
def list_events(
    job_id: UUID, caller: Governed, limit: Limit = 100, cursor: Cursor = None
) -> JobEventPage:
    """What happened to a job, newest first."""
    job = _job(caller, job_id)
    query = select(JobEvent).where(JobEvent.job_id == job.id)
    rows, following = page_of(caller.session, query, JobEvent.id, limit=limit, cursor=cursor)
    return JobEventPage(items=list(map(JobEventOut.model_validate, rows)), next_cursor=following)


@router.post("/jobs/{job_id}/cancel", **acts("job:cancel"))
def cancel_job(job_id: UUID, caller: Governed) -> JobOut:
    """Stop a job; a running one ends at its worker's next heartbeat."""
    job = _job(caller, job_id)
    cancel(caller.session, job, actor_id=caller.principal_id, at=caller.at)
    return JobOut.model_validate(job)


def _job(caller: Governed, job_id: UUID) -> Job:
    job = by_id(caller, Job, job_id)
    caller.require(job_resource(caller.session, job))
    return job


def parts_of(path: str) -> tuple[str, str]:
    """`NAMESPACE/NAME` in two."""
    namespace, _, name = path.partition("/")
    return namespace, name
