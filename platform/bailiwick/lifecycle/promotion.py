"""Promotion and rollback: the only ways in which `champion` moves."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Conflict, LastingConflict
from bailiwick.db.session import hold_labels
from bailiwick.lifecycle.compliance import review_deployments
from bailiwick.lifecycle.gates import Tier, tier_named
from bailiwick.lifecycle.relabelling import raise_served
from bailiwick.lifecycle.rollouts.starting import (
    begin_rollouts,
    note_return,
    planned_followers,
    stop_rollouts,
)
from bailiwick.lifecycle.tables import Evaluation
from bailiwick.lifecycle.waivers import excused_gates, gates_passed
from bailiwick.monitoring import close, standing_alerts
from bailiwick.policy import (
    Actor,
    ApprovalRequest,
    Rules,
    count_approvals,
    request_approval,
    require,
)
from bailiwick.registry import (
    ACTIVE,
    CHALLENGER,
    CHAMPION,
    ModelVersion,
    RegisteredModel,
    Rollout,
    followers,
    pointed_at,
    previously_pointed_at,
    require_servable,
    version_resource,
    version_subject,
)
from bailiwick.registry.aliases import move_alias

PURPOSE = "promote"


def evaluation_of(session: Session, version: ModelVersion) -> Evaluation | None:
    """What the gates said about the version, if they were asked."""
    return session.scalar(select(Evaluation).where(Evaluation.version_id == version.id))


def ask_for_approval(
    session: Session,
    version: ModelVersion,
    *,
    rules: Rules,
    tiers: Mapping[str, Tier],
    actor: Actor,
    at: datetime,
    expires_at: datetime | None = None,
) -> ApprovalRequest:
    """Ask other people to approve the version's promotion, by `expires_at`."""
    require(
        session,
        rules,
        actor=actor,
        action="approval:request",
        resource=version_resource(session, version),
        at=at,
    )
    evaluation = evaluation_of(session, version)
    if evaluation is None or not gates_passed(evaluation, excused_gates(session, version, at=at)):
        raise Conflict(
            "this version has not passed its gates, so there is nothing to approve; its "
            "evaluation says why, and which gates a waiver could excuse"
        )
    tier = tier_named(tiers, evaluation.risk_tier)
    return request_approval(
        session,
        version_subject(version),
        purpose=PURPOSE,
        required=max(tier.approvals, 1),
        actor=actor,
        at=at,
        expires_at=expires_at,
    )


def promote(
    session: Session,
    version: ModelVersion,
    *,
    reason: str,
    mandate: bool = False,
    rolled_out_since: datetime | None = None,
    rules: Rules,
    tiers: Mapping[str, Tier],
    actor: Actor,
    at: datetime,
) -> list[Rollout]:
    """Make the version champion if gates, approvals and policy allow it.

    Where a deployment that follows has a rollout plan, the version is rolled out there first, and
    the champion moves when that is through: the rollouts are the answer, empty where it has moved
    at once. `rolled_out_since`: they are through; approvals count as of their beginning.

    A gate that this exact version failed is excused by a waiver that acts now, and by nothing
    else; the move's event names it.
    `mandate`: the promotion happens under a retraining policy that people have approved, and
    needs no approval of its own. The gates compare with the champion there was: if that one
    has been replaced since, the evaluation is stale and the promotion refused. Every
    deployment that follows the champion must be cleared for the version's label.
    """
    take_turns(session, version.model_id)
    version = _kept_as_it_is(session, version)
    evaluation = evaluation_of(session, version)
    asked_at = rolled_out_since or at
    excused = excused_gates(session, version, at=at)
    champion = pointed_at(session, version.model_id, CHAMPION)
    tier = tier_named(tiers, evaluation.risk_tier) if evaluation else None
    needed = 0 if mandate else tier.approvals if tier else 1
    require(
        session,
        rules,
        actor=actor,
        action="version:promote",
        resource=version_resource(session, version),
        context={
            "gates_passed": gates_passed(evaluation, excused),
            "approvals": count_approvals(
                session, version_subject(version), purpose=PURPOSE, at=asked_at
            ),
            "approvals_required": needed,
        },
        at=at,
    )
    _keep_to_tier(session, tier, champion, tiers)
    compared_with = evaluation.champion_version_id if evaluation else None
    if champion is not None and champion.id not in (version.id, compared_with):
        raise Conflict(
            "this version was compared with a champion that has been replaced since; "
            "train or evaluate it again"
        )
    if champion is not None and champion.id != version.id and rolled_out_since is None:
        planned = planned_followers(session, version.model_id)
        if planned:
            mark_challenger(session, version, reason=reason, actor=actor, at=at)
            return begin_rollouts(
                session,
                champion,
                version,
                planned,
                reason=reason,
                mandate=mandate,
                rules=rules,
                actor=actor,
                at=at,
            )
    failed = [rejection["gate"] for rejection in evaluation.rejections] if evaluation else []
    _point_champion(
        session,
        version,
        reason=reason,
        excused={gate: excused[gate].id for gate in failed},
        rules=rules,
        actor=actor,
        at=at,
    )
    return []


