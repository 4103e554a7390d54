"""A rollout's row, wherever it stands, for what only looks at it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.core.ids import new_id
from bailiwick.lifecycle.rollouts import Plan
from bailiwick.registry import Deployment, ModelVersion
from bailiwick.registry.rollouts import RUNNING, Rollout


def add_rollout(
    session: Session,
    deployment_id: UUID,
    version_id: UUID,
    *,
    state: str,
    actor_id: UUID,
    at: datetime,
) -> Rollout:
    """A rollout of the version to the deployment, from itself, that stands at `state`."""
    ended = None if state in RUNNING else at
    rollout = Rollout(
        id=new_id(),
        deployment_id=session.get_one(Deployment, deployment_id).id,
        model_id=session.get_one(ModelVersion, version_id).model_id,
        from_version_id=version_id,
        to_version_id=version_id,
        plan=Plan().to_json(),
        reference={},
        reason="x",
        mandate=False,
        state=state,
        step=0,
        share=0.0,
        evidence={},
        moves=0,
        started_by=actor_id,
        started_at=at,
        step_started_at=at,
        ended_at=ended,
        ended_why="x" if ended else None,
    )
    session.add(rollout)
    return rollout
