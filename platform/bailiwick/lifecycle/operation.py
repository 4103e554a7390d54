"""Stopping deployments by hand, and letting them answer again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.lifecycle.compliance import review_deployments
from bailiwick.policy import Actor, Rules
from bailiwick.registry import STOPPED, Deployment, set_deployment_state, start_deployment


def stop(
    session: Session, deployment: Deployment, *, rules: Rules, actor: Actor, at: datetime
) -> Deployment:
    """Stop it. What does not run is not out of policy: its breach, if there is one, is over."""
    set_deployment_state(session, deployment, STOPPED, actor_id=UUID(actor.id), at=at)
    _review(session, deployment, "it was stopped", rules, actor, at)
    return deployment


def start(
    session: Session, deployment: Deployment, *, rules: Rules, actor: Actor, at: datetime
) -> Deployment:
    """Let it answer again, if the policies allow what it would answer with.

    So one that the platform stopped stays stopped until they do.
    """
    if deployment.state == STOPPED:
        start_deployment(session, deployment, rules=rules, actor=actor, at=at)
        _review(session, deployment, "it was started again", rules, actor, at)
    return deployment


def _review(
    session: Session, deployment: Deployment, cause: str, rules: Rules, actor: Actor, at: datetime
) -> None:
    review_deployments(
        session, rules=rules, deployments=[deployment], cause=cause, actor=actor, at=at
    )
