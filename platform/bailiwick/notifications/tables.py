"""Who is told of alerts and when not, and what became of each message."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Id, Json, Name, Revised


class Channel(Revised, Base):
    """A way out of the installation: where messages go, which ones, and how much they may say."""

    __tablename__ = "channels"
    __table_args__ = (
        CheckConstraint("kind IN ('apprise', 'webhook')", name="kind"),
        CheckConstraint(
            "(escalate_to_id IS NULL) = (escalate_after_minutes IS NULL)", name="escalation"
        ),
        Index(
            "uq_channels_one_default",
            "is_default",
            unique=True,
            sqlite_where=text("is_default"),
            postgresql_where=text("is_default"),
        ),
    )

    id: Mapped[Id]
    name: Mapped[Name] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    target: Mapped[bytes]  # address and secret, sealed (`sealing.Vault`)
    hint: Mapped[Name]  # what may be shown of the address: scheme, and a webhook's host
    clearance_level: Mapped[str] = mapped_column(String(40))
    clearance_compartments: Mapped[list[str]]
    severities: Mapped[list[str]]
    namespaces: Mapped[list[str]]  # with `deployments` both empty: everywhere
    deployments: Mapped[list[str]]  # NAMESPACE/NAME
    is_default: Mapped[bool]
    escalate_to_id: Mapped[UUID | None] = mapped_column(ForeignKey("channels.id"))
    escalate_after_minutes: Mapped[int | None]
    enabled: Mapped[bool]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]


class Silence(Revised, Base):
    """A time in which nobody is told of some alerts. One that begins later is a maintenance window.

    `weekly` narrows it to some hours of some weekdays (`recurrence.Weekly` as JSON).
    """

    __tablename__ = "silences"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="order"),
        Index(None, "ends_at"),
    )

    id: Mapped[Id]
    namespace: Mapped[Name]  # `*`: every one
    deployment_id: Mapped[UUID | None] = mapped_column(ForeignKey("deployments.id"), index=True)
    cause: Mapped[str | None] = mapped_column(String(100))
    covers_policy: Mapped[bool]  # alerts that something is out of policy as well
    reason: Mapped[str] = mapped_column(String(2000))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    weekly: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))


class Delivery(Base):
    """One message to one channel: written with the event it tells of, sent by the worker.

    Its id is the message's own, the same however often it is sent.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "channel_id"),
        CheckConstraint(
            "state IN ('pending', 'held', 'failed', 'delivered', 'gave-up', 'withdrawn')",
            name="state",
        ),
        Index(None, "state", "next_at"),
        Index(None, "alert_id", "channel_id"),
    )

    id: Mapped[Id]
    event_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_events.id"))  # None: a trial
    alert_id: Mapped[UUID | None] = mapped_column(ForeignKey("alerts.id"))
    deployment_id: Mapped[UUID | None] = mapped_column(ForeignKey("deployments.id"), index=True)
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id"), index=True)
    severity: Mapped[str] = mapped_column(String(20))
    facts: Mapped[dict[str, Any]]  # ids, states and times; never a text
    is_escalation: Mapped[bool]
    state: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int]
    due_at: Mapped[datetime]  # when it was first to be sent
    next_at: Mapped[datetime]  # when a worker looks at it next: a retry, or the end of a lease
    silence_id: Mapped[UUID | None] = mapped_column(ForeignKey("silences.id"), index=True)
    last_error: Mapped[str | None] = mapped_column(String(200))
    caused_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
