"""Where another system answers: whether it serves the version that it was told to.

The inference log says so. Only requests of the last `grace_minutes` count, and only those that
came so long after the last change: whoever is told needs time to follow. A request of a version
that should not serve raises a warning; requests of nothing but the right ones resolve it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.core.errors import BailiwickError
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.rollouts.moves import WRONG_VERSION
from bailiwick.lifecycle.rollouts.plans import ELSEWHERE, Plan
from bailiwick.monitoring import InferenceRecord, Signal, close, signal, unresolved
from bailiwick.monitoring.tables import ROLLOUT
from bailiwick.notifications import severity_of
from bailiwick.registry import (
    ACTIVE,
    CHAMPION,
    Alias,
    Deployment,
    ModelVersion,
    RolloutPlan,
    newest_rollout,
    routing_of,
)


def check_all_elsewhere(platform: Platform) -> int:
    """Check each active deployment whose plan says so; how many there were.

    One that cannot be checked hinders no other: its error is raised at the end.
    """
    with platform.database.reading() as session:
        plans = session.scalars(
            select(RolloutPlan)
            .join(Deployment, Deployment.id == RolloutPlan.deployment_id)
            .where(Deployment.state == ACTIVE)
        )
        due = [one.deployment_id for one in plans if one.settings["served"] == ELSEWHERE]
    errors = []
    for deployment_id in due:
        try:
            with platform.database.transaction() as session:
                check_elsewhere(session, deployment_id, at=platform.clock.now())
        except BailiwickError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return len(due)


def check_elsewhere(session: Session, deployment_id: UUID, *, at: datetime) -> bool | None:
    """Whether the right versions served lately; None where nothing can be said of it."""
    row = session.get(RolloutPlan, deployment_id, with_for_update=True)
    if row is None:
        return None
    deployment = session.get_one(Deployment, deployment_id)
    grace = timedelta(minutes=Plan.from_json(row.settings).grace_minutes)
    since = max(_changed_at(session, deployment) + grace, at - grace)
    counted = session.execute(
        select(InferenceRecord.version_id, func.count())
        .where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.at >= since,
            InferenceRecord.at <= at,
        )
        .group_by(InferenceRecord.version_id)
    ).all()
    requests = {version_id: int(number) for version_id, number in counted}
    if not requests:
        return None
    routing = routing_of(session, deployment)
    told = {one.id for one in (routing.version, routing.challenger) if one is not None}
    wrong = {one: number for one, number in requests.items() if one not in told}
    standing = unresolved(session, deployment_id, ROLLOUT, WRONG_VERSION)
    if wrong and standing is None:  # how many came since is no news
        _tell(session, deployment, routing.version, wrong, since, row.set_by, at)
    elif standing is not None and not wrong:
        said = f"{sum(requests.values()):,} requests since then came from the version to serve"
        close(session, standing, resolution=said, actor_id=row.set_by, at=at)
    return not wrong


def _tell(
    session: Session,
    deployment: Deployment,
    version: ModelVersion,
    wrong: dict[UUID, int],
    since: datetime,
    actor_id: UUID,
    at: datetime,
) -> None:
    numbers = sorted(session.scalars(select(ModelVersion.number).where(ModelVersion.id.in_(wrong))))
    named = ", ".join(map(str, numbers))
    sentence = (
        f"Version {named} answered {sum(wrong.values()):,} requests, where version "
        f"{version.number} is to serve: bring the system that serves it up to date."
    )
    told = Signal(
        deployment_id=deployment.id,
        source=ROLLOUT,
        cause=WRONG_VERSION,
        kind=WRONG_VERSION,
        severity=severity_of(WRONG_VERSION),
        sentence=sentence,
        since=since,
        owner_id=deployment.created_by,
    )
    signal(session, told, actor_id=actor_id, at=at)


def _changed_at(session: Session, deployment: Deployment) -> datetime:
    """When what should serve changed last."""
    moved = session.scalar(
        select(Alias.moved_at).where(Alias.model_id == deployment.model_id, Alias.alias == CHAMPION)
    )
    newest = newest_rollout(session, deployment.id)
    moments = [deployment.created_at]
    if moved is not None:
        moments.append(moved)
    if newest is not None:
        moments.append(newest.ended_at or newest.step_started_at)
    return max(moments)
