"""What labels came to, by hour: of the requests that they belong to, and of their arrival."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Id


class LabelLedger(Base):
    """A deployment whose labels are counted; locked by whoever counts.

    Labels and segment values have their places in the order in which they were first counted;
    what comes after the last place is counted as other.
    """

    __tablename__ = "label_ledgers"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    begun_at: Mapped[datetime | None]  # from then on feedback notes what it changes
    labels: Mapped[list[str]]
    segments: Mapped[dict[str, Any]]  # values by name


class LabelChange(Base):
    """What one batch of feedback changed, not counted yet; gone once its records were found."""

    __tablename__ = "label_changes"
    __table_args__ = (Index(None, "deployment_id", "due_at"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    noted_at: Mapped[datetime]
    due_at: Mapped[datetime]  # when its records are looked for (again)
    searched: Mapped[bool] = mapped_column(server_default=false())  # among archived records
    entries: Mapped[bytes] = mapped_column(LargeBinary)


class LabelHour(Base):
    """Labels, as they stand, of the requests that a version answered in one hour."""

    __tablename__ = "label_hours"
    __table_args__ = (UniqueConstraint("deployment_id", "version_id", "start"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    start: Mapped[datetime]
    rows: Mapped[int]
    correct: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)  # `LabelCounts`


class LabelArrival(Base):
    """First labels that arrived in one hour, by the hour of their requests; it only grows."""

    __tablename__ = "label_arrivals"
    __table_args__ = (UniqueConstraint("deployment_id", "version_id", "arrived"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    arrived: Mapped[datetime]
    rows: Mapped[int]
    wrong: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)  # [hour since 1970, wrong, rows] each
