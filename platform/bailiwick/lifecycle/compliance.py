"""Deployments held to the policies of now: what is out of policy, since when, and how it ends.

A breach is found, may change, and is resolved: the policies allow the deployment again, or it was
stopped by hand. When its grace time is over before, the platform stops the deployment; the breach
then stays unresolved until the policies would allow it again.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.db.session import hold_labels
from bailiwick.lifecycle.judging import Judgement, judge_deployments
from bailiwick.monitoring import close, policy_alerts, tell_owner
from bailiwick.policy import Actor, Rules, load_actor
from bailiwick.registry import (
    ACTIVE,
    STOPPED,
    Breach,
    Deployment,
    RegisteredModel,
    set_deployment_state,
)

MAX_WORDS, TOLD_WORDS = 2_000, 900  # characters that the columns hold; of each part of an alert


def review_deployments(
    session: Session,
    *,
    rules: Rules,
    deployments: Collection[Deployment] | None = None,
    cause: str,
    actor: Actor,
    at: datetime,
) -> list[Breach]:
    """Compare deployments (None: all) with the policies; the breaches that were not there before.

    Writes, updates and resolves breaches and their owners' alerts. `cause` says in words what
    changed; whoever may see a deployment reads it, so it must not name what they may not see.
    """
    hold_labels(session)
    wanted = _locked(session, deployments)
    breaches = unresolved_breaches(session, [one.id for one in wanted])
    alerts = policy_alerts(session, list(breaches))
    concerned = [one for one in wanted if one.state == ACTIVE or one.id in breaches]
    found, changed = [], []
    for judgement in judge_deployments(session, concerned, rules=rules, at=at):
        breach = breaches.get(judgement.deployment.id)
        alert = alerts.get(judgement.deployment.id)
        if breach is None and judgement.allowed:
            continue
        if breach is not None and (ended := _why_over(judgement, breach, cause)):
            _resolve(session, breach, ended, UUID(actor.id), at)
            if alert is not None:
                close(session, alert, resolution=ended, actor_id=UUID(actor.id), at=at)
            continue
        if breach is None:
            breach = _found(judgement, rules, cause, actor, at)
            found.append(breach)
        if _update(session, breach, judgement, actor, at):
            changed.append((breach, alert))
    session.flush()
    for breach, alert in changed:
        told = _sentence(breach)
        tell_owner(session, breach, told, alert=alert, actor_id=UUID(actor.id), at=at)
    session.flush()
    return found


def stop_due(session: Session, *, rules: Rules, at: datetime) -> int:
    """Stop the deployments that are still out of policy when their grace time is over; how many.

    Each is stopped in the name of whoever caused its breach. Any number of workers may look.
    """
    due = select(Deployment).join(Breach, Breach.deployment_id == Deployment.id)
    due = due.where(Breach.resolved_at.is_(None), Breach.stopped_at.is_(None), Breach.stop_at <= at)
    if session.scalar(due.with_only_columns(Deployment.id).limit(1)) is None:
        return 0
    hold_labels(session)
    deployments = _locked(session, session.scalars(due).all())
    breaches = unresolved_breaches(session, [one.id for one in deployments])
    stopped = 0
    for one in deployments:
        breach = breaches.get(one.id)
        if breach is None or breach.stopped_at is not None:
            continue  # another worker was faster
        actor = load_actor(session, breach.caused_by)
        told = "its grace time was over"
        review_deployments(session, rules=rules, deployments=[one], cause=told, actor=actor, at=at)
        if breach.resolved_at is None:
            _stop(session, one, breach, at)
            stopped += 1
    return stopped


def unresolved_breaches(session: Session, deployment_ids: Collection[UUID]) -> dict[UUID, Breach]:
    """The breaches that are not resolved, by deployment, in one query."""
    query = select(Breach).where(
        Breach.deployment_id.in_(deployment_ids), Breach.resolved_at.is_(None)
    )
    found = session.scalars(query.execution_options(populate_existing=True))
    return {breach.deployment_id: breach for breach in found}


def is_tolerated(session: Session, deployment_id: UUID, *, at: datetime) -> bool:
    """Whether the deployment is known to be out of policy and its grace time is not over."""
    breach = unresolved_breaches(session, [deployment_id]).get(deployment_id)
    if breach is None or breach.stopped_at is not None:
        return False
    return breach.stop_at is None or at < breach.stop_at


def _locked(session: Session, deployments: Collection[Deployment] | None) -> list[Deployment]:
    """The deployments as they are now; nobody promotes, starts or reviews them meanwhile."""
    query = select(Deployment).order_by(Deployment.id)
    if deployments is None:
        unresolved = select(Breach.deployment_id).where(Breach.resolved_at.is_(None))
        query = query.where(or_(Deployment.state == ACTIVE, Deployment.id.in_(unresolved)))
    else:
        query = query.where(Deployment.id.in_([one.id for one in deployments]))
    session.flush()
    models = query.with_only_columns(Deployment.model_id).order_by(None)
    session.execute(
        select(RegisteredModel.id)
        .where(RegisteredModel.id.in_(models))
        .order_by(RegisteredModel.id)
        .with_for_update()
    )
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _why_over(judgement: Judgement, breach: Breach, cause: str) -> str | None:
    if judgement.allowed:
        return f"the policies allow it again: {cause}"
    if judgement.deployment.state == STOPPED and breach.stopped_at is None:
        return "the deployment was stopped"
    return None


def _found(judgement: Judgement, rules: Rules, cause: str, actor: Actor, at: datetime) -> Breach:
    """A breach that was not there before, still to be written."""
    treatment = rules.scheme.out_of_policy
    grace = timedelta(hours=treatment.grace_hours)
    return Breach(
        id=new_id(),
        deployment_id=judgement.deployment.id,
        cause=cause[:MAX_WORDS],
        caused_by=UUID(actor.id),
        owner_id=judgement.deployment.created_by,
        found_at=at,
        stop_at=at + grace if treatment.stop else None,
    )


def _update(
    session: Session, breach: Breach, judgement: Judgement, actor: Actor, at: datetime
) -> bool:
    """Write what the policies say now; False if the breach says so already.

    Its grace time goes on: what is found later in the same deployment grants no new one.
    """
    known = (breach.version_id, breach.policy_ids, breach.reason)
    said = (judgement.version.id, list(judgement.policy_ids), judgement.reason[:MAX_WORDS])
    if known == said:
        return False
    breach.version_id, breach.policy_ids, breach.reason = said
    is_new = known[0] is None
    session.add(breach)
    _event(
        session,
        breach,
        "breach.found" if is_new else "breach.changed",
        UUID(actor.id),
        at,
        version=str(breach.version_id),
        policies=breach.policy_ids,
        stop_at=breach.stop_at.isoformat() if breach.stop_at else None,
    )
    return True


def _resolve(
    session: Session, breach: Breach, resolution: str, actor_id: UUID, at: datetime
) -> None:
    breach.resolved_at, breach.resolution = at, resolution[:MAX_WORDS]
    session.flush()
    _event(session, breach, "breach.resolved", actor_id, at)


def _stop(session: Session, deployment: Deployment, breach: Breach, at: datetime) -> None:
    set_deployment_state(session, deployment, STOPPED, actor_id=breach.caused_by, at=at)
    breach.stopped_at = at
    session.flush()
    _event(session, breach, "breach.stopped", breach.caused_by, at)
    alert = policy_alerts(session, [deployment.id]).get(deployment.id)
    told = _sentence(breach)
    tell_owner(session, breach, told, alert=alert, actor_id=breach.caused_by, at=at)
    session.flush()


def _sentence(breach: Breach) -> str:
    """What the owner is told: what changed, what the policies say, what becomes of it."""
    if breach.stopped_at is not None:
        fate = f"It was stopped at {_moment(breach.stopped_at)}."
    elif breach.stop_at is not None:
        fate = f"It will be stopped at {_moment(breach.stop_at)} unless they allow it again."
    else:
        fate = "It goes on until somebody stops it."
    cause, reason = breach.cause[:TOLD_WORDS], breach.reason[:TOLD_WORDS]
    return f"The policies no longer allow it: {cause}. {reason} {fate}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _event(
    session: Session, breach: Breach, action: str, actor_id: UUID, at: datetime, **details: Any
) -> None:
    record(
        session,
        action,
        subject_type="breach",
        subject_id=breach.id,
        actor_id=actor_id,
        at=at,
        details={"deployment": str(breach.deployment_id), **details},
    )
