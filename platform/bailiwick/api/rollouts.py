"""`/deployments/{id}/rollout-plan`, `…/rollouts`, and moving a rollout by hand."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.core.errors import NotFound
from bailiwick.lifecycle import rolling_out
from bailiwick.lifecycle.rollouts import (
    Evidence,
    Plan,
    Reference,
    remove_plan,
    set_plan,
    standings,
)
from bailiwick.policy import Unseen
from bailiwick.registry import Rollout, RolloutEvent, RolloutPlan, versions_by_id
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

router = APIRouter(prefix="/deployments", tags=["running models"], route_class=GovernedRoute)

Share = Annotated[float, Field(ge=0, lt=1)]
Hours = Annotated[float, Field(ge=0)]


class RolloutLimitsIn(Body):
    """How much worse than the champion a version may be, in shares of requests or of accuracy."""

    errors: Share = 0.01
    slow: Share = 0.05
    slow_factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    disagreement: Annotated[float | None, Field(gt=0, lt=1)] = 0.3
    estimated_accuracy: Share | None = 0.05
    accuracy: Share | None = 0.05


class RolloutPlanIn(Body):
    """By which steps the deployment comes to a new champion; see docs/rollout.md."""

    shadow_hours: Hours = 0.0
    canary_shares: list[Annotated[float, Field(gt=0, lt=1)]] = Field([0.05, 0.25], max_length=20)
    step_hours: Hours = 24.0
    min_requests: Annotated[int, Field(ge=1)] = 200
    min_labels: Annotated[int, Field(ge=0)] = 0
    max_hours: Hours = 168.0
    warm_hours: Hours = 24.0
    false_rollbacks: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    limits: RolloutLimitsIn = Field(default_factory=RolloutLimitsIn)
    served: Literal["here", "elsewhere"] = "here"
    grace_minutes: Annotated[float, Field(gt=0)] = 30.0
    channel: Annotated[str | None, Field(description="A webhook channel to tell.")] = None


class RolloutPlanOut(Schema):
    """A deployment's plan, and who set it."""

    settings: RolloutPlanIn
    digest: str
    set_by: UUID
    set_at: datetime


class RolloutMoveIn(Body):
    """Why."""

    reason: Text


class GuardOut(Schema):
    """One guard: how much worse the new version was, and the evidence that it is too much.

    It is breached when `log_evidence` reaches `log_threshold` (natural logarithms).
    """

    phase: Literal["shadow", "canary"]
    guard: str
    pairs: int
    worse_by: float | None
    tolerated: float
    log_evidence: float
    log_threshold: float
    breached: bool


class RolloutMoveOut(Schema):
    """One move of a rollout."""

    number: int
    move: str
    old_state: str | None
    new_state: str
    step: int
    share: float
    why: str
    actor_id: UUID
    at: datetime


class RolloutRunOut(Schema):
    """A rollout: from which version to which, where it stands, and what its guards say."""

    id: UUID
    deployment_id: UUID
    from_version: int
    to_version: int
    state: Literal["shadow", "canary", "full", "stopped", "rolled-back"]
    step: int
    steps: int
    share: float
    requests: int = Field(description="Of the new version, judged in this step.")
    labels: int
    guards: list[GuardOut]
    plan: RolloutPlanIn
    reason: str
    started_by: UUID
    started_at: datetime
    step_started_at: datetime
    passed_at: datetime | None
    stalled_at: datetime | None
    ended_at: datetime | None
    ended_why: str | None
    warm_until: datetime | None


class RolloutDetail(RolloutRunOut):
    """A rollout with all its moves."""

    moves: list[RolloutMoveOut]


class RolloutPage(Page):
    """Rollouts, newest first."""

    items: list[RolloutRunOut]


@router.get("/{deployment_id}/rollout-plan", **acts("deployment:read"))
def read_plan(deployment_id: UUID, caller: Governed, response: Response) -> RolloutPlanOut:
    """By which steps the deployment comes to a new champion."""
    governed_deployment(caller, deployment_id)
    row = caller.session.get(RolloutPlan, deployment_id)
    if row is None:
        raise NotFound("this deployment has no rollout plan; it follows promotions at once")
    tag(response, row)
    return RolloutPlanOut.model_validate(row)


@router.put("/{deployment_id}/rollout-plan", **acts("rollout:plan"))
def write_plan(
    deployment_id: UUID,
    body: RolloutPlanIn,
    caller: Governed,
    response: Response,
    seen: Precondition,
) -> RolloutPlanOut:
    """Set the plan; it holds from the next promotion on."""
    deployment = governed_deployment(caller, deployment_id)
    seen.check(caller.session.get(RolloutPlan, deployment_id))
    plan = Plan.from_json(body.model_dump())
    row = set_plan(caller.session, deployment, plan, actor_id=caller.principal_id, at=caller.at)
    tag(response, row)
    return RolloutPlanOut.model_validate(row)


