"""Silences: for a time nobody is told of some alerts. They are recorded as ever.

A silence is of one deployment, of a namespace, or of every namespace (`*`), and may be narrowed to
one cause. Alerts that something is out of policy are told all the same unless it says
`covers_policy`. What still stands when a silence ends is told then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, checked_name
from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.notifications.recurrence import Weekly
from bailiwick.notifications.states import DeliveryState
from bailiwick.notifications.tables import Delivery, Silence
from bailiwick.policy import Resource
from bailiwick.registry import Deployment, deployment_resource

MAX_SILENCE, MAX_WEEKLY, MAX_AHEAD = timedelta(days=30), timedelta(days=366), timedelta(days=90)
POLICY = "policy"  # the source of alerts that something is out of policy


@dataclass(frozen=True, slots=True)
class Hushable:
    """What silences look at of an alert."""

    deployment_id: UUID
    namespace: str
    source: str
    cause: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A silence that acts now, and until when at least."""

    silence_id: UUID
    until: datetime


def create_silence(
    session: Session,
    namespace: str,
    *,
    deployment: Deployment | None,
    cause: str | None,
    reason: str,
    starts_at: datetime | None,
    ends_at: datetime,
    weekly: Weekly | None = None,
    covers_policy: bool = False,
    actor_id: UUID,
    at: datetime,
) -> Silence:
    """Say nothing of some alerts from `starts_at` (default: now) to `ends_at`.

    At most `MAX_SILENCE` long, a weekly one `MAX_WEEKLY`, beginning at most `MAX_AHEAD` from now.
    """
    if namespace != EVERY_NAMESPACE:
        checked_name(namespace, "namespace")
    if deployment is not None and deployment.namespace != namespace:
        raise Invalid("the deployment is of another namespace; leave the namespace out")
    begins = max(starts_at or at, at)
    longest = MAX_WEEKLY if weekly else MAX_SILENCE
    if not begins < ends_at <= begins + longest or begins > at + MAX_AHEAD:
        raise Invalid(
            f"a silence ends after it begins and lasts at most {longest.days} days; it begins at "
            f"most {MAX_AHEAD.days} days from now"
        )
    if not reason.strip():
        raise Invalid("say why nobody is to be told; whoever misses an alert will want to know")
    silence = Silence(
        id=new_id(),
        namespace=namespace,
        deployment_id=deployment.id if deployment else None,
        cause=cause,
        covers_policy=covers_policy,
        reason=reason.strip(),
        starts_at=begins,
        ends_at=ends_at,
        weekly=weekly.to_dict() if weekly else None,
        created_by=actor_id,
        created_at=at,
    )
    session.add(silence)
    session.flush()
    _note(session, silence, "silence.created", actor_id, at)
    return silence


def end_silence(session: Session, silence: Silence, *, actor_id: UUID, at: datetime) -> Silence:
    """End it early: what it holds back is told now. Ending one that is over changes nothing."""
    if silence.ended_at is None and at < silence.ends_at:
        silence.ended_at, silence.ended_by = at, actor_id
        session.flush()
        held = select(Delivery).where(
            Delivery.silence_id == silence.id, Delivery.state == DeliveryState.HELD
        )
        for message in session.scalars(held.with_for_update()):
            # What is to be handed over waits as long from now as it would have without silence.
            message.next_at = at + (message.due_at - message.created_at)
        _note(session, silence, "silence.ended", actor_id, at)
    return silence


def standing_silences(session: Session, *, at: datetime) -> Sequence[Silence]:
    """Those whose time it may be, in one query."""
    query = select(Silence).where(
        Silence.starts_at <= at, Silence.ends_at > at, Silence.ended_at.is_(None)
    )
    return session.scalars(query.order_by(Silence.id)).all()


def hold_on(silences: Sequence[Silence], alert: Hushable, *, at: datetime) -> Hold | None:
    """The silence that holds this alert back the longest, if one does. Pure."""
    holds = [
        Hold(silence.id, until)
        for silence in silences
        if _is_about(silence, alert) and (until := acts_until(silence, at)) is not None
    ]
    return max(holds, key=lambda hold: hold.until, default=None)


def acts_until(silence: Silence, at: datetime) -> datetime | None:
    """When the silence next ends, or pauses, if it acts at that moment; else None."""
    if silence.ended_at is not None or not silence.starts_at <= at < silence.ends_at:
        return None
    if silence.weekly is None:
        return silence.ends_at
    period = Weekly.from_dict(silence.weekly).around(at)
    return min(period[1], silence.ends_at) if period else None


def state_of(silence: Silence, at: datetime) -> str:
    """`ahead` of its time, `acting`, `resting` (weekly, between two of its periods) or `over`."""
    if silence.ended_at is not None or at >= silence.ends_at:
        return "over"
    if at < silence.starts_at:
        return "ahead"
    return "acting" if acts_until(silence, at) else "resting"


def silence_resource(
    session: Session, identifier: UUID, namespace: str, deployment: Deployment | None
) -> Resource:
    """A silence as the policy sees it: that of a deployment is labelled like it."""
    place = None if namespace == EVERY_NAMESPACE else namespace
    if deployment is None:
        return Resource("Silence", str(identifier), place, None)
    silenced = deployment_resource(session, deployment)
    return Resource(
        "Silence",
        str(identifier),
        place,
        silenced.label,
        belongs_to=silenced.belongs_to,
    )


def _is_about(silence: Silence, alert: Hushable) -> bool:
    return (
        silence.namespace in (EVERY_NAMESPACE, alert.namespace)
        and silence.deployment_id in (None, alert.deployment_id)
        and silence.cause in (None, alert.cause)
        and (silence.covers_policy or alert.source != POLICY)
    )


def _note(session: Session, silence: Silence, action: str, actor_id: UUID, at: datetime) -> None:
    details: Mapping[str, object] = {
        "namespace": silence.namespace,
        "deployment": str(silence.deployment_id) if silence.deployment_id else None,
        "cause": silence.cause,
        "covers_policy": silence.covers_policy,
        "starts_at": silence.starts_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
        "weekly": silence.weekly,
    }
    record(
        session,
        action,
        subject_type="silence",
        subject_id=silence.id,
        actor_id=actor_id,
        at=at,
        details=details,
    )
