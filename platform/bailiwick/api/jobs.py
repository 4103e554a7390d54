"""`/jobs` and `/retraining-policies`: what the platform does on its own, and on request."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Response
from pydantic import Field
from sqlalchemy import select

from bailiwick.access import find_service
from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema, Slug, Text
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import retrain, retraining_policies
from bailiwick.lifecycle.gates import tier_named
from bailiwick.lifecycle.jobs import cancel, job_resource
from bailiwick.lifecycle.retrain import Overrides
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.tables import Job, JobEvent, RetrainingPolicy
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, TrainingOrder, order_training
from bailiwick.lineage import dataset_resource, find_dataset, find_dataset_version
from bailiwick.policy import Resource
from bailiwick.registry import Deployment, deployment_resource, find_model, model_resource
from bailiwick.training import RECIPES, recipe_of
from bailiwick.training import Recipe as TrainingRecipe
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    Paging,
    Precondition,
    acts,
    by_id,
    page_of,
    tag,
    visible_jobs,
)

router = APIRouter(tags=["keeping them fit"], route_class=GovernedRoute)

Recipe = Annotated[
    dict[str, Any] | None,
    Field(description="Settings that differ from the recipe's defaults; null: none differ."),
]


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


class RetrainIn(Body):
    """A retraining by hand, and what it does differently from its policy."""

    reason: Text
    window_days: Annotated[int | None, Field(ge=1)] = None
    max_rows: Annotated[int | None, Field(ge=1)] = None
    recipe_name: str | None = None
    recipe: Recipe = None


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


class PolicyIn(Body):
    """When and how to retrain a deployment's model. Acts only once somebody else approved it."""

    deployment_id: UUID
    dataset: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", description="NAMESPACE/NAME")]
    acts_as: Slug
    on_alert: list[Literal["drift", "harm"]] = Field(default=["drift", "harm"], min_length=1)
    cooldown_days: Annotated[int, Field(ge=0)] = 7
    window_days: Annotated[int, Field(ge=1)] = 365
    max_rows: Annotated[int, Field(ge=1)] = DEFAULT_SELECTION.max_rows
    holdout_ratio: Annotated[float, Field(gt=0, lt=1)] = DEFAULT_SELECTION.holdout_ratio
    recipe_name: str = "small-classifier-refresh"
    recipe: Recipe = None
    risk_tier: str = "standard"


class PolicyPatch(Body):
    """Settings to change; any of them but `enabled` voids the approval."""

    on_alert: list[Literal["drift", "harm"]] | None = None
    cooldown_days: Annotated[int | None, Field(ge=0)] = None
    window_days: Annotated[int | None, Field(ge=1)] = None
    max_rows: Annotated[int | None, Field(ge=1)] = None
    holdout_ratio: Annotated[float | None, Field(gt=0, lt=1)] = None
    enabled: bool | None = None


class PolicyOut(Schema):
    """A retraining policy and whether it has been approved as it stands."""

    id: UUID
    deployment_id: UUID
    dataset_id: UUID
    acts_as: UUID
    on_alert: list[str]
    cooldown_days: int
    window_days: int
    max_rows: int
    holdout_ratio: float
    recipe: dict[str, Any]
    risk_tier: str
    enabled: bool
    digest: str
    approved: bool
    created_at: datetime


class PolicyPage(Page):
    """Retraining policies, newest first."""

    items: list[PolicyOut]


