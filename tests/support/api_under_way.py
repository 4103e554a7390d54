"""What a deployment may have under way: requests to be labelled, a backtest, a rollout."""

from uuid import UUID

from sqlalchemy import select

from bailiwick.core.ids import new_id
from bailiwick.lifecycle.rollouts import Plan, set_plan
from bailiwick.monitoring.labelling import LabellingItem, LabellingRound
from bailiwick.registry import Deployment, ModelVersion
from support.api_world import World
from support.rollouts_under_way import add_rollout


def asked_to_label(world: World, deployment_id: UUID) -> str:
    """A request that somebody was asked to label; its id."""
    at = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        made = LabellingRound(
            id=new_id(),
            deployment_id=deployment_id,
            start=at,
            end=at,
            candidates=1,
            rows=1,
            random_rows=1,
            made_by=world.principals["engineer"].id,
            made_at=at,
        )
        session.add(made)
        session.flush()
        item = LabellingItem(
            id=new_id(),
            round_id=made.id,
            deployment_id=deployment_id,
            record_id="asked",
            reason="random",
        )
        session.add(item)
        return str(item.id)


def replayed(world: World, deployment_id: str) -> str:
    """A backtest that was asked for, and cancelled."""
    asked = world.post("/backtests", {"deployment_id": deployment_id}).json()
    world.post(f"/jobs/{asked['job_id']}/cancel")
    return str(asked["id"])


def rolled_out(world: World, deployment_id: UUID) -> str:
    """The deployment has a plan, and a rollout that was stopped."""
    at = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        version = session.scalars(select(ModelVersion)).first()
        assert version is not None
        deployment = session.get_one(Deployment, deployment_id)
        engineer = world.principals["engineer"].id
        set_plan(session, deployment, Plan(), actor_id=engineer, at=at)
        rollout = add_rollout(
            session, deployment_id, version.id, state="stopped", actor_id=engineer, at=at
        )
        return str(rollout.id)
