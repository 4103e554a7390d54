"""Summaries of hours of traffic, and what they have room for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id


class WindowLayout(Base):
    """What the summaries of a deployment's version have room for (`shapes.Layout`). Immutable."""

    __tablename__ = "window_layouts"
    __table_args__ = (Index(None, "deployment_id"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    digest: Mapped[Digest]
    content: Mapped[str] = mapped_column(Text)  # canonical JSON
    declared: Mapped[list[str]]  # features that records could carry when it was made
    sample_rows: Mapped[int]  # that its bins were made from
    made_at: Mapped[datetime]


class WindowPart(Base):
    """What one batch added to one hour; folded into its window soon, and then gone."""

    __tablename__ = "window_parts"
    __table_args__ = (Index(None, "layout_id", "start"),)

    id: Mapped[Id]
    layout_id: Mapped[UUID] = mapped_column(ForeignKey("window_layouts.id"))
    start: Mapped[datetime]
    rows: Mapped[int]
    summary: Mapped[bytes] = mapped_column(LargeBinary)
    sample: Mapped[list[str]] = mapped_column(server_default="[]")  # ids (`samples`)


class Window(Base):
    """All that is known of one hour of traffic, merged. Late records are added to it."""

    __tablename__ = "windows"
    __table_args__ = (UniqueConstraint("layout_id", "start"),)

    id: Mapped[Id]
    layout_id: Mapped[UUID] = mapped_column(ForeignKey("window_layouts.id"))
    start: Mapped[datetime]
    rows: Mapped[int]
    late_rows: Mapped[int]  # of these, how many came after it was judged
    changed_at: Mapped[datetime]
    summary: Mapped[bytes] = mapped_column(LargeBinary)
    sample: Mapped[list[str]] = mapped_column(server_default="[]")  # ids (`samples`)
