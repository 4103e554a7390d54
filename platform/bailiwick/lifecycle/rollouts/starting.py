"""How a promotion begins rollouts instead of moving the champion, and ends those before it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_id
from bailiwick.lifecycle.relabelling import raise_served
from bailiwick.lifecycle.rollouts.guards import Evidence
from bailiwick.lifecycle.rollouts.moves import note_rollback, note_start, note_stop
from bailiwick.lifecycle.rollouts.plans import Plan
from bailiwick.policy import Actor, Rules
from bailiwick.registry import (
    FULL,
    RUNNING,
    Deployment,
    ModelVersion,
    Rollout,
    RolloutPlan,
    followers,
    require_servable,
)


def planned_followers(session: Session, model_id: UUID) -> list[tuple[Deployment, Plan]]:
    """The active deployments that follow the model's champion step by step."""
    following = {one.id: one for one in followers(session, model_id)}
    plans = session.scalars(
        select(RolloutPlan)
        .where(RolloutPlan.deployment_id.in_(following))
        .order_by(RolloutPlan.deployment_id)
    )
    return [(following[one.deployment_id], Plan.from_json(one.settings)) for one in plans]


def begin_rollouts(
    session: Session,
    champion: ModelVersion,
    version: ModelVersion,
    planned: Sequence[tuple[Deployment, Plan]],
    *,
    reason: str,
    mandate: bool,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> list[Rollout]:
    """Roll the version out to these deployments; the champion moves when all are through.

    The policy is asked of every deployment that follows, as if the version served it already, so
    that none is refused at the end; those of the rollout take its label, as it sees their requests
    from now on. What is under way to the same version goes on; to another one, it is stopped.
    """
    actor_id = UUID(actor.id)
    for deployment in followers(session, version.model_id):
        require_servable(
            session,
            version,
            deployment.environment,
            purpose=deployment.purpose,
            rules=rules,
            actor=actor,
            at=at,
            deployment=deployment,
        )
    same = _running(session, version.model_id, to=version.id)
    said = f"superseded by version {version.number}"
    stop_rollouts(session, version.model_id, but=version.id, why=said, actor_id=actor_id, at=at)
    begun = []
    for deployment, plan in planned:
        if deployment.id in same:
            begun.append(same[deployment.id])
            continue
        raise_served(session, deployment, version, rules=rules, actor_id=actor_id, at=at)
        first = plan.steps[0]
        rollout = Rollout(
            id=new_id(),
            deployment_id=deployment.id,
            model_id=version.model_id,
            from_version_id=champion.id,
            to_version_id=version.id,
            plan=plan.to_json(),
            reference={},
            reason=reason,
            mandate=mandate,
            state=first.state,
            step=0,
            share=first.share,
            evidence=Evidence().to_json(),
            moves=0,
            started_by=actor_id,
            started_at=at,
            step_started_at=at,
        )
        session.add(rollout)
        note_start(session, rollout, actor_id=actor_id, at=at)
        begun.append(rollout)
    return begun


def stop_rollouts(
    session: Session,
    model_id: UUID,
    *,
    but: UUID | None = None,
    why: str,
    actor_id: UUID,
    at: datetime,
) -> None:
    """Stop what is under way of the model, except to the version `but`."""
    for rollout in _running(session, model_id).values():
        if rollout.to_version_id != but:
            note_stop(session, rollout, why=why, actor_id=actor_id, at=at)


def note_return(
    session: Session, left: ModelVersion, *, why: str, actor_id: UUID, at: datetime
) -> None:
    """A champion was rolled back: so were the rollouts that made it champion."""
    through = session.scalars(
        select(Rollout)
        .where(Rollout.model_id == left.model_id, Rollout.to_version_id == left.id)
        .where(Rollout.state == FULL)
        .order_by(Rollout.id)
        .with_for_update()
    )
    for rollout in through.all():
        note_rollback(session, rollout, why=why, alarms=False, actor_id=actor_id, at=at)


def _running(session: Session, model_id: UUID, *, to: UUID | None = None) -> dict[UUID, Rollout]:
    """Those under way of a model, by deployment; their rows are locked."""
    query = (
        select(Rollout)
        .where(Rollout.model_id == model_id, Rollout.state.in_(RUNNING))
        .order_by(Rollout.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if to is not None:
        query = query.where(Rollout.to_version_id == to)
    return {one.deployment_id: one for one in session.scalars(query)}
