"""Datasets and runs: the nodes and edges of lineage."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bailiwick.db.base import Base, Digest, Id, Name, Revised

NodeType = Literal["dataset-version", "model-version"]


class Dataset(Revised, Base):
    """A named stream of dataset versions with an owner and a label."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("namespace", "name"),)

    id: Mapped[Id]
    namespace: Mapped[Name]
    name: Mapped[Name]
    description: Mapped[str] = mapped_column(String(2000))
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    # The label that new versions inherit at least.
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    # Days after its registration for which a version's rows may be read; None: without end.
    retention_days: Mapped[int | None]
    created_at: Mapped[datetime]


class Taxonomy(Base):
    """What the labels of a dataset are called from then on. Never changes.

    `renames`: old name → new one; two with the same new name are merged; null gives a label up.
    """

    __tablename__ = "taxonomies"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)

    id: Mapped[Id]
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int]
    renames: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(String(2000))
    made_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    made_at: Mapped[datetime]


class BatchQuarantine(Base):
    """Which batches of a dataset nothing may learn from, from then on. Never changes.

    `batches`: [{"version": number, "why"}, {"start", "end", "why"}].
    """

    __tablename__ = "batch_quarantines"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)

    id: Mapped[Id]
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int]
    batches: Mapped[list[dict[str, Any]]]
    reason: Mapped[str] = mapped_column(String(2000))
    made_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    made_at: Mapped[datetime]


class ColumnMark(Revised, Base):
    """What a column holds: personal data, free text or an identifier.

    Said by a steward, or proposed by a scanner, which keeps counts and never values.
    """

    __tablename__ = "column_marks"
    __table_args__ = (
        UniqueConstraint("dataset_id", "column", "mark", "entity"),
        CheckConstraint("mark IN ('personal-data', 'free-text', 'identifier')", name="mark"),
        CheckConstraint("source IN ('steward', 'scanner')", name="source"),
        CheckConstraint("state IN ('proposed', 'accepted', 'rejected')", name="state"),
    )

    id: Mapped[Id]
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    column: Mapped[Name]
    mark: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(20))
    entity: Mapped[str] = mapped_column(String(80))  # empty when a steward said so
    recogniser: Mapped[str | None] = mapped_column(String(120))
    score: Mapped[float | None]
    sampled: Mapped[int | None]
    matched: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(20))
    proposed_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    proposed_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    decided_at: Mapped[datetime | None]


class DatasetVersion(Base):
    """Immutable rows: their digest and schema. `label_id` points at the label in force."""

    __tablename__ = "dataset_versions"
    __table_args__ = (
        UniqueConstraint("dataset_id", "number"),
        UniqueConstraint("dataset_id", "content_digest"),
    )

    id: Mapped[Id]
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int]
    content_digest: Mapped[Digest] = mapped_column(index=True)
    source_digest: Mapped[Digest | None] = mapped_column(index=True)
    # Blobs: accepted rows (Parquet), rejected rows (NDJSON), the file as it arrived.
    rows_blob: Mapped[Digest]
    rejected_blob: Mapped[Digest | None]
    source_blob: Mapped[Digest | None]
    columns: Mapped[list[dict[str, Any]]]
    text_columns: Mapped[list[str]]
    label_column: Mapped[Name]
    date_column: Mapped[Name]
    rows: Mapped[int]
    rejected_rows: Mapped[int]
    rejected_reasons: Mapped[dict[str, Any]]
    first_time: Mapped[datetime]
    last_time: Mapped[datetime]
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]
    dataset: Mapped[Dataset] = relationship(lazy="joined", viewonly=True)


class Run(Base):
    """One finished execution: what it read, what it wrote, with which parameters.

    `label_id` points at the label in force; each move of it is a `LabelMove`.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("kind IN ('ingest', 'prepare', 'train', 'evaluate')", name="kind"),
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(20))
    namespace: Mapped[Name] = mapped_column(index=True)
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    job_id: Mapped[UUID | None] = mapped_column(index=True)
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    parameters: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]


class LineageEdge(Base):
    """A run read (`input`) or wrote (`output`) a dataset version or a model version."""

    __tablename__ = "lineage_edges"
    __table_args__ = (
        UniqueConstraint("run_id", "direction", "node_type", "node_id"),
        Index(None, "node_id", "direction"),
        CheckConstraint("direction IN ('input', 'output')", name="direction"),
        CheckConstraint("node_type IN ('dataset-version', 'model-version')", name="node_type"),
    )

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"))
    direction: Mapped[str] = mapped_column(String(10))
    node_type: Mapped[NodeType] = mapped_column(String(20))
    node_id: Mapped[UUID]
