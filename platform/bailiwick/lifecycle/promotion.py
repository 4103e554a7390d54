"""Promotion and rollback: the only ways in which `champion` moves."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Conflict
from bailiwick.lifecycle.gates import Tier, tier_named
from bailiwick.lifecycle.tables import Evaluation
from bailiwick.monitoring import close, unresolved
from bailiwick.policy import (
    Actor,
    ApprovalRequest,
    Rules,
    Subject,
    count_approvals,
    request_approval,
    require,
)
from bailiwick.registry import (
    CHALLENGER,
    CHAMPION,
    ModelVersion,
    RegisteredModel,
    followers,
    pointed_at,
    previously_pointed_at,
    raise_deployment_label,
    require_servable,
    version_resource,
)
from bailiwick.registry.aliases import move_alias

PURPOSE = "promote"


def version_subject(version: ModelVersion) -> Subject:
    """What people approve: this version's exact bytes."""
    return Subject(
        type="model-version",
        id=version.id,
        digest=version.manifest_digest,
        namespace=version.model.namespace,
        label_id=version.label_id,
        trained_by=version.trained_by,
    )


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
) -> ApprovalRequest:
    """Ask other people to approve the version's promotion."""
    require(
        session,
        rules,
        actor=actor,
        action="approval:request",
        resource=version_resource(session, version),
        at=at,
    )
    evaluation = evaluation_of(session, version)
    if evaluation is None or not evaluation.passed:
        raise Conflict(
            "this version has not passed its gates, so there is nothing to approve; "
            "its evaluation says why"
        )
    tier = tier_named(tiers, evaluation.risk_tier)
    return request_approval(
        session,
        version_subject(version),
        purpose=PURPOSE,
        required=max(tier.approvals, 1),
        actor=actor,
        at=at,
    )


def promote(
    session: Session,
    version: ModelVersion,
    *,
    reason: str,
    mandate: bool = False,
    rules: Rules,
    tiers: Mapping[str, Tier],
    actor: Actor,
    at: datetime,
) -> None:
    """Make the version champion if gates, approvals and policy allow it.

    `mandate`: the promotion happens under a retraining policy that people have approved, and
    needs no approval of its own. The gates compare with the champion there was: if that one
    has been replaced since, the evaluation is stale and the promotion refused. Every
    deployment that follows the champion must be cleared for the version's label.
    """
    _take_turns(session, version.model_id)
    evaluation = evaluation_of(session, version)
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
            "gates_passed": evaluation is not None and evaluation.passed,
            "approvals": count_approvals(session, version_subject(version), purpose=PURPOSE, at=at),
            "approvals_required": needed,
        },
        at=at,
    )
    compared_with = evaluation.champion_version_id if evaluation else None
    if champion is not None and champion.id not in (version.id, compared_with):
        raise Conflict(
            "this version was compared with a champion that has been replaced since; "
            "train or evaluate it again"
        )
    _point_champion(session, version, reason=reason, rules=rules, actor=actor, at=at)


def roll_back(
    session: Session,
    model_id: UUID,
    *,
    reason: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> ModelVersion:
    """Make the previous champion champion again. Skips the comparison, not policy or audit."""
    _take_turns(session, model_id)
    previous = previously_pointed_at(session, model_id, CHAMPION)
    if previous is None:
        raise Conflict("this model has had one champion only; there is nothing to go back to")
    require(
        session,
        rules,
        actor=actor,
        action="version:rollback",
        resource=version_resource(session, previous),
        at=at,
    )
    _point_champion(session, previous, reason=reason, rules=rules, actor=actor, at=at)
    return previous


def mark_challenger(
    session: Session, version: ModelVersion, *, reason: str, actor: Actor, at: datetime
) -> None:
    """Point `challenger` at a version that competes with the champion."""
    move_alias(session, version, CHALLENGER, reason=reason, actor_id=UUID(actor.id), at=at)


def _take_turns(session: Session, model_id: UUID) -> None:
    """Lock the model's row: of two promotions the second sees the first one's champion."""
    session.get(RegisteredModel, model_id, with_for_update=True, populate_existing=True)


def _point_champion(
    session: Session,
    version: ModelVersion,
    *,
    reason: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> None:
    for deployment in followers(session, version.model_id):
        require_servable(
            session,
            version,
            deployment.environment,
            purpose=deployment.purpose,
            rules=rules,
            actor=actor,
            at=at,
        )
        raise_deployment_label(session, deployment, version, rules=rules)
        alert = unresolved(session, deployment.id)
        if alert is not None:
            # What was wrong was wrong with the old version; the new one has its own baseline.
            said = f"version {version.number} became champion"
            close(session, alert, resolution=said, actor_id=UUID(actor.id), at=at)
    move_alias(session, version, CHAMPION, reason=reason, actor_id=UUID(actor.id), at=at)
