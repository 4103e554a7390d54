"""The outbox: what is to be told is written with what it tells of, and sent by whoever takes it.

`announce` writes the messages of an event into the event's own transaction. Any number of workers
take them: a message is leased before it is sent and marked afterwards, so it is sent once, or, if a
worker dies between sending and marking, again when the lease ends, with the same id.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.notifications.messages import RESOLVED, TRIAL, Message, message_of
from bailiwick.notifications.routing import Way, routes
from bailiwick.notifications.severity import Severity
from bailiwick.notifications.silences import Hushable, hold_on, standing_silences
from bailiwick.notifications.states import (
    LEASE,
    MAX_ATTEMPTS,
    TRANSITIONS,
    WAITING,
    DeliveryState,
    wait_after,
)
from bailiwick.notifications.tables import Channel, Delivery
from bailiwick.policy import Label, Rules, load_label
from bailiwick.registry import Deployment

SILENT = "the worker died each time it tried"


@dataclass(frozen=True, slots=True)
class Notice:
    """One event of an alert, as far as messages may speak of it."""

    event_id: UUID
    alert_id: UUID
    number: int  # of the event, within its alert
    move: str  # one of `messages.MOVES`
    state: str
    severity: Severity
    source: str
    cause: str
    kind: str
    since: datetime
    at: datetime
    caused_by: UUID
    is_acknowledged: bool

    def to_facts(self) -> dict[str, Any]:
        """What is kept for the message."""
        return {
            "alert": str(self.alert_id),
            "event": str(self.event_id),
            "number": self.number,
            "move": self.move,
            "state": self.state,
            "source": self.source,
            "cause": self.cause,
            "kind": self.kind,
            "since": self.since.isoformat(),
            "at": self.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Task:
    """A message that this worker has taken: what to send, and where."""

    delivery_id: UUID
    attempt: int
    channel_id: UUID
    channel_kind: str
    target: bytes  # sealed
    message: Message


def announce(session: Session, notice: Notice, deployment: Deployment) -> list[Delivery]:
    """Write one message for each channel that is to be told; silences hold them back.

    That an alert is over is told where it was told of before; what was still held back, or waited
    to be handed over, is withdrawn.
    """
    waits = _waits(session, notice, deployment)
    if not waits:
        return []
    about = Hushable(deployment.id, deployment.namespace, notice.source, notice.cause)
    hold = hold_on(standing_silences(session, at=notice.at), about, at=notice.at)
    if hold is not None:
        _supersede(session, notice, waits)
    written = [
        Delivery(
            id=new_id(),
            event_id=notice.event_id,
            alert_id=notice.alert_id,
            deployment_id=deployment.id,
            channel_id=channel_id,
            severity=notice.severity,
            facts=notice.to_facts(),
            is_escalation=bool(wait),
            state=DeliveryState.HELD if hold else DeliveryState.PENDING,
            attempts=0,
            due_at=notice.at + wait,
            next_at=(hold.until if hold else notice.at) + wait,
            silence_id=hold.silence_id if hold else None,
            caused_by=notice.caused_by,
            created_at=notice.at,
        )
        for channel_id, wait in waits.items()
    ]
    session.add_all(written)
    session.flush()
    return written


def _waits(session: Session, notice: Notice, deployment: Deployment) -> dict[UUID, timedelta]:
    """The channels to tell of the event, and after how long."""
    query = select(Delivery).where(Delivery.alert_id == notice.alert_id)
    known = session.scalars(query).all()
    if notice.move == RESOLVED:
        call_off(session, notice.alert_id, at=notice.at)
        told = {one.channel_id for one in known if one.attempts or _is_to_be_told(one)}
        return dict.fromkeys(_enabled(session, told), timedelta(0))
    waits = routes(
        _ways(session),
        severity=notice.severity,
        namespace=deployment.namespace,
        name=deployment.name,
        escalates=not notice.is_acknowledged,
    )
    waiting = {one.channel_id for one in known if one.is_escalation and one.state in WAITING}
    return {id_: wait for id_, wait in waits.items() if not (wait and id_ in waiting)}


def call_off(
    session: Session, alert_id: UUID, *, at: datetime, escalations_only: bool = False
) -> None:
    """Withdraw what waits to be handed over, and, unless told otherwise, what a silence holds.

    Somebody has acknowledged the alert, or it is over.
    """
    unneeded = Delivery.is_escalation & Delivery.state.in_(WAITING)
    if not escalations_only:
        unneeded |= Delivery.state == DeliveryState.HELD
    _withdraw(session, Delivery.alert_id == alert_id, unneeded, at=at)


def withdraw_all(session: Session, channel: Channel, *, at: datetime) -> None:
    """Withdraw what waits for a channel that was switched off."""
    waits = Delivery.state.in_(WAITING)
    _withdraw(session, Delivery.channel_id == channel.id, waits, at=at)


def add_trial(session: Session, channel: Channel, *, actor_id: UUID, at: datetime) -> Delivery:
    """A message that only says that the channel works."""
    trial = Delivery(
        id=new_id(),
        channel_id=channel.id,
        severity=Severity.NOTE,
        facts={"move": TRIAL},
        is_escalation=False,
        state=DeliveryState.PENDING,
        attempts=0,
        due_at=at,
        next_at=at,
        caused_by=actor_id,
        created_at=at,
    )
    session.add(trial)
    session.flush()
    return trial


def has_due(session: Session, *, at: datetime) -> bool:
    """Whether a message is to be looked at now."""
    due = select(Delivery.id).where(Delivery.state.in_(WAITING), Delivery.next_at <= at)
    return session.scalar(due.limit(1)) is not None


def claim(session: Session, *, rules: Rules, public_url: str, at: datetime) -> Task | None:
    """Take the next message that is due, new ones before retries; None if there is none.

    A silence that has begun meanwhile holds it back. What the message may say follows from the
    label that the deployment has now.
    """
    while True:
        delivery = session.scalar(
            select(Delivery)
            .where(Delivery.state.in_(WAITING), Delivery.next_at <= at)
            .order_by(Delivery.attempts, Delivery.next_at, Delivery.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if delivery is None:
            return None
        deployment = (
            session.get_one(Deployment, delivery.deployment_id) if delivery.deployment_id else None
        )
        if deployment is not None and _is_held(session, delivery, deployment, at):
            continue
        channel = session.get_one(Channel, delivery.channel_id)
        if not channel.enabled:
            delivery.state, delivery.finished_at = DeliveryState.WITHDRAWN, at
            continue
        if delivery.attempts >= MAX_ATTEMPTS:
            _finish(session, delivery, DeliveryState.GAVE_UP, at, error=SILENT)
            continue
        delivery.attempts += 1
        delivery.next_at = at + LEASE
        session.flush()
        return Task(
            delivery.id,
            delivery.attempts,
            channel.id,
            channel.kind,
            channel.target,
            _message(session, delivery, channel, deployment, rules, public_url),
        )


def mark(session: Session, task: Task, *, error: str | None, at: datetime) -> bool:
    """Note how it went; False if the message is somebody else's by now, or needed no more.

    `error` holds no secret; None: it was delivered.
    """
    outcome = DeliveryState.DELIVERED if error is None else DeliveryState.FAILED
    delivery = session.scalar(
        select(Delivery).where(Delivery.id == task.delivery_id).with_for_update()
    )
    if delivery is None or delivery.attempts != task.attempt:
        return False
    if outcome not in TRANSITIONS[DeliveryState(delivery.state)]:
        return False
    if error is None:
        _finish(session, delivery, DeliveryState.DELIVERED, at)
    elif delivery.attempts >= MAX_ATTEMPTS:
        _finish(session, delivery, DeliveryState.GAVE_UP, at, error=error)
    else:
        delivery.state, delivery.last_error = DeliveryState.FAILED, error
        delivery.next_at = at + wait_after(delivery.attempts)
    session.flush()
    return True


def is_cleared(rules: Rules, channel: Channel, label: Label) -> bool:
    """Whether the channel may be told names of what carries the label."""
    scheme = rules.scheme
    level = scheme.level_number(channel.clearance_level)
    return (
        level >= scheme.level_number(label.level)
        and set(channel.clearance_compartments) >= label.compartments
    )


def _message(
    session: Session,
    delivery: Delivery,
    channel: Channel,
    deployment: Deployment | None,
    rules: Rules,
    public_url: str,
) -> Message:
    name = None
    if deployment is not None and is_cleared(
        rules, channel, load_label(session, deployment.label_id)
    ):
        name = f"{deployment.namespace}/{deployment.name}"
    return message_of(
        delivery.facts,
        severity=delivery.severity,
        name=name,
        message_id=str(delivery.id),
        link=f"{public_url.rstrip('/')}{_page(delivery)}",
    )


def _page(delivery: Delivery) -> str:
    if delivery.alert_id is None and delivery.deployment_id is not None:
        return f"/console/deployments/{delivery.deployment_id}"
    return f"/console/alerts/{delivery.alert_id}"


def _is_held(session: Session, delivery: Delivery, deployment: Deployment, at: datetime) -> bool:
    about = Hushable(
        deployment.id, deployment.namespace, delivery.facts["source"], delivery.facts["cause"]
    )
    hold = hold_on(standing_silences(session, at=at), about, at=at)
    if hold is None:
        return False
    delivery.state, delivery.silence_id = DeliveryState.HELD, hold.silence_id
    delivery.next_at = hold.until
    session.flush()
    return True


def _finish(
    session: Session,
    delivery: Delivery,
    state: DeliveryState,
    at: datetime,
    *,
    error: str | None = None,
) -> None:
    delivery.state, delivery.finished_at, delivery.last_error = state, at, error
    session.flush()
    record(
        session,
        f"message.{state}",
        subject_type="message",
        subject_id=delivery.id,
        actor_id=delivery.caused_by,
        at=at,
        details={
            "alert": str(delivery.alert_id) if delivery.alert_id else None,
            "channel": str(delivery.channel_id),
            "attempts": delivery.attempts,
        },
    )


def _is_to_be_told(delivery: Delivery) -> bool:
    """Not tried yet, and still to be: neither withdrawn, nor held, nor a handing over."""
    return delivery.state == DeliveryState.PENDING and not delivery.is_escalation


def _supersede(session: Session, notice: Notice, channels: Collection[UUID]) -> None:
    """Of what a silence holds back, each channel is told only the newest in the end."""
    held = Delivery.state == DeliveryState.HELD
    same = (Delivery.alert_id == notice.alert_id) & Delivery.channel_id.in_(channels)
    _withdraw(session, held, same, at=notice.at)


def _withdraw(session: Session, *conditions: Any, at: datetime) -> None:
    session.execute(
        update(Delivery)
        .where(*conditions)
        .values(state=DeliveryState.WITHDRAWN, finished_at=at)
        .execution_options(synchronize_session="fetch")
    )


def _enabled(session: Session, ids: Collection[UUID]) -> list[UUID]:
    query = select(Channel.id).where(Channel.id.in_(ids), Channel.enabled).order_by(Channel.id)
    return list(session.scalars(query))


def _ways(session: Session) -> list[Way]:
    return [
        Way(
            channel.id,
            channel.enabled,
            frozenset(channel.severities),
            frozenset(channel.namespaces),
            frozenset(channel.deployments),
            channel.is_default,
            channel.escalate_to_id,
            timedelta(minutes=channel.escalate_after_minutes or 0),
        )
        for channel in session.scalars(select(Channel).order_by(Channel.id))
    ]
