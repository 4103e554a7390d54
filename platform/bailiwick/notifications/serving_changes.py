"""Telling another system which version should serve, through a webhook channel and the outbox.

A message says what `GET /deployments/{id}/rollout` answers at that moment, and counts the moves of
the rollout (`number`): messages may arrive twice or late, and the highest number is the newest.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_id
from bailiwick.notifications.messages import SERVE
from bailiwick.notifications.severity import Severity
from bailiwick.notifications.states import DeliveryState
from bailiwick.notifications.tables import Channel, Delivery
from bailiwick.registry import Deployment

SOURCE = "rollout"


def announce_serving(
    session: Session,
    channel_name: str,
    deployment: Deployment,
    facts: Mapping[str, Any],
    *,
    actor_id: UUID,
    at: datetime,
) -> Delivery | None:
    """Write the message, to be sent by whoever takes it; None where the channel is switched off.

    `facts`: ids, states, numbers and times, no text.
    """
    channel = session.scalar(select(Channel).where(Channel.name == channel_name, Channel.enabled))
    if channel is None:
        return None
    message = Delivery(
        id=new_id(),
        deployment_id=deployment.id,
        channel_id=channel.id,
        severity=Severity.NOTE,
        facts={**facts, "move": SERVE, "source": SOURCE, "cause": SERVE, "at": at.isoformat()},
        is_escalation=False,
        state=DeliveryState.PENDING,
        attempts=0,
        due_at=at,
        next_at=at,
        caused_by=actor_id,
        created_at=at,
    )
    session.add(message)
    session.flush()
    return message
