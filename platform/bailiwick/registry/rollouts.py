"""Rollouts as the database holds them, and which versions answer while one is under way.

Reading only: what a rollout does next is the lifecycle's to decide.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    bindparam,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from bailiwick.core.errors import Conflict
from bailiwick.db.base import Base, Digest, Id, Name, Revised
from bailiwick.registry.tables import CHAMPION, Alias, Deployment, ModelVersion

SHADOW, CANARY, FULL, STOPPED, ROLLED_BACK = "shadow", "canary", "full", "stopped", "rolled-back"
RUNNING = (SHADOW, CANARY)
_UNDER_WAY = text("state IN ('shadow', 'canary')")
_UNJUDGED = text("judged_at IS NULL")


class RolloutPlan(Revised, Base):
    """How a deployment comes to a new champion; without one it follows at once."""

    __tablename__ = "rollout_plans"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    settings: Mapped[dict[str, Any]]
    digest: Mapped[Digest]  # of the settings
    set_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    set_at: Mapped[datetime]


class Rollout(Revised, Base):
    """A deployment on its way from one version to another; at most one is under way."""

    __tablename__ = "rollouts"
    __table_args__ = (
        CheckConstraint(
            "state IN ('shadow', 'canary', 'full', 'stopped', 'rolled-back')", name="state"
        ),
        CheckConstraint("share >= 0 AND share <= 1", name="share"),
        Index(
            "uq_rollouts_one_under_way",
            "deployment_id",
            unique=True,
            sqlite_where=_UNDER_WAY,
            postgresql_where=_UNDER_WAY,
        ),
        Index(None, "deployment_id", "id"),
        Index(None, "model_id", "state"),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    model_id: Mapped[UUID] = mapped_column(ForeignKey("registered_models.id"))
    from_version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    to_version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    plan: Mapped[dict[str, Any]]  # as it was at the start
    reference: Mapped[dict[str, Any]]  # what guards hold the requests to: see `guards.Reference`
    reason: Mapped[str] = mapped_column(String(2000))
    mandate: Mapped[bool]  # promoted under an approved retraining policy
    state: Mapped[str] = mapped_column(String(20))
    step: Mapped[int]  # of the plan's, from 0 on
    share: Mapped[float]  # of the requests that the new version answers
    evidence: Mapped[dict[str, Any]]  # see `guards.Evidence`
    moves: Mapped[int]  # events so far
    started_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    started_at: Mapped[datetime]
    step_started_at: Mapped[datetime]
    passed_at: Mapped[datetime | None]  # through its last step, and waiting for its siblings
    stalled_at: Mapped[datetime | None]  # too little traffic for too long
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str | None] = mapped_column(String(2000))
    warm_until: Mapped[datetime | None]  # until then the version before stays in memory


class RolloutEvent(Base):
    """One move of a rollout, with the evidence of that moment. Never changes."""

    __tablename__ = "rollout_events"
    __table_args__ = (UniqueConstraint("rollout_id", "number"),)

    id: Mapped[Id]
    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"))
    number: Mapped[int]  # from 1 on, without gaps
    move: Mapped[str] = mapped_column(String(20))
    old_state: Mapped[str | None] = mapped_column(String(20))
    new_state: Mapped[str] = mapped_column(String(20))
    step: Mapped[int]
    share: Mapped[float]
    why: Mapped[str] = mapped_column(String(2000))
    evidence: Mapped[dict[str, Any]]
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    at: Mapped[datetime]


class RolloutRecord(Base):
    """What guards look at of one request during a rollout, apart from the inference log.

    A row of role `shadow` tells what the new version would have answered, beside the champion's
    answer; it is of no interest to monitoring, labels or retraining. No text, ever.
    """

    __tablename__ = "rollout_records"
    __table_args__ = (
        UniqueConstraint("rollout_id", "record_id", "role"),
        CheckConstraint("role IN ('champion', 'canary', 'shadow')", name="role"),
        Index(
            "ix_rollout_records_unjudged",
            "rollout_id",
            "role",
            "id",
            sqlite_where=_UNJUDGED,
            postgresql_where=_UNJUDGED,
        ),
    )

    id: Mapped[Id]
    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"))
    record_id: Mapped[Name]
    role: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    failed: Mapped[bool]
    prediction: Mapped[Name | None]  # None where it failed
    confidence: Mapped[float | None]
    latency_ms: Mapped[float | None]
    champion_prediction: Mapped[Name | None]  # beside a shadow
    champion_confidence: Mapped[float | None]
    champion_latency_ms: Mapped[float | None]
    judged_at: Mapped[datetime | None]
    label_judged_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Routing:
    """Which version answers a deployment's requests now; with a rollout, which one beside it."""

    version: ModelVersion
    challenger: ModelVersion | None = None
    rollout_id: UUID | None = None
    share: float = 0.0
    shadows: bool = False


