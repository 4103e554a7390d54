"""What an alert's page tells beside its evidence: its moves, its messages, and what silences it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.monitoring import Alert, AlertEvent, silenced
from bailiwick.notifications import Delivery, Hold, Silence
from bailiwick.web import Caller, resource_of_silence

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Held:
    """Nobody is told of the alert; `silence` is None where the caller may not read it."""

    hold: Hold
    silence: Silence | None


def events_of(session: Session, alert: Alert) -> Sequence[AlertEvent]:
    """The alert's moves, newest first."""
    query = select(AlertEvent).where(AlertEvent.alert_id == alert.id)
    return session.scalars(query.order_by(AlertEvent.number.desc()).limit(SHOWN)).all()


def messages_of(session: Session, alert: Alert) -> Sequence[Delivery]:
    """Who was told of the alert, newest first."""
    query = select(Delivery).where(Delivery.alert_id == alert.id)
    return session.scalars(query.order_by(Delivery.id.desc()).limit(SHOWN)).all()


def held(caller: Caller, alert: Alert) -> Held | None:
    """What keeps people from being told of it now, if anything does."""
    hold = silenced(caller.session, [alert], at=caller.at).get(alert.id)
    if hold is None:
        return None
    silence = caller.session.get_one(Silence, hold.silence_id)
    readable = caller.may(resource_of_silence(caller, silence), "silence:list")
    return Held(hold, silence if readable else None)
