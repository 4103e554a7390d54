"""Retraining policies: when a deployment's model is retrained, from what, and as whom.

A policy acts only after somebody else has approved exactly its settings (their digest);
changing them voids the approval. Promotions under an approved policy need no further one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import Principal
from bailiwick.audit.log import record
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.sampling import Sampling
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lifecycle.training_plans import TrainingOrder
from bailiwick.lifecycle.triggers import Trigger
from bailiwick.lineage import Dataset
from bailiwick.notifications.recurrence import Weekly
from bailiwick.policy import (
    Actor,
    ApprovalRequest,
    Resource,
    Subject,
    approvals_by_subject,
    request_approval,
)
from bailiwick.registry import Deployment, deployment_resource
from bailiwick.training import AnyRecipe, any_recipe_of

PURPOSE = "automate"
APPROVALS = 1
ALERT_KINDS = ("drift", "harm")
SETTINGS = (
    "dataset_id",
    "acts_as",
    "on_alert",
    "cooldown_days",
    "window_days",
    "max_rows",
    "holdout_ratio",
    "recipe",
    "risk_tier",
)
# Part of the digest only where they say something: policies that know none keep theirs.
MORE_SETTINGS = (
    "triggers",
    "only_if",
    "budget_hours",
    "budget_labels",
    "blackouts",
    "priority",
    "sampling",
)


def create_retraining_policy(
    session: Session,
    deployment: Deployment,
    *,
    dataset: Dataset,
    acts_as: Principal,
    on_alert: Sequence[str],
    cooldown_days: int,
    selection: Selection,
    recipe: AnyRecipe,
    risk_tier: str,
    triggers: Sequence[Trigger] = (),
    only_if: Sequence[Trigger] = (),
    budget_hours: float | None = None,
    budget_labels: int | None = None,
    blackouts: Sequence[Weekly] = (),
    priority: int = 0,
    actor: Actor,
    at: datetime,
) -> RetrainingPolicy:
    """A new policy; nothing happens by it until it is approved."""
    _require_a_reason(on_alert, triggers)
    standing = select(RetrainingPolicy.id).where(RetrainingPolicy.deployment_id == deployment.id)
    if session.scalar(standing):
        raise Conflict("this deployment has a retraining policy already; change that one")
    if deployment.pinned_version_id is not None:
        raise Invalid("this deployment is pinned to one version, so there is nothing to retrain")
    if acts_as.kind != "service":
        raise Invalid("acts_as must name a service principal: nobody retrains as a person")
    if not deployment.keeps_text:
        raise Invalid(
            "this deployment does not keep text, so there is nothing to learn from; deploy with "
            "keeps_text in an environment that allows it"
        )
    policy = RetrainingPolicy(
        id=new_id(),
        deployment_id=deployment.id,
        dataset_id=dataset.id,
        acts_as=acts_as.id,
        on_alert=sorted(set(on_alert)),
        cooldown_days=cooldown_days,
        window_days=selection.window_days,
        max_rows=selection.max_rows,
        holdout_ratio=selection.holdout_ratio,
        recipe=recipe.to_dict(),
        risk_tier=risk_tier,
        triggers=[one.to_json() for one in triggers],
        only_if=[one.to_json() for one in only_if],
        budget_hours=budget_hours,
        budget_labels=budget_labels,
        blackouts=[one.to_dict() for one in blackouts],
        priority=priority,
        sampling=selection.sampling.to_dict(),
        enabled=True,
        set_by=UUID(actor.id),
        created_by=UUID(actor.id),
        created_at=at,
    )
    _check(policy)
    policy.digest = _digest(policy)
    session.add(policy)
    session.flush()
    record(
        session,
        "retraining-policy.created",
        subject_type="retraining-policy",
        subject_id=policy.id,
        actor_id=UUID(actor.id),
        at=at,
        details={"deployment": str(deployment.id), "digest": policy.digest, **_settings(policy)},
    )
    return policy


def update_retraining_policy(
    session: Session,
    policy: RetrainingPolicy,
    changes: dict[str, Any],
    *,
    actor: Actor,
    at: datetime,
) -> RetrainingPolicy:
    """Change settings. Anything but `enabled` changes the digest and so voids the approval."""
    before = {name: getattr(policy, name) for name in changes}
    if before == changes:
        return policy
    for name, value in changes.items():
        setattr(policy, name, value)
    _check(policy)
    digest = _digest(policy)
    if digest != policy.digest:
        policy.digest, policy.set_by = digest, UUID(actor.id)
    session.flush()
    record(
        session,
        "retraining-policy.updated",
        subject_type="retraining-policy",
        subject_id=policy.id,
        actor_id=UUID(actor.id),
        at=at,
        details={"old": before, "new": changes, "digest": policy.digest},
    )
    return policy


def _check(policy: RetrainingPolicy) -> None:
    """`Invalid` for settings by which nothing could be retrained."""
    selection_of(policy)
    odd = set(policy.on_alert) - set(ALERT_KINDS)
    if odd:
        raise Invalid(f"on_alert takes {', '.join(ALERT_KINDS)}, not {', '.join(sorted(odd))}")
    for one in (*policy.triggers, *policy.only_if):
        Trigger(**one)
    for one in policy.blackouts:
        Weekly.from_dict(one)
    _require_a_reason(policy.on_alert, policy.triggers)
    if policy.budget_hours is not None and policy.budget_hours <= 0:
        raise Invalid("budget_hours is more than 0, or left out; switch the policy off instead")
    if policy.budget_labels is not None and policy.budget_labels < 1:
        raise Invalid("budget_labels is 1 or more, or left out; switch the policy off instead")


def _require_a_reason(on_alert: Sequence[str], triggers: Sequence[object]) -> None:
    if not on_alert and not triggers:
        raise Invalid("nothing would ever set the policy off; name an alert or another trigger")


def selection_of(policy: RetrainingPolicy) -> Selection:
    """Which rows the policy learns from."""
    return Selection(
        holdout_ratio=policy.holdout_ratio,
        max_rows=policy.max_rows,
        window_days=policy.window_days,
        sampling=Sampling.from_dict(policy.sampling),
    )


def is_carried_out(policy: RetrainingPolicy, order: TrainingOrder) -> bool:
    """Whether the order is what the policy says as it stands: nothing overridden, nothing old."""
    recipe = any_recipe_of(policy.recipe)
    settings = (recipe, selection_of(policy), policy.risk_tier)
    return settings == (order.recipe, order.selection, order.risk_tier)


def policy_subject(session: Session, policy: RetrainingPolicy) -> Subject:
    """What people approve: exactly these settings."""
    return policy_subject_on(policy, session.get_one(Deployment, policy.deployment_id))


def ask_for_policy_approval(
    session: Session,
    policy: RetrainingPolicy,
    *,
    actor: Actor,
    at: datetime,
    expires_at: datetime | None = None,
    evidence: Sequence[Mapping[str, str]] = (),
) -> ApprovalRequest:
    """Ask somebody else to approve the policy as it stands, with what was found out about it."""
    return request_approval(
        session,
        policy_subject(session, policy),
        purpose=PURPOSE,
        required=APPROVALS,
        actor=actor,
        at=at,
        expires_at=expires_at,
        evidence=evidence,
    )


def is_approved(session: Session, policy: RetrainingPolicy) -> bool:
    """Whether somebody else has approved the policy exactly as it stands.

    A mandate does not run out with the request's deadline: it holds until the settings change.
    """
    return policy.id in approved_among(session, [policy])


def approved_among(session: Session, policies: Sequence[RetrainingPolicy]) -> set[UUID]:
    """The ids of those that are approved, in two queries however many there are."""
    if not policies:
        return set()
    watched = select(Deployment).where(Deployment.id.in_([p.deployment_id for p in policies]))
    deployments = {found.id: found for found in session.scalars(watched)}
    subjects = [policy_subject_on(policy, deployments[policy.deployment_id]) for policy in policies]
    since = min(policy.created_at for policy in policies)
    counts = approvals_by_subject(session, subjects, purpose=PURPOSE, at=since)
    return {identifier for identifier, count in counts.items() if count >= APPROVALS}


def retraining_policy_resource(session: Session, policy: RetrainingPolicy) -> Resource:
    """The policy as the policy engine sees it: labelled like its deployment."""
    deployment = deployment_resource(session, session.get_one(Deployment, policy.deployment_id))
    return Resource(
        type="RetrainingPolicy",
        id=str(policy.id),
        namespace=deployment.namespace,
        label=deployment.label,
        belongs_to=deployment.belongs_to,
    )


def policy_subject_on(policy: RetrainingPolicy, deployment: Deployment) -> Subject:
    """The same, for a deployment that was looked up already."""
    return Subject(
        type="retraining-policy",
        id=policy.id,
        digest=policy.digest,
        namespace=deployment.namespace,
        label_id=deployment.label_id,
        trained_by=policy.set_by,
    )


def _settings(policy: RetrainingPolicy) -> dict[str, Any]:
    values = {name: getattr(policy, name) for name in SETTINGS}
    values |= {name: said for name in MORE_SETTINGS if (said := getattr(policy, name))}
    return {n: str(v) if isinstance(v, UUID) else v for n, v in values.items()}


def _digest(policy: RetrainingPolicy) -> str:
    return digest_of(_settings(policy))
