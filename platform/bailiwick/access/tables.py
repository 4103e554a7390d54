"""Who there is, what they may be, and how they prove it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id, Name, Revised

ROLES = ("admin", "steward", "engineer", "approver", "auditor", "service")
EVERY_NAMESPACE = "*"


class Principal(Revised, Base):
    """A person or a service that can act."""

    __tablename__ = "principals"
    __table_args__ = (CheckConstraint("kind IN ('person', 'service')", name="kind"),)

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[Name] = mapped_column(unique=True)
    clearance_level: Mapped[str] = mapped_column(String(40))
    clearance_compartments: Mapped[list[str]]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class RoleBinding(Base):
    """A role of a principal in one namespace, or in every one (`*`)."""

    __tablename__ = "role_bindings"
    __table_args__ = (UniqueConstraint("principal_id", "role", "namespace"),)

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    role: Mapped[str] = mapped_column(String(40))
    namespace: Mapped[Name]
    created_at: Mapped[datetime]


class Token(Base):
    """A bearer token; only its SHA-256 is kept (the token itself carries 256 random bits)."""

    __tablename__ = "tokens"

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), index=True)
    name: Mapped[Name]
    token_hash: Mapped[Digest] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
