"""What watching labels keeps: references, judged steps, incidents, and how far it has come."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id, Revised


class LabelReference(Base):
    """How often a version is right while nothing is wrong (`performance.Expected`). Immutable.

    `origin`: its evaluation at promotion, or days that somebody declared right.
    """

    __tablename__ = "label_references"
    __table_args__ = (
        Index(None, "deployment_id", "created_at"),
        CheckConstraint("origin IN ('evaluation', 'asked', 'accepted')", name="origin"),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    digest: Mapped[Digest]
    origin: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(2000))
    window_hours: Mapped[int]
    first: Mapped[datetime | None]  # the days that it is made of; of an evaluation, none
    end: Mapped[datetime | None]
    rows: Mapped[int]
    accuracy: Mapped[float]
    error: Mapped[float]  # standard error of the accuracy
    content: Mapped[dict[str, Any]]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]


class LabelCheck(Base):
    """What the test made of the labels that arrived in one step of time. Never changes.

    Steps in which none came have no row. An alarm is where `evidence` reaches `threshold`.
    """

    __tablename__ = "label_checks"
    __table_args__ = (UniqueConstraint("reference_id", "start"),)

    id: Mapped[Id]
    reference_id: Mapped[UUID] = mapped_column(ForeignKey("label_references.id"))
    start: Mapped[datetime]
    hours: Mapped[int]
    rows: Mapped[int]  # first labels that arrived
    wrong: Mapped[int]
    alarm: Mapped[bool]
    evidence: Mapped[float]
    threshold: Mapped[float]
    at: Mapped[datetime]


class LabelIncident(Revised, Base):
    """A loss of accuracy that stands: from its first alarm until it recovered or was dealt with.

    `found` is `findings.Loss` as JSON: figures before and after with intervals, the worst classes
    and slices, and when the requests were from whose labels tell of it.
    """

    __tablename__ = "label_incidents"
    __table_args__ = (
        Index(None, "deployment_id", "opened_at"),
        CheckConstraint("ended_as IN ('recovered', 'fixed', 'accepted', 'replaced')", name="end"),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    reference_id: Mapped[UUID] = mapped_column(ForeignKey("label_references.id"))
    sentence: Mapped[str] = mapped_column(String(2000))
    worth_waking: Mapped[bool]
    since: Mapped[datetime]  # of requests
    since_earliest: Mapped[datetime]
    since_latest: Mapped[datetime]
    found: Mapped[dict[str, Any]]
    course: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]  # end of the step that alarmed first
    confirmed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[str | None] = mapped_column(String(20))
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    reason: Mapped[str | None] = mapped_column(String(2000))


class LabelWatch(Base):
    """How far the watching of a deployment's labels has come; locked while it goes on.

    `next_start`: where the next step of arrivals begins. `state` is the test's
    (`performance.LabelledState`), as compressed JSON.
    """

    __tablename__ = "label_watches"

    monitor_id: Mapped[UUID] = mapped_column(ForeignKey("monitors.id"), primary_key=True)
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    reference_id: Mapped[UUID | None] = mapped_column(ForeignKey("label_references.id"))
    incident_id: Mapped[UUID | None] = mapped_column(ForeignKey("label_incidents.id"))
    next_start: Mapped[datetime | None]
    state: Mapped[bytes | None] = mapped_column(LargeBinary)
    waits_for: Mapped[str | None] = mapped_column(String(500))