@router.get("/jobs", **acts("job:list"))
def list_jobs(
    caller: Governed,
    paging: Paging,
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"] | None = None,
    kind: Literal["train", "retrain", "check"] | None = None,
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
    model = find_model(caller.session, *_parts(body.model))
    caller.require(model_resource(caller.session, model), action="model:read")
    dataset = find_dataset(caller.session, *_parts(body.dataset))
    caller.require(dataset_resource(caller.session, dataset), action="dataset:read")
    tier_named(caller.platform.tiers, body.risk_tier)
    versions = [
        find_dataset_version(caller.session, dataset, number) for number in body.dataset_versions
    ]
    order = TrainingOrder(
        model_id=model.id,
        dataset_version_ids=tuple(version.id for version in versions),
        recipe=_recipe(body.recipe_name, body.recipe),
        selection=Selection(
            holdout_ratio=body.holdout_ratio,
            max_rows=body.max_rows,
            window_days=body.window_days,
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


@router.get("/retraining-policies", **acts("retraining-policy:list"))
def list_policies(caller: Governed, paging: Paging) -> PolicyPage:
    """The retraining policies of the deployments that the caller may see."""
    query = (
        select(RetrainingPolicy)
        .join(Deployment, Deployment.id == RetrainingPolicy.deployment_id)
        .where(
            caller.visible(
                "RetrainingPolicy",
                Deployment.namespace,
                Deployment.label_id,
                action="retraining-policy:read",
                objects=("deployments", Deployment.name),
            )
        )
    )
    rows, following = paging.of(caller.session, query, RetrainingPolicy.id)
    return PolicyPage(items=_shown(caller, rows), next_cursor=following)


@router.post("/retraining-policies", status_code=201, **acts("retraining-policy:create"))
def create_policy(body: PolicyIn, caller: Governed, response: Response) -> PolicyOut:
    """Define how a deployment's model is kept fit."""
    deployment = governed_deployment(caller, body.deployment_id, action="deployment:read")
    dataset = find_dataset(caller.session, *_parts(body.dataset))
    caller.require(dataset_resource(caller.session, dataset), action="dataset:read")
    owner = deployment_resource(caller.session, deployment)
    caller.require(
        Resource(
            "RetrainingPolicy",
            str(deployment.id),
            owner.namespace,
            owner.label,
            belongs_to=owner.belongs_to,
        )
    )
    tier_named(caller.platform.tiers, body.risk_tier)
    policy = retraining_policies.create_retraining_policy(
        caller.session,
        deployment,
        dataset=dataset,
        acts_as=find_service(caller.session, body.acts_as),
        on_alert=body.on_alert,
        cooldown_days=body.cooldown_days,
        selection=Selection(
            holdout_ratio=body.holdout_ratio,
            max_rows=body.max_rows,
            window_days=body.window_days,
        ),
        recipe=_recipe(body.recipe_name, body.recipe),
        risk_tier=body.risk_tier,
        actor=caller.actor,
        at=caller.at,
    )
    tag(response, policy)
    return _shown(caller, [policy])[0]


@router.get("/retraining-policies/{policy_id}", **acts("retraining-policy:read"))
def read_policy(policy_id: UUID, caller: Governed, response: Response) -> PolicyOut:
    """One retraining policy."""
    policy = _policy(caller, policy_id)
    tag(response, policy)
    return _shown(caller, [policy])[0]


@router.patch("/retraining-policies/{policy_id}", **acts("retraining-policy:update"))
def update_policy(
    policy_id: UUID, body: PolicyPatch, caller: Governed, response: Response, seen: Precondition
) -> PolicyOut:
    """Change a retraining policy."""
    policy = _policy(caller, policy_id)
    seen.check(policy)
    retraining_policies.update_retraining_policy(
        caller.session,
        policy,
        body.model_dump(exclude_none=True),
        actor=caller.actor,
        at=caller.at,
    )
    tag(response, policy)
    return _shown(caller, [policy])[0]


@router.post("/retraining-policies/{policy_id}/jobs", status_code=202, **acts("retraining:start"))
def retrain_now(policy_id: UUID, body: RetrainIn, caller: Governed) -> JobOut:
    """Retrain by hand; the result goes through the same gates."""
    policy = _policy(caller, policy_id)
    changed = body.recipe_name is not None or body.recipe is not None
    recipe = _recipe(body.recipe_name or policy.recipe["kind"], body.recipe) if changed else None
    job = retrain.start(
        caller.session,
        policy,
        reason=body.reason,
        overrides=Overrides(body.window_days, body.max_rows, recipe),
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return JobOut.model_validate(job)


def _job(caller: Governed, job_id: UUID) -> Job:
    job = by_id(caller, Job, job_id)
    caller.require(job_resource(caller.session, job))
    return job


def _policy(caller: Governed, policy_id: UUID) -> RetrainingPolicy:
    policy = by_id(caller, RetrainingPolicy, policy_id)
    caller.require(retraining_policies.retraining_policy_resource(caller.session, policy))
    return policy


def _parts(path: str) -> tuple[str, str]:
    namespace, _, name = path.partition("/")
    return namespace, name


def _recipe(name: str, settings: dict[str, Any] | None) -> TrainingRecipe:
    if name not in RECIPES:
        raise Invalid(f"there is no recipe {name!r}; there are {', '.join(sorted(RECIPES))}")
    return recipe_of(RECIPES[name].to_dict() | (settings or {}))


def _shown(caller: Governed, policies: list[RetrainingPolicy]) -> list[PolicyOut]:
    approved = retraining_policies.approved_among(caller.session, policies)
    return [PolicyOut.of_row(policy, approved=policy.id in approved) for policy in policies]
