"""`/retraining-policies`: when and how deployed models are kept fit."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select

from bailiwick.access import find_service
from bailiwick.api.deployments import governed_deployment
from bailiwick.api.jobs import JobOut, Recipe, SamplingIn, parts_of
from bailiwick.api.schemas import Body, Schema, Slug, Text
from bailiwick.api.silences import WeeklyIn, WeeklyOut
from bailiwick.lifecycle import retrain, retraining_policies
from bailiwick.lifecycle.gates import tier_named
from bailiwick.lifecycle.retrain import Overrides
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.tables import Consideration, RetrainingPolicy
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION
from bailiwick.lifecycle.triggers import Kind, Trigger
from bailiwick.lineage import dataset_resource, find_dataset
from bailiwick.notifications.recurrence import Weekly
from bailiwick.policy import Resource
from bailiwick.registry import Deployment, deployment_resource
from bailiwick.training import AnyRecipe, any_recipe_of, recipe_named
from bailiwick.web import (
    Governed,
    GovernedRoute,
    Page,
    Paging,
    Precondition,
    acts,
    by_id,
    tag,
)

router = APIRouter(tags=["keeping them fit"], route_class=GovernedRoute)

Budget = Annotated[
    float | None,
    Field(gt=0, description="Hours of training a calendar month (UTC); left out: any."),
]
LabelBudget = Annotated[
    int | None,
    Field(
        ge=1,
        description="Labels a calendar month (UTC) that may be asked for, and of those that come "
        "learned from; left out: any.",
    ),
]
Priority = Annotated[int, Field(ge=0, le=9, description="Of its jobs: higher ones go first.")]


class TriggerIn(Body):
    """One kind of reason to retrain, with the value that it takes.

    `severity` (note, warning, page), `cron` (five fields, UTC), `accuracy-below` (a share),
    `new-labels`, `new-class` (rows), `age-days`, `strategy` (such as `cost-aware by=week price=80
    budget=12`, `threshold:5 by=month`, `periodic:4`); `new-data`, `label-raised`, `erasure`,
    `new-base`, `new-inputs` and `new-rules` take no value.
    """

    kind: Kind
    value: str | float | None = None

    def trigger(self) -> Trigger:
        """As policies have it."""
        return Trigger(self.kind, self.value)


class TriggerOut(Schema):
    """One kind of reason to retrain."""

    kind: Kind
    value: str | float | None


class RetrainIn(Body):
    """A retraining by hand, and what it does differently from its policy."""

    reason: Text
    window_days: Annotated[int | None, Field(ge=1)] = None
    max_rows: Annotated[int | None, Field(ge=1)] = None
    recipe_name: str | None = None
    recipe: Recipe = None


class PolicyIn(Body):
    """When and how to retrain a deployment's model. Acts only once somebody else approved it."""

    deployment_id: UUID
    dataset: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", description="NAMESPACE/NAME")]
    acts_as: Slug
    on_alert: list[Literal["drift", "harm"]] = Field(default=["drift", "harm"])
    triggers: list[TriggerIn] = Field(
        default=[], max_length=20, description="Any of these sets it off as well."
    )
    only_if: list[TriggerIn] = Field(
        default=[], max_length=20, description="All of these must hold besides."
    )
    budget_hours: Budget = None
    budget_labels: LabelBudget = None
    blackouts: list[WeeklyIn] = Field(
        default=[], max_length=20, description="Hours of the week in which nothing is started."
    )
    priority: Priority = 0
    cooldown_days: Annotated[int, Field(ge=0)] = 7
    window_days: Annotated[int, Field(ge=1)] = 365
    max_rows: Annotated[int, Field(ge=1)] = DEFAULT_SELECTION.max_rows
    holdout_ratio: Annotated[float, Field(gt=0, lt=1)] = DEFAULT_SELECTION.holdout_ratio
    sampling: SamplingIn = SamplingIn()
    recipe_name: str = "small-classifier-refresh"
    recipe: Recipe = None
    risk_tier: str = "standard"


class PolicyPatch(Body):
    """Settings to change; any of them but `enabled` voids the approval."""

    on_alert: list[Literal["drift", "harm"]] | None = None
    triggers: Annotated[list[TriggerIn] | None, Field(max_length=20)] = None
    only_if: Annotated[list[TriggerIn] | None, Field(max_length=20)] = None
    budget_hours: Budget = None
    budget_labels: LabelBudget = None
    blackouts: Annotated[list[WeeklyIn] | None, Field(max_length=20)] = None
    priority: Priority | None = None
    cooldown_days: Annotated[int | None, Field(ge=0)] = None
    window_days: Annotated[int | None, Field(ge=1)] = None
    max_rows: Annotated[int | None, Field(ge=1)] = None
    holdout_ratio: Annotated[float | None, Field(gt=0, lt=1)] = None
    sampling: SamplingIn | None = None
    recipe_name: str | None = None
    recipe: Recipe = None
    risk_tier: str | None = None
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
    sampling: dict[str, Any]
    recipe: dict[str, Any]
    risk_tier: str
    triggers: list[TriggerOut]
    only_if: list[TriggerOut]
    budget_hours: float | None
    budget_labels: int | None
    blackouts: list[WeeklyOut]
    priority: int
    enabled: bool
    digest: str
    approved: bool
    created_at: datetime


