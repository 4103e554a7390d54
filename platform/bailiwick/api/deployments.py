"""`/environments` and `/deployments`: where models run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.acting_waivers import ActingWaiverOut, waivers_shown
from bailiwick.api.breaches import BreachOut, breaches_shown
from bailiwick.api.schemas import Body, LabelOut, Schema, Slug, labels_by_id
from bailiwick.lifecycle.compliance import unresolved_breaches
from bailiwick.lifecycle.operation import start, stop
from bailiwick.policy import PLATFORM, Resource, Unseen, load_label
from bailiwick.registry import (
    SHADOW,
    STOPPED,
    WAIVABLE_DEPLOYMENTS,
    Deployment,
    Environment,
    ModelVersion,
    Rollout,
    create_deployment,
    create_environment,
    deployment_resource,
    deployment_subject,
    find_environment,
    find_model,
    find_version,
    model_resource,
    routing_of,
    running_rollout,
    running_rollouts,
    served_versions,
    versions_by_id,
)
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    Precondition,
    acts,
    page_of,
    tag,
)

router = APIRouter(tags=["running models"], route_class=GovernedRoute)


class EnvironmentIn(Body):
    """A place to run models in: its zone, and the highest label that it is cleared for."""

    name: Slug
    zone: str
    clearance_level: str
    clearance_compartments: list[str] = Field(default_factory=list)
    keeps_text: bool = False


class EnvironmentOut(Schema):
    """An environment."""

    id: UUID
    name: str
    zone: str
    clearance_level: str
    clearance_compartments: list[str]
    keeps_text: bool
    created_at: datetime


class EnvironmentPage(Page):
    """Environments, newest first."""

    items: list[EnvironmentOut]


class DeploymentIn(Body):
    """A model to run in an environment: its champion, or one version that stays."""

    namespace: Slug
    name: Slug
    model: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$", description="NAMESPACE/NAME")]
    environment: Slug
    purpose: str
    keeps_text: bool = False
    pinned_version: Annotated[int | None, Field(ge=1)] = None


class DeploymentPatch(Body):
    """Whether the deployment answers."""

    state: Literal["active", "stopped"]


class ChallengerOut(Schema):
    """The version that is being rolled out: in the shadow, or answering a share of the requests.

    Request keys are split by the first 53 bits of SHA-256 over the rollout's 16 bytes and the key:
    this version answers those that, as a fraction of 1, lie below `share`.
    """

    rollout_id: UUID
    state: Literal["shadow", "canary"]
    share: float
    version: int
    version_id: UUID
    manifest_digest: str


class RolloutOut(Schema):
    """Which version answers, by which rule, and which one is being rolled out beside it."""

    follows: Literal["champion", "pinned"]
    version: int
    version_id: UUID
    manifest_digest: str
    challenger: ChallengerOut | None = None


class DeploymentOut(Schema):
    """A deployment."""

    id: UUID
    namespace: str
    name: str
    model: str
    environment: str
    purpose: str
    keeps_text: bool
    state: str
    label: LabelOut
    waivers: list[ActingWaiverOut]
    breach: BreachOut | None = Field(description="Why it is out of policy, if it is.")
    rollout: RolloutOut
    created_at: datetime


class DeploymentPage(Page):
    """Deployments, newest first."""

    items: list[DeploymentOut]


@router.get("/environments", **acts("environment:list"))
def list_environments(
    caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> EnvironmentPage:
    """All environments, newest first; they carry no confidential content."""
    caller.require(PLATFORM)
    rows, following = page_of(
        caller.session, select(Environment), Environment.id, limit=limit, cursor=cursor
    )
    return EnvironmentPage(
        items=list(map(EnvironmentOut.model_validate, rows)), next_cursor=following
    )


@router.post("/environments", status_code=201, **acts("environment:create"))
def create_an_environment(
    body: EnvironmentIn, caller: Governed, response: Response
) -> EnvironmentOut:
    """Define an environment."""
    caller.require(Resource("Environment", body.name, None, None))
    environment = create_environment(
        caller.session,
        body.name,
        zone=body.zone,
        clearance_level=body.clearance_level,
        clearance_compartments=body.clearance_compartments,
        keeps_text=body.keeps_text,
        rules=caller.rules,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    tag(response, environment)
    return EnvironmentOut.model_validate(environment)


@router.get("/environments/{name}", **acts("environment:read"))
def read_environment(name: str, caller: Governed, response: Response) -> EnvironmentOut:
    """One environment; who may list them may read it."""
    caller.require(PLATFORM, action="environment:list")
    environment = find_environment(caller.session, name)
    tag(response, environment)
    return EnvironmentOut.model_validate(environment)


@router.get("/deployments", **acts("deployment:list"))
def list_deployments(caller: Governed, limit: Limit = 50, cursor: Cursor = None) -> DeploymentPage:
    """The deployments that the caller may see, newest first."""
    rows, following = page_of(
        caller.session,
        select(Deployment).where(
            caller.visible(
                "Deployment",
                Deployment.namespace,
                Deployment.label_id,
                action="deployment:read",
                objects=("deployments", Deployment.name),
                waivable=WAIVABLE_DEPLOYMENTS,
            )
        ),
        Deployment.id,
        limit=limit,
        cursor=cursor,
    )
    return DeploymentPage(items=_shown(caller, rows), next_cursor=following)


@router.post("/deployments", status_code=201, **acts("deployment:create"))
def deploy(body: DeploymentIn, caller: Governed, response: Response) -> DeploymentOut:
    """Deploy a model; refused where the environment is not cleared for the version's label."""
    namespace, _, name = body.model.partition("/")
    model = find_model(caller.session, namespace, name)
    caller.require(model_resource(caller.session, model), action="model:read")
    label = load_label(caller.session, model.label_id)
    caller.require(Resource("Deployment", f"{body.namespace}/{body.name}", body.namespace, label))
    pinned = (
        find_version(caller.session, model, body.pinned_version) if body.pinned_version else None
    )
    deployment = create_deployment(
        caller.session,
        model,
        find_environment(caller.session, body.environment),
        namespace=body.namespace,
        name=body.name,
        purpose=body.purpose,
        keeps_text=body.keeps_text,
        pinned=pinned,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    tag(response, deployment)
    return _shown(caller, [deployment])[0]


@router.get("/deployments/{deployment_id}", **acts("deployment:read"))
def read_deployment(deployment_id: UUID, caller: Governed, response: Response) -> DeploymentOut:
    """One deployment."""
    deployment = governed_deployment(caller, deployment_id)
    tag(response, deployment)
    return _shown(caller, [deployment])[0]


@router.patch("/deployments/{deployment_id}", **acts("deployment:update"))
def update_deployment(
    deployment_id: UUID,
    body: DeploymentPatch,
    caller: Governed,
    response: Response,
    seen: Precondition,
) -> DeploymentOut:
    """Stop a deployment, or let it answer again, which is asked like deploying."""
    deployment = governed_deployment(caller, deployment_id)
    seen.check(deployment)
    act = stop if body.state == STOPPED else start
    act(caller.session, deployment, rules=caller.rules, actor=caller.actor, at=caller.at)
    tag(response, deployment)
    return _shown(caller, [deployment])[0]


@router.get("/deployments/{deployment_id}/rollout", **acts("deployment:read"))
def read_rollout(deployment_id: UUID, caller: Governed, response: Response) -> RolloutOut:
    """Which version answers now, or should, where another system serves.

    The tag changes when the answer does: ask again with `If-None-Match`.
    """
    deployment = governed_deployment(caller, deployment_id)
    tag(response, deployment)
    routing = routing_of(caller.session, deployment)
    running = running_rollout(caller.session, deployment_id) if routing.rollout_id else None
    beside = {one.id: one for one in (routing.challenger,) if one is not None}
    return _rollout(deployment, routing.version, running, beside)


def governed_deployment(
    caller: Governed, deployment_id: UUID, *, action: str | None = None
) -> Deployment:
    """The deployment, after the policy has let the caller act on it."""
    deployment = caller.session.get(Deployment, deployment_id)
    if deployment is None:
        raise Unseen
    caller.require(deployment_resource(caller.session, deployment), action=action)
    return deployment


def _rollout(
    deployment: Deployment,
    version: ModelVersion,
    running: Rollout | None,
    beside: Mapping[UUID, ModelVersion],
) -> RolloutOut:
    """`beside`: the versions that are being rolled out, by id."""
    challenger = None
    if running is not None and running.to_version_id in beside:
        version_beside = beside[running.to_version_id]
        challenger = ChallengerOut(
            rollout_id=running.id,
            state="shadow" if running.state == SHADOW else "canary",
            share=running.share,
            version=version_beside.number,
            version_id=version_beside.id,
            manifest_digest=version_beside.manifest_digest,
        )
    return RolloutOut(
        follows="pinned" if deployment.pinned_version_id else "champion",
        version=version.number,
        version_id=version.id,
        manifest_digest=version.manifest_digest,
        challenger=challenger,
    )


def _shown(caller: Governed, deployments: list[Deployment]) -> list[DeploymentOut]:
    """Deployments with labels, waivers and served versions, in a few queries for all of them."""
    labels = labels_by_id(caller.session, [deployment.label_id for deployment in deployments])
    served = served_versions(caller.session, deployments)
    running = running_rollouts(caller.session, [deployment.id for deployment in deployments])
    beside = versions_by_id(caller.session, [one.to_version_id for one in running.values()])
    waivers = waivers_shown(caller, map(deployment_subject, deployments))
    broken = unresolved_breaches(caller.session, [deployment.id for deployment in deployments])
    breaches = {one.deployment_id: one for one in breaches_shown(caller, list(broken.values()))}
    return [
        DeploymentOut(
            id=deployment.id,
            namespace=deployment.namespace,
            name=deployment.name,
            model=f"{deployment.model.namespace}/{deployment.model.name}",
            environment=deployment.environment.name,
            purpose=deployment.purpose,
            keeps_text=deployment.keeps_text,
            state=deployment.state,
            label=labels[deployment.label_id],
            waivers=waivers[deployment.id],
            breach=breaches.get(deployment.id),
            rollout=_rollout(deployment, served[deployment.id], running.get(deployment.id), beside),
            created_at=deployment.created_at,
        )
        for deployment in deployments
    ]
