"""What became of messages, as pages show it: those of a channel, of a silence, of an alert."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from bailiwick.monitoring import Alert
from bailiwick.notifications import Delivery, DeliveryState
from bailiwick.notifications.states import WAITING
from bailiwick.registry import Deployment
from bailiwick.web import Caller, visible_alerts

LOOKED_BACK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a channel did lately: how many messages are in each state, and when the last got there.

    >>> worked = {DeliveryState.DELIVERED: datetime(2026, 1, 5)}
    >>> Standing({DeliveryState.DELIVERED: 3}, worked).word
    'works'
    >>> Standing({DeliveryState.DELIVERED: 3, DeliveryState.FAILED: 1}, worked).word
    'in trouble'
    >>> Standing().word
    'not tried lately'
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def told_at(self) -> datetime | None:
        """When a message was delivered last."""
        return self.ended.get(DeliveryState.DELIVERED)

    @property
    def waiting(self) -> int:
        """Messages that are still to be delivered."""
        return sum(self.counts.get(state, 0) for state in WAITING)

    @property
    def word(self) -> str:
        """In trouble: a message is being tried again, or the last one to end was given up."""
        lost_at = self.ended.get(DeliveryState.GAVE_UP)
        if lost_at is not None and (self.told_at is None or lost_at > self.told_at):
            return "in trouble"
        if self.counts.get(DeliveryState.FAILED):
            return "in trouble"
        return "works" if self.told_at else "not tried lately"


def standings(session: Session, ids: Collection[UUID], *, at: datetime) -> dict[UUID, Standing]:
    """How these channels did in the last thirty days, by id, in one query."""
    rows = session.execute(
        select(
            Delivery.channel_id,
            Delivery.state,
            func.count().label("messages"),
            func.max(Delivery.finished_at).label("ended"),
        )
        .where(Delivery.channel_id.in_(ids), Delivery.created_at > at - LOOKED_BACK)
        .group_by(Delivery.channel_id, Delivery.state)
    ).all()
    return {
        identifier: Standing(
            {row.state: row.messages for row in rows if row.channel_id == identifier},
            {row.state: row.ended for row in rows if row.channel_id == identifier and row.ended},
        )
        for identifier in ids
    }


def seen_messages(caller: Caller) -> Select[Delivery]:
    """The messages about alerts that the caller may see, and trials, which are about none."""
    return (
        select(Delivery)
        .outerjoin(Alert, Alert.id == Delivery.alert_id)
        .outerjoin(Deployment, Deployment.id == Alert.deployment_id)
        .where(or_(Delivery.alert_id.is_(None), visible_alerts(caller)))
    )


def names_of_deployments(session: Session, ids: Collection[UUID | None]) -> dict[UUID, str]:
    """NAMESPACE/NAME by id, in one query; of rows that the caller may see."""
    query = select(Deployment.id, Deployment.namespace, Deployment.name)
    rows = session.execute(query.where(Deployment.id.in_(set(ids) - {None})))
    return {row.id: f"{row.namespace}/{row.name}" for row in rows}


def silences_of(messages: Sequence[Delivery]) -> set[UUID]:
    """The silences that held these messages back."""
    return {one.silence_id for one in messages if one.silence_id is not None}
