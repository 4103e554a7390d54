"""What watching keeps: baselines, what each window came to, incidents, how far it has come."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id, Revised


class TrafficBaseline(Base):
    """What a deployment's windows look like while nothing is wrong. Immutable.

    `content` is `baselines.Baseline` as compressed JSON; `digest` names exactly that. `grade`:
    provisional or full; `origin` says how it came about. One that is carried over a promotion is
    the part of another one, which it names, that does not depend on the version.
    """

    __tablename__ = "traffic_baselines"
    __table_args__ = (
        Index(None, "deployment_id", "created_at"),
        CheckConstraint("grade IN ('provisional', 'full')", name="grade"),
        CheckConstraint(
            "origin IN ('traffic', 'asked', 'accepted', 'scheduled', 'carried')", name="origin"
        ),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    layout_id: Mapped[UUID] = mapped_column(ForeignKey("window_layouts.id"))
    digest: Mapped[Digest]
    grade: Mapped[str] = mapped_column(String(20))
    origin: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(2000))
    carried_from: Mapped[UUID | None] = mapped_column(ForeignKey("traffic_baselines.id"))
    window_hours: Mapped[int]
    first: Mapped[datetime]
    end: Mapped[datetime]
    windows: Mapped[int]
    rows: Mapped[int]
    watched: Mapped[list[str]]
    unwatched: Mapped[list[str]]  # never or too seldom seen while it was made
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]


class WindowCheck(Base):
    """What the detector made of one window. Never changes.

    An alarm is where `evidence` reaches `threshold`. Windows with too few rows are added up until
    they can be judged, and have no row of their own.
    """

    __tablename__ = "window_checks"
    __table_args__ = (UniqueConstraint("baseline_id", "start"),)

    id: Mapped[Id]
    baseline_id: Mapped[UUID] = mapped_column(ForeignKey("traffic_baselines.id"))
    start: Mapped[datetime]
    hours: Mapped[int]
    rows: Mapped[int]
    alarm: Mapped[bool]
    evidence: Mapped[float]
    threshold: Mapped[float]
    features: Mapped[list[str]]  # at an alarm: the one with the most evidence against it
    at: Mapped[datetime]


class DriftIncident(Revised, Base):
    """A change that stands: from its first alarm until it recovered or somebody decided.

    `moves` are the features that changed, the likeliest first, each with its figures. `course` is
    what `incidents.follow` counts, in judged windows.
    """

    __tablename__ = "drift_incidents"
    __table_args__ = (
        Index(None, "deployment_id", "opened_at"),
        CheckConstraint("ended_as IN ('recovered', 'fixed', 'accepted', 'replaced')", name="end"),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    baseline_id: Mapped[UUID] = mapped_column(ForeignKey("traffic_baselines.id"))
    cause: Mapped[str] = mapped_column(String(40))
    sentence: Mapped[str] = mapped_column(String(2000))
    worth_waking: Mapped[bool]
    hurts: Mapped[bool | None]  # by a trusted estimate of accuracy since then
    effect: Mapped[str | None] = mapped_column(String(1000))  # on accuracy, in words
    since: Mapped[datetime]
    since_earliest: Mapped[datetime]
    since_latest: Mapped[datetime]
    moves: Mapped[list[dict[str, Any]]]
    course: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]  # end of the window that alarmed first
    confirmed_at: Mapped[datetime]  # end of the newest window that alarmed
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[str | None] = mapped_column(String(20))
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    reason: Mapped[str | None] = mapped_column(String(2000))


class Watch(Base):
    """How far the watching of a deployment has come; one row, locked while it goes on.

    `next_start` is the start of the next window to be judged; windows from `held_start` on had too
    few rows so far and wait for more. `state` is the detector's, as compressed JSON.
    """

    __tablename__ = "watches"

    monitor_id: Mapped[UUID] = mapped_column(ForeignKey("monitors.id"), primary_key=True)
    layout_id: Mapped[UUID | None] = mapped_column(ForeignKey("window_layouts.id"))
    baseline_id: Mapped[UUID | None] = mapped_column(ForeignKey("traffic_baselines.id"))
    incident_id: Mapped[UUID | None] = mapped_column(ForeignKey("drift_incidents.id"))
    # The next baseline is made of windows from here on (default: the layout's first), this way.
    from_start: Mapped[datetime | None]
    origin: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(2000))
    next_start: Mapped[datetime | None]
    held_start: Mapped[datetime | None]
    state: Mapped[bytes | None] = mapped_column(LargeBinary)
    waits_for: Mapped[str | None] = mapped_column(String(500))  # why there is no baseline yet