def roll_back(
    session: Session,
    model_id: UUID,
    *,
    reason: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> ModelVersion:
    """Make the previous champion champion again. Skips the comparison, not policy or audit.

    It answers from the next request on, whatever plans there are.
    """
    take_turns(session, model_id)
    left = pointed_at(session, model_id, CHAMPION)
    previous = previously_pointed_at(session, model_id, CHAMPION)
    if previous is None:
        raise Conflict("this model has had one champion only; there is nothing to go back to")
    previous = _kept_as_it_is(session, previous)
    require(
        session,
        rules,
        actor=actor,
        action="version:rollback",
        resource=version_resource(session, previous),
        at=at,
    )
    _point_champion(session, previous, reason=reason, rules=rules, actor=actor, at=at)
    if left is not None:
        note_return(session, left, why=reason, actor_id=UUID(actor.id), at=at)
    return previous


def mark_challenger(
    session: Session, version: ModelVersion, *, reason: str, actor: Actor, at: datetime
) -> None:
    """Point `challenger` at a version that competes with the champion."""
    move_alias(session, version, CHALLENGER, reason=reason, actor_id=UUID(actor.id), at=at)


def take_turns(session: Session, model_id: UUID) -> None:
    """Lock the model's row: of two promotions the second sees the first one's champion.

    Labels are held before, so that one that rises at the same moment finds what is promoted.
    """
    hold_labels(session)
    session.get(RegisteredModel, model_id, with_for_update=True, populate_existing=True)


def lesser_tier(
    session: Session, tier: Tier, champion: ModelVersion | None, tiers: Mapping[str, Tier]
) -> str | None:
    """Why nothing judged by `tier` may follow `champion`, if so."""
    before = evaluation_of(session, champion) if champion is not None else None
    if before is None:
        return None
    standing = tier_named(tiers, before.risk_tier)
    if not tier.demands_less_than(standing):
        return None
    return (
        f"this model's champion was judged by the risk tier {standing.name}, which demands "
        f"more than {tier.name}: train the version with risk_tier {standing.name}"
    )


def _keep_to_tier(
    session: Session, tier: Tier | None, champion: ModelVersion | None, tiers: Mapping[str, Tier]
) -> None:
    """Who orders a training names its risk tier, and so how many must approve: never fewer."""
    if tier is not None and (problem := lesser_tier(session, tier, champion, tiers)):
        raise LastingConflict(problem)


def _kept_as_it_is(session: Session, version: ModelVersion) -> ModelVersion:
    """Lock the version's row: approvals and waivers are of the label that it has now."""
    return session.get_one(
        ModelVersion, version.id, with_for_update={"of": ModelVersion}, populate_existing=True
    )


def _point_champion(
    session: Session,
    version: ModelVersion,
    *,
    reason: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
    excused: Mapping[str, UUID] | None = None,
) -> None:
    said = f"version {version.number} became champion"
    stop_rollouts(session, version.model_id, why=said, actor_id=UUID(actor.id), at=at)
    following = followers(session, version.model_id, stopped=True)
    for deployment in following:
        # A stopped one is asked when it starts; it tells of the version from now on.
        if deployment.state == ACTIVE:
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
        raise_served(session, deployment, version, rules=rules, actor_id=UUID(actor.id), at=at)
        for alert in standing_alerts(session, deployment.id):
            # What was wrong was wrong with the old version; the new one has its own baseline.
            close(session, alert, resolution=said, actor_id=UUID(actor.id), at=at)
    move_alias(
        session,
        version,
        CHAMPION,
        reason=reason,
        actor_id=UUID(actor.id),
        at=at,
        excused=excused,
    )
    review_deployments(
        session,
        rules=rules,
        deployments=following,
        cause=said,
        actor=actor,
        at=at,
    )
