"""What an alert's page tells beside its evidence: its moves and its messages."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.monitoring import Alert, AlertEvent
from bailiwick.notifications import Delivery

SHOWN = 50


def events_of(session: Session, alert: Alert) -> Sequence[AlertEvent]:
    """The alert's moves, newest first."""
    query = select(AlertEvent).where(AlertEvent.alert_id == alert.id)
    return session.scalars(query.order_by(AlertEvent.number.desc()).limit(SHOWN)).all()


def messages_of(session: Session, alert: Alert) -> Sequence[Delivery]:
    """Who was told of the alert, newest first."""
    query = select(Delivery).where(Delivery.alert_id == alert.id)
    return session.scalars(query.order_by(Delivery.id.desc()).limit(SHOWN)).all()