class PolicyPage(Page):
    """Retraining policies, newest first."""

    items: list[PolicyOut]


class CauseOut(Schema):
    """What set a policy off; `key` is the same for the same cause. `alert`: the one it answers."""

    kind: str
    key: str
    sentence: str
    alert: UUID | None = None


class HoldOut(Schema):
    """Why no job was started."""

    why: str
    sentence: str


class StrategySaidOut(Schema):
    """What a strategy said at the end of a period, and why."""

    strategy: str
    period: str
    retrain: bool
    reason: str


class ConsiderationOut(Schema):
    """What set a policy off and what came of it: a job, or what held it back.

    `decisions`: of the strategies that it asks; alone where none wanted to retrain.
    """

    id: UUID
    at: datetime
    causes: list[CauseOut]
    holds: list[HoldOut]
    decisions: list[StrategySaidOut]
    job_id: UUID | None


class ConsiderationPage(Page):
    """Considerations, newest first."""

    items: list[ConsiderationOut]


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
    dataset = find_dataset(caller.session, *parts_of(body.dataset))
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
            sampling=body.sampling.sampling(),
        ),
        recipe=recipe_named(body.recipe_name, body.recipe),
        risk_tier=body.risk_tier,
        triggers=[one.trigger() for one in body.triggers],
        only_if=[one.trigger() for one in body.only_if],
        budget_hours=body.budget_hours,
        budget_labels=body.budget_labels,
        blackouts=list(map(_weekly, body.blackouts)),
        priority=body.priority,
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
        _changes(caller, policy, body),
        actor=caller.actor,
        at=caller.at,
    )
    tag(response, policy)
    return _shown(caller, [policy])[0]


@router.post("/retraining-policies/{policy_id}/jobs", status_code=202, **acts("retraining:start"))
def retrain_now(policy_id: UUID, body: RetrainIn, caller: Governed) -> JobOut:
    """Retrain by hand; the result goes through the same gates."""
    policy = _policy(caller, policy_id)
    recipe = _other_recipe(policy, body.recipe_name, body.recipe)
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


@router.get("/retraining-policies/{policy_id}/considerations", **acts("retraining-policy:read"))
def list_considerations(policy_id: UUID, caller: Governed, paging: Paging) -> ConsiderationPage:
    """What set a policy off and what came of it; one when any of that is new."""
    policy = _policy(caller, policy_id)
    query = select(Consideration).where(Consideration.policy_id == policy.id)
    rows, following = paging.of(caller.session, query, Consideration.id)
    shown = list(map(ConsiderationOut.model_validate, rows))
    return ConsiderationPage(items=shown, next_cursor=following)


def _other_recipe(
    policy: RetrainingPolicy, name: str | None, settings: dict[str, Any] | None
) -> AnyRecipe | None:
    """The named recipe, or the policy's own, with other settings; None: neither is said."""
    if name is not None:
        return recipe_named(name, settings)
    return None if settings is None else any_recipe_of(policy.recipe | settings)


def _changes(caller: Governed, policy: RetrainingPolicy, body: PolicyPatch) -> dict[str, Any]:
    """What is to be changed, as policies keep it; a budget may be taken away again."""
    changes = body.model_dump(exclude_none=True, exclude={"recipe_name", "recipe"})
    if (recipe := _other_recipe(policy, body.recipe_name, body.recipe)) is not None:
        changes["recipe"] = recipe.to_dict()
    if body.risk_tier is not None:
        tier_named(caller.platform.tiers, body.risk_tier)
    for name, given in (("triggers", body.triggers), ("only_if", body.only_if)):
        if given is not None:
            changes[name] = [one.trigger().to_json() for one in given]
    if body.blackouts is not None:
        changes["blackouts"] = [_weekly(one).to_dict() for one in body.blackouts]
    if body.sampling is not None:
        changes["sampling"] = body.sampling.sampling().to_dict()
    for name in ("budget_hours", "budget_labels"):
        if name in body.model_fields_set:
            changes[name] = getattr(body, name)
    return changes


def _weekly(given: WeeklyIn) -> Weekly:
    return Weekly(frozenset(given.weekdays), given.begins, given.ends, given.zone)


def _policy(caller: Governed, policy_id: UUID) -> RetrainingPolicy:
    policy = by_id(caller, RetrainingPolicy, policy_id)
    caller.require(retraining_policies.retraining_policy_resource(caller.session, policy))
    return policy


def _shown(caller: Governed, policies: list[RetrainingPolicy]) -> list[PolicyOut]:
    approved = retraining_policies.approved_among(caller.session, policies)
    return [PolicyOut.of_row(policy, approved=policy.id in approved) for policy in policies]
