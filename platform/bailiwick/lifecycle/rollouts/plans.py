"""Plans: by which steps a deployment comes to a new champion, and what may go wrong meanwhile."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.notifications import Channel
from bailiwick.registry import CANARY, SHADOW, Deployment, RolloutPlan

MAX_HOURS = 24 * 90.0
HERE, ELSEWHERE = "here", "elsewhere"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much worse than the champion a new version may be; None: that guard is off.

    All are shares of requests or points of accuracy, from 0 to 1. `slow_factor`: a request is
    slow when it takes longer than so many times what 95 % of the champion's took before.
    """

    errors: float = 0.01
    slow: float = 0.05
    slow_factor: float = 2.0
    disagreement: float | None = 0.3
    estimated_accuracy: float | None = 0.05
    accuracy: float | None = 0.05

    def __post_init__(self) -> None:
        for name in ("errors", "slow", "estimated_accuracy", "accuracy"):
            limit = getattr(self, name)
            if limit is not None and not 0 <= limit < 1:
                raise Invalid(f"the limit of {name} is a share: give 0 or more, and less than 1")
        if self.disagreement is not None and not 0 < self.disagreement < 1:
            raise Invalid("the limit of disagreement is a share between 0 and 1")
        if not 1 <= self.slow_factor <= 100:  # noqa: PLR2004
            raise Invalid("slow_factor lies between 1 and 100")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan: the new version in the shadow, or answering a share of the requests."""

    state: str
    share: float
    hours: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How a rollout goes.

    shadow_hours: the new version answers beside the champion, unseen (0: no such step);
    canary_shares: then these shares of the requests, each for `step_hours` at least and until
    `min_requests` of its requests have been judged (and `min_labels` labels); after `max_hours`
    of a step without them it says so, and waits on. warm_hours: how long the version before stays
    in memory afterwards. false_rollbacks: at most so likely a version that is within all limits is
    rolled back. served: `elsewhere`, if another system answers, and only its records come here;
    then other versions than the one that was told are reported after `grace_minutes`, and
    `channel` names the webhook that is told.
    """

    shadow_hours: float = 0.0
    canary_shares: tuple[float, ...] = (0.05, 0.25)
    step_hours: float = 24.0
    min_requests: int = 200
    min_labels: int = 0
    max_hours: float = 168.0
    warm_hours: float = 24.0
    false_rollbacks: float = 0.05
    limits: Limits = field(default_factory=Limits)
    served: Literal["here", "elsewhere"] = "here"
    grace_minutes: float = 30.0
    channel: str | None = None

    def __post_init__(self) -> None:
        for name in ("shadow_hours", "step_hours", "max_hours", "warm_hours"):
            if not 0 <= getattr(self, name) <= MAX_HOURS:
                raise Invalid(f"{name} lies between 0 and {MAX_HOURS:g}")
        if self.min_requests < 1 or self.min_labels < 0:
            raise Invalid("min_requests is at least 1, min_labels at least 0")
        if not 0 < self.false_rollbacks <= 0.5:  # noqa: PLR2004 - beyond it guards guess
            raise Invalid("false_rollbacks is a chance: more than 0, at most 0.5")
        if not 0 < self.grace_minutes <= MAX_HOURS:
            raise Invalid(f"grace_minutes lies between 0 and {MAX_HOURS:g}")
        self._check_steps()

    def _check_steps(self) -> None:
        shares = self.canary_shares
        if any(not 0 < share < 1 for share in shares) or list(shares) != sorted(set(shares)):
            raise Invalid("canary_shares grow from step to step and lie between 0 and 1")
        if not shares and not self.shadow_hours:
            raise Invalid("a plan needs a step: shadow_hours, or canary_shares")
        if self.max_hours < max(self.step_hours, self.shadow_hours):
            raise Invalid("max_hours is how long a step may last: no less than the step's hours")
        if self.served not in (HERE, ELSEWHERE):
            raise Invalid(f"served is {HERE!r} or {ELSEWHERE!r}")
        if self.served == ELSEWHERE and self.shadow_hours:
            raise Invalid(
                "a version cannot shadow what is answered elsewhere; leave shadow_hours out"
            )

    @property
    def steps(self) -> tuple[Step, ...]:
        """In order; what follows the last one is full."""
        shadow = (Step(SHADOW, 0.0, self.shadow_hours),) if self.shadow_hours else ()
        return shadow + tuple(Step(CANARY, share, self.step_hours) for share in self.canary_shares)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"canary_shares": list(self.canary_shares)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The plan that `to_json` wrote; `Invalid` for settings that there are not."""
        if unknown := value.keys() - {one.name for one in fields(cls)}:
            raise Invalid(f"there is no setting {min(unknown)!r} of a plan")
        given = dict(value)
        if "limits" in given:
            given["limits"] = Limits(**given["limits"])
        if "canary_shares" in given:
            given["canary_shares"] = tuple(given["canary_shares"])
        return cls(**given)


def set_plan(
    session: Session, deployment: Deployment, plan: Plan, *, actor_id: UUID, at: datetime
) -> RolloutPlan:
    """From now on promotions reach the deployment by these steps; what is under way stays as is."""
    if deployment.pinned_version_id is not None:
        raise Conflict(
            "this deployment is pinned to one version and follows no champion, so there is "
            "nothing to roll out"
        )
    if plan.channel is not None:
        _check_channel(session, plan.channel)
    settings = plan.to_json()
    row = session.get(RolloutPlan, deployment.id, with_for_update=True)
    before = row.settings if row is not None else None
    if row is None:
        row = RolloutPlan(deployment_id=deployment.id)
        session.add(row)
    if before == settings:
        return row
    row.settings, row.digest = settings, digest_of(settings)
    row.set_by, row.set_at = actor_id, at
    session.flush()
    _note(session, deployment, "rollout-plan.set", actor_id, at, old=before, new=settings)
    return row


def remove_plan(session: Session, deployment: Deployment, *, actor_id: UUID, at: datetime) -> None:
    """From now on the deployment follows promotions at once; what is under way goes on."""
    row = session.get(RolloutPlan, deployment.id, with_for_update=True)
    if row is None:
        raise NotFound("this deployment has no rollout plan; it follows promotions at once")
    old = row.settings
    session.delete(row)
    session.flush()
    _note(session, deployment, "rollout-plan.removed", actor_id, at, old=old, new=None)


def plan_of(session: Session, deployment_id: UUID) -> Plan | None:
    """The deployment's plan, if it has one."""
    row = session.get(RolloutPlan, deployment_id)
    return None if row is None else Plan.from_json(row.settings)


def _check_channel(session: Session, name: str) -> None:
    kind = session.scalar(select(Channel.kind).where(Channel.name == name))
    if kind != "webhook":
        raise Invalid(
            f"there is no webhook channel {name!r}; an administrator opens one with "
            "POST /api/v1/channels"
        )


def _note(
    session: Session,
    deployment: Deployment,
    action: str,
    actor_id: UUID,
    at: datetime,
    **details: Any,
) -> None:
    record(
        session,
        action,
        subject_type="deployment",
        subject_id=deployment.id,
        actor_id=actor_id,
        at=at,
        details=details,
    )