def routing_of(session: Session, deployment: Deployment) -> Routing:
    """Who answers now, in one statement; `Conflict` where the model has no champion."""
    if deployment.pinned_version_id is not None:
        return Routing(session.get_one(ModelVersion, deployment.pinned_version_id))
    asked = {
        "model_id": deployment.model_id,
        "alias": CHAMPION,
        "deployment_id": deployment.id,
    }
    row: Any = session.execute(_ROUTING, asked).first()  # None where nothing was joined
    if row is None:
        raise Conflict("this deployment's model has no champion; promote a version first")
    version, challenger, rollout_id, share, state = row
    if rollout_id is None:
        return Routing(version)
    return Routing(version, challenger, rollout_id, share, shadows=state == SHADOW)


def running_rollout(
    session: Session, deployment_id: UUID, *, for_update: bool = False
) -> Rollout | None:
    """The rollout that is under way, if there is one."""
    query = select(Rollout).where(
        Rollout.deployment_id == deployment_id, Rollout.state.in_(RUNNING)
    )
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalar(query)


def running_rollouts(session: Session, deployment_ids: Collection[UUID]) -> dict[UUID, Rollout]:
    """Those that are under way, by deployment, in one query."""
    query = select(Rollout).where(
        Rollout.deployment_id.in_(deployment_ids), Rollout.state.in_(RUNNING)
    )
    return {one.deployment_id: one for one in session.scalars(query)}


def is_rolling_out(session: Session, model_id: UUID) -> bool:
    """Whether a version of the model is in the shadow or a canary somewhere."""
    query = select(Rollout.id).where(Rollout.model_id == model_id, Rollout.state.in_(RUNNING))
    return session.scalar(query.limit(1)) is not None


def newest_rollout(session: Session, deployment_id: UUID) -> Rollout | None:
    """The rollout that was started last."""
    query = select(Rollout).where(Rollout.deployment_id == deployment_id)
    return session.scalar(query.order_by(Rollout.id.desc()).limit(1))


def versions_rolled_out(session: Session, deployment_ids: Sequence[UUID]) -> dict[UUID, set[UUID]]:
    """The versions that have answered, or shadowed, in rollouts of these deployments."""
    query = select(Rollout.deployment_id, Rollout.to_version_id).where(
        Rollout.deployment_id.in_(deployment_ids)
    )
    found: dict[UUID, set[UUID]] = {}
    for deployment_id, version_id in session.execute(query):
        found.setdefault(deployment_id, set()).add(version_id)
    return found


def versions_to_keep_warm(session: Session, *, at: datetime) -> set[UUID]:
    """What model servers hold in memory: both sides of rollouts, and where one may go back to."""
    query = select(Rollout.from_version_id, Rollout.to_version_id).where(
        Rollout.state.in_(RUNNING) | (Rollout.warm_until > at)
    )
    return {version_id for pair in session.execute(query) for version_id in pair}


_Challenger = aliased(ModelVersion)
# Composed once, as each prediction needs it: composing costs more than running it.
_ROUTING = (
    select(ModelVersion, _Challenger, Rollout.id, Rollout.share, Rollout.state)
    .join(Alias, Alias.version_id == ModelVersion.id)
    .outerjoin(
        Rollout,
        and_(
            Rollout.deployment_id == bindparam("deployment_id"),
            Rollout.state.in_(RUNNING),
            Rollout.model_id == Alias.model_id,
        ),
    )
    .outerjoin(_Challenger, _Challenger.id == Rollout.to_version_id)
    .where(Alias.model_id == bindparam("model_id"), Alias.alias == bindparam("alias"))
)
