"""Records that are old: whole days of them lie in the blob store, and here is which."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id, Name, Revised


class KeepingRules(Revised, Base):
    """How long a deployment's records are kept, and where; without a row all stay as they are.

    Days count from the record's own time, those of summaries from the hour's.
    """

    __tablename__ = "keeping_rules"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    hot_days: Mapped[int | None]  # in the database; then in segments
    retention_days: Mapped[int | None]  # then they are dropped
    summary_days: Mapped[int | None]  # of hourly summaries
    changed_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    changed_at: Mapped[datetime]


class RecordSegment(Base):
    """One day of a deployment's records as a Parquet file (`files`). What it holds never changes.

    The tallies of labels move when late labels come. A segment that was dropped has no file any
    more; its row stays.
    """

    __tablename__ = "record_segments"
    __table_args__ = (UniqueConstraint("deployment_id", "start", "part"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    start: Mapped[datetime]  # midnight (UTC)
    end: Mapped[datetime]  # the next one
    part: Mapped[int]  # from 0; more than one, if records came in while the day was written
    rows: Mapped[int]
    bytes: Mapped[int]  # of the file
    blob: Mapped[Digest]
    columns_version: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    version_ids: Mapped[list[str]]  # that answered
    archived_at: Mapped[datetime]
    labelled_rows: Mapped[int]
    correct_rows: Mapped[int]
    tallied_at: Mapped[datetime]
    stale: Mapped[bool]  # labels came since it was tallied
    dropped_at: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]  # when its file went


class ArchivedJoinKey(Base):
    """Which archived record carries a join key: labels by it come late."""

    __tablename__ = "archived_join_keys"
    __table_args__ = (Index(None, "segment_id"),)

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    join_key: Mapped[Digest] = mapped_column(primary_key=True)
    record_id: Mapped[Name] = mapped_column(primary_key=True)
    segment_id: Mapped[UUID] = mapped_column(ForeignKey("record_segments.id"))
