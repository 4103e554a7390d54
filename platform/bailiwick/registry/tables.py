"""Registered models, their immutable versions, the pointers to them, and where they run."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bailiwick.db.base import Base, Digest, Id, Name, Revised

CHAMPION = "champion"
CHALLENGER = "challenger"
PROTECTED_ALIASES = frozenset({CHAMPION, CHALLENGER})


class RegisteredModel(Revised, Base):
    """A named model; its label dominates that of every version it has."""

    __tablename__ = "registered_models"
    __table_args__ = (UniqueConstraint("namespace", "name"),)

    id: Mapped[Id]
    namespace: Mapped[Name]
    name: Mapped[Name]
    description: Mapped[str] = mapped_column(String(2000))
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]


class ModelVersion(Base):
    """An immutable artifact: its manifest, where it came from, what it inherited.

    `label_id` points at the label in force; each move of it is a `LabelMove`.
    """

    __tablename__ = "model_versions"
    __table_args__ = (UniqueConstraint("model_id", "number"),)

    id: Mapped[Id]
    model_id: Mapped[UUID] = mapped_column(ForeignKey("registered_models.id"))
    number: Mapped[int]
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), index=True)
    base_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    manifest: Mapped[list[dict[str, Any]]]  # [{path, sha256, size_bytes}], sorted by path
    manifest_digest: Mapped[Digest]
    recipe: Mapped[dict[str, Any]]
    seed: Mapped[int]
    metrics: Mapped[dict[str, Any]]
    parameters: Mapped[int]
    text_columns: Mapped[list[str]]
    labels: Mapped[list[str]]
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    trained_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]
    model: Mapped[RegisteredModel] = relationship(lazy="joined", viewonly=True)


class Alias(Revised, Base):
    """A pointer to a version; `champion` and `challenger` are moved by the lifecycle only."""

    __tablename__ = "aliases"

    model_id: Mapped[UUID] = mapped_column(ForeignKey("registered_models.id"), primary_key=True)
    alias: Mapped[str] = mapped_column(String(80), primary_key=True)
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"), index=True)
    moved_at: Mapped[datetime]


class AliasMove(Base):
    """One move of a pointer, with old and new. Never changes."""

    __tablename__ = "alias_moves"
    __table_args__ = (Index(None, "model_id", "alias"),)

    id: Mapped[Id]
    model_id: Mapped[UUID] = mapped_column(ForeignKey("registered_models.id"))
    alias: Mapped[str] = mapped_column(String(80))
    old_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    new_version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    reason: Mapped[str] = mapped_column(String(2000))
    at: Mapped[datetime]


class Environment(Revised, Base):
    """A place where models run: its zone and the labels it is cleared for."""

    __tablename__ = "environments"

    id: Mapped[Id]
    name: Mapped[Name] = mapped_column(unique=True)
    zone: Mapped[str] = mapped_column(String(80))
    clearance_level: Mapped[str] = mapped_column(String(40))
    clearance_compartments: Mapped[list[str]]
    keeps_text: Mapped[bool]
    created_at: Mapped[datetime]


class Deployment(Revised, Base):
    """A model in an environment. Follows the champion unless it is pinned to one version."""

    __tablename__ = "deployments"
    __table_args__ = (
        UniqueConstraint("namespace", "name"),
        CheckConstraint("state IN ('active', 'stopped')", name="state"),
    )

    id: Mapped[Id]
    namespace: Mapped[Name]
    name: Mapped[Name]
    model_id: Mapped[UUID] = mapped_column(ForeignKey("registered_models.id"), index=True)
    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environments.id"), index=True)
    pinned_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    purpose: Mapped[str] = mapped_column(String(80))
    keeps_text: Mapped[bool]
    state: Mapped[str] = mapped_column(String(20))
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]
    model: Mapped[RegisteredModel] = relationship(lazy="joined", viewonly=True)
    environment: Mapped[Environment] = relationship(lazy="joined", viewonly=True)


class Breach(Revised, Base):
    """A deployment that the policy would not allow any more, and what became of it.

    States: found → resolved (allowed again) or stopped (by the platform after its grace time).
    """

    __tablename__ = "breaches"
    __table_args__ = (
        Index(
            "uq_breaches_one_unresolved",
            "deployment_id",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index(None, "stop_at"),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    version_id: Mapped[UUID] = mapped_column(ForeignKey("model_versions.id"))
    policy_ids: Mapped[list[str]]
    reason: Mapped[str] = mapped_column(String(2000))
    cause: Mapped[str] = mapped_column(String(2000))  # what changed, in words
    caused_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    found_at: Mapped[datetime]
    stop_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None] = mapped_column(String(2000))
