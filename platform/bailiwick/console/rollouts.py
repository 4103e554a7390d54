"""How a deployment comes to a new champion, as its page tells it: steps, guards, what happened."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.rollouts import (
    Evidence,
    Plan,
    Reference,
    Standing,
    plan_of,
    standings,
)
from bailiwick.registry import (
    FULL,
    RUNNING,
    Deployment,
    Rollout,
    RolloutEvent,
    newest_rollout,
    versions_by_id,
)
from bailiwick.web import Caller


@dataclass(frozen=True, slots=True)
class Gauge:
    """A guard, and how far its evidence has come: 0 to 1, where it is breached."""

    guard: Standing
    progress: float


@dataclass(frozen=True, slots=True)
class RolloutStory:
    """The plan for the next promotion, and the newest rollout; either may be missing.

    `moves` are what whoever looks may do now.
    """

    plan: Plan | None
    rollout: Rollout | None
    own_plan: Plan | None  # of the rollout
    numbers: tuple[int, int]
    evidence: Evidence
    gauges: list[Gauge]
    events: Sequence[RolloutEvent]
    moves: list[str]

    @property
    def is_running(self) -> bool:
        """Whether a version is on its way."""
        return self.rollout is not None and self.rollout.state in RUNNING


def rollout_story(caller: Caller, deployment: Deployment, moves: list[str]) -> RolloutStory | None:
    """Of a deployment that has a plan or has had a rollout; None for others.

    `moves`: those that the policy lets the caller make here.
    """
    session = caller.session
    plan, rollout = plan_of(session, deployment.id), newest_rollout(session, deployment.id)
    if rollout is None:
        empty = RolloutStory(plan, None, None, (0, 0), Evidence(), [], [], [])
        return empty if plan is not None else None
    own, evidence = Plan.from_json(rollout.plan), Evidence.from_json(rollout.evidence)
    versions = versions_by_id(session, [rollout.from_version_id, rollout.to_version_id])
    pair = (rollout.from_version_id, rollout.to_version_id)
    before, after = (versions[one].number for one in pair)
    gauges = [
        Gauge(one, min(max(one.log_evidence / one.log_threshold, 0.0), 1.0))
        for one in standings(evidence, own, Reference.from_json(rollout.reference))
    ]
    open_to = _open_to(caller, rollout)
    allowed = [move for move in moves if move in open_to]
    events = _events(session, rollout)
    return RolloutStory(plan, rollout, own, (before, after), evidence, gauges, events, allowed)


def _open_to(caller: Caller, rollout: Rollout) -> tuple[str, ...]:
    if rollout.state in RUNNING:
        return ("stop", "rollback") if rollout.passed_at else ("advance", "stop", "rollback")
    warm = rollout.warm_until is not None and caller.at < rollout.warm_until
    return ("rollback",) if rollout.state == FULL and warm else ()


def _events(session: Session, rollout: Rollout) -> Sequence[RolloutEvent]:
    query = select(RolloutEvent).where(RolloutEvent.rollout_id == rollout.id)
    return session.scalars(query.order_by(RolloutEvent.number.desc())).all()
