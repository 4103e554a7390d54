"""Rollouts as tests need them: a plan, a promotion that begins one, and requests to judge."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.rollouts import Plan, set_plan
from bailiwick.registry import CHALLENGER, Deployment, ModelVersion, Rollout, pointed_at
from bailiwick.registry.rollouts import RolloutEvent
from bailiwick.serving.observing import add_records
from factories import Factory

QUICK = Plan(canary_shares=(0.1, 0.5), step_hours=1, min_requests=20, max_hours=10)
SHADOW_FIRST = Plan(
    shadow_hours=1, canary_shares=(0.5,), step_hours=1, min_requests=20, max_hours=10
)


@dataclass(frozen=True)
class Begun:
    """A deployment with a plan whose model's second version is being rolled out."""

    deployment: Deployment
    first: ModelVersion
    second: ModelVersion
    rollout: Rollout


def begun(make: Factory, plan: Plan = QUICK) -> Begun:
    """One deployment of a champion, and a promotion of the next version under way."""
    model, data = make.model(), make.dataset_version(make.dataset())
    first = make.champion(make.model_version(model, data))
    deployment = make.deployment(model, make.environment(keeps_text=True))
    set_plan(make.session, deployment, plan, actor_id=make.engineer.id, at=make.at)
    second = make.champion(make.model_version(model, data, accuracy=0.85))
    rollout = make.session.scalars(select(Rollout)).one()
    assert pointed_at(make.session, model.id, CHALLENGER) is second
    return Begun(deployment, first, second, rollout)


def commit_begun(platform: Platform, plan: Plan = QUICK) -> Begun:
    """The same, committed."""
    with platform.database.transaction() as session:
        return begun(Factory(session, platform), plan)


def observe(
    session: Session,
    rollout: Rollout,
    role: str,
    count: int,
    *,
    at: datetime,
    failed: Callable[[int], bool] = lambda _: False,
    said: str = "Fuel",
    **more: Any,
) -> None:
    """So many requests that one side answered `said`, or failed."""
    before = len(session.scalars(select(RolloutEvent.id)).all())
    rows: list[dict[str, Any]] = [
        {
            "rollout_id": rollout.id,
            "record_id": f"{role}-{before}-{at.timestamp()}-{number}",
            "role": role,
            "at": at,
            "failed": failed(number),
            "prediction": None if failed(number) else said,
            "confidence": None if failed(number) else 0.9,
            "latency_ms": None if failed(number) else 5.0,
            "champion_prediction": "Fuel" if role == "shadow" else None,
            "champion_confidence": 0.9 if role == "shadow" else None,
            "champion_latency_ms": 5.0 if role == "shadow" else None,
            **more,
        }
        for number in range(count)
    ]
    add_records(session, rows)


def moves(session: Session, rollout: Rollout) -> list[str]:
    """What happened to the rollout, in order."""
    query = select(RolloutEvent.move).where(RolloutEvent.rollout_id == rollout.id)
    return list(session.scalars(query.order_by(RolloutEvent.number)))