@router.delete("/{deployment_id}/rollout-plan", status_code=204, **acts("rollout:plan"))
def delete_plan(deployment_id: UUID, caller: Governed) -> Response:
    """Follow promotions at once from now on; a rollout that is under way goes on."""
    deployment = governed_deployment(caller, deployment_id)
    remove_plan(caller.session, deployment, actor_id=caller.principal_id, at=caller.at)
    return Response(status_code=204)


@router.get("/{deployment_id}/rollouts", **acts("deployment:read"))
def list_rollouts(
    deployment_id: UUID, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> RolloutPage:
    """The deployment's rollouts, newest first."""
    governed_deployment(caller, deployment_id)
    query = select(Rollout).where(Rollout.deployment_id == deployment_id)
    rows, following = page_of(caller.session, query, Rollout.id, limit=limit, cursor=cursor)
    return RolloutPage(items=_shown(caller, rows), next_cursor=following)


@router.get("/{deployment_id}/rollouts/{rollout_id}", **acts("deployment:read"))
def read_rollout_run(
    deployment_id: UUID, rollout_id: UUID, caller: Governed, response: Response
) -> RolloutDetail:
    """One rollout with all its moves."""
    governed_deployment(caller, deployment_id)
    rollout = caller.session.get(Rollout, rollout_id)
    if rollout is None or rollout.deployment_id != deployment_id:
        raise Unseen
    tag(response, rollout)
    return _detail(caller, rollout)


@router.post("/{deployment_id}/rollout/advance", **acts("rollout:advance"))
def advance(deployment_id: UUID, body: RolloutMoveIn, caller: Governed) -> RolloutDetail:
    """Go to the next step now, without waiting for its time and requests; not past a breach."""
    deployment = governed_deployment(caller, deployment_id)
    rollout = rolling_out.advance(
        caller.session,
        caller.platform,
        deployment,
        reason=body.reason,
        actor=caller.actor,
        at=caller.at,
    )
    return _detail(caller, rollout)


@router.post("/{deployment_id}/rollout/stop", **acts("rollout:stop"))
def stop(deployment_id: UUID, body: RolloutMoveIn, caller: Governed) -> RolloutDetail:
    """End the rollout that is under way; the champion answers everything."""
    deployment = governed_deployment(caller, deployment_id)
    rollout = rolling_out.stop(
        caller.session, deployment, reason=body.reason, actor=caller.actor, at=caller.at
    )
    return _detail(caller, rollout)


@router.post("/{deployment_id}/rollout/rollback", **acts("rollout:rollback"))
def roll_back(deployment_id: UUID, body: RolloutMoveIn, caller: Governed) -> RolloutDetail:
    """Go back to the version before, also once the rollout is full, while that one is warm."""
    deployment = governed_deployment(caller, deployment_id)
    rollout = rolling_out.roll_back(
        caller.session,
        caller.platform,
        deployment,
        reason=body.reason,
        actor=caller.actor,
        at=caller.at,
    )
    return _detail(caller, rollout)


def _detail(caller: Governed, rollout: Rollout) -> RolloutDetail:
    events = caller.session.scalars(
        select(RolloutEvent)
        .where(RolloutEvent.rollout_id == rollout.id)
        .order_by(RolloutEvent.number)
    )
    (shown,) = _shown(caller, [rollout])
    moves = [RolloutMoveOut.model_validate(one) for one in events]
    return RolloutDetail(**shown.model_dump(), moves=moves)


def _shown(caller: Governed, rollouts: list[Rollout]) -> list[RolloutRunOut]:
    ids = {one for row in rollouts for one in (row.from_version_id, row.to_version_id)}
    versions = versions_by_id(caller.session, sorted(ids))
    return [
        RolloutRunOut(
            from_version=versions[row.from_version_id].number,
            to_version=versions[row.to_version_id].number,
            **_progress(row),
            **{name: getattr(row, name) for name in _COPIED},
        )
        for row in rollouts
    ]


def _progress(row: Rollout) -> dict[str, Any]:
    plan, evidence = Plan.from_json(row.plan), Evidence.from_json(row.evidence)
    reference = Reference.from_json(row.reference)
    return {
        "steps": len(plan.steps),
        "requests": evidence.requests,
        "labels": evidence.labels,
        "guards": [GuardOut.model_validate(one) for one in standings(evidence, plan, reference)],
        "plan": RolloutPlanIn(**row.plan),
    }


_COPIED = (
    "id",
    "deployment_id",
    "state",
    "step",
    "share",
    "reason",
    "started_by",
    "started_at",
    "step_started_at",
    "passed_at",
    "stalled_at",
    "ended_at",
    "ended_why",
    "warm_until",
)
