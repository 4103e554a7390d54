"""Which requests somebody was asked to label, and why these."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Id, Name


class LabellingRound(Base):
    """One choice of requests, from those of a span. Never changes."""

    __tablename__ = "labelling_rounds"

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), index=True)
    start: Mapped[datetime]
    end: Mapped[datetime]
    candidates: Mapped[int]  # that were looked at
    rows: Mapped[int]  # that were chosen
    random_rows: Mapped[int]  # of these, at random
    made_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    made_at: Mapped[datetime]


class LabellingItem(Base):
    """A request to be labelled; it is done when feedback about it has come."""

    __tablename__ = "labelling_items"
    __table_args__ = (
        UniqueConstraint("deployment_id", "record_id"),  # nobody is asked twice
        CheckConstraint("reason IN ('random', 'unsure')", name="reason"),
    )

    id: Mapped[Id]
    round_id: Mapped[UUID] = mapped_column(ForeignKey("labelling_rounds.id"), index=True)
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    record_id: Mapped[Name]
    reason: Mapped[str] = mapped_column(String(20))
    skipped_at: Mapped[datetime | None]  # somebody could not tell
    skipped_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
