"""What intake keeps beside the records: its rules, what it turned away, labels by join key."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id, Name, Revised


class IntakeRules(Revised, Base):
    """What a deployment accepts; without a row the defaults hold."""

    __tablename__ = "intake_rules"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    segments: Mapped[list[str]]  # the names that records may be cut by
    features: Mapped[list[str]]  # numbers and categories to be watched
    refusals: Mapped[list[str] | None]  # phrases; default: those of `texts`
    max_ahead_seconds: Mapped[int]
    max_age_days: Mapped[int]
    rejected_days: Mapped[int]
    changed_at: Mapped[datetime]


class RejectedRecord(Base):
    """A record that could not be used. The same bytes again are the same row."""

    __tablename__ = "rejected_records"
    __table_args__ = (
        UniqueConstraint("deployment_id", "digest"),
        Index(None, "expires_at"),
        Index(None, "data_key_id"),
        Index(  # empty, once all of them are sealed
            "ix_rejected_records_plain",
            "deployment_id",
            sqlite_where=text("raw IS NOT NULL"),
            postgresql_where=text("raw IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    received_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    place: Mapped[int]  # in its request, from 0
    code: Mapped[str] = mapped_column(String(40))
    digest: Mapped[Digest]  # SHA-256 of the record as it came
    raw: Mapped[str | None] = mapped_column(Text)  # of before texts were sealed
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # where the deployment keeps text
    data_key_id: Mapped[UUID | None]


class JoinedFeedback(Base):
    """A label by join key, for the records that have come and those that will. Never changes.

    A correction is a new row; the newest one counts, and one without a label withdraws.
    """

    __tablename__ = "joined_feedback"
    __table_args__ = (UniqueConstraint("deployment_id", "join_key", "revision"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    join_key: Mapped[Digest]
    revision: Mapped[int]
    label: Mapped[Name | None]
    received_at: Mapped[datetime]
