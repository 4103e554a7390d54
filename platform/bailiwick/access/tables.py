"""Who there is, what they may be, and how they prove it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
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


class ClearanceChange(Base):
    """What a principal has been cleared for since a moment. Never changes."""

    __tablename__ = "clearance_changes"
    __table_args__ = (Index(None, "principal_id", "since"),)

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    level: Mapped[str] = mapped_column(String(40))
    compartments: Mapped[list[str]]
    since: Mapped[datetime]
    set_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))


class Group(Revised, Base):
    """Principals that hold the same roles. `claim`: the identity provider's word for it."""

    __tablename__ = "groups"

    id: Mapped[Id]
    name: Mapped[Name] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(String(2000))
    claim: Mapped[str | None] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime]


class GroupMembership(Base):
    """A principal in a group, from `since` until `until`. Ended rows stay: they are evidence."""

    __tablename__ = "group_memberships"
    __table_args__ = (
        CheckConstraint("source IN ('manual', 'claim')", name="source"),
        Index(
            "uq_group_memberships_standing",
            "group_id",
            "principal_id",
            unique=True,
            sqlite_where=text("until IS NULL"),
            postgresql_where=text("until IS NULL"),
        ),
        Index(None, "principal_id"),
    )

    id: Mapped[Id]
    group_id: Mapped[UUID] = mapped_column(ForeignKey("groups.id"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    source: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime]
    added_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    until: Mapped[datetime | None]
    removed_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))


class RoleBinding(Base):
    """A role of a principal or a group: in one namespace, in every one (`*`), or on one object.

    `object` is empty for a whole namespace, else `models/NAME`, `datasets/NAME` or
    `deployments/NAME` inside it. Revoked rows stay: they answer who could do what, when.
    """

    __tablename__ = "role_bindings"
    __table_args__ = (
        CheckConstraint("(principal_id IS NULL) <> (group_id IS NULL)", name="one_holder"),
        *(
            Index(
                f"uq_role_bindings_{holder}_standing",
                f"{holder}_id",
                "role",
                "namespace",
                "object",
                unique=True,
                sqlite_where=text(f"{holder}_id IS NOT NULL AND revoked_at IS NULL"),
                postgresql_where=text(f"{holder}_id IS NOT NULL AND revoked_at IS NULL"),
            )
            for holder in ("principal", "group")
        ),
    )

    id: Mapped[Id]
    principal_id: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    group_id: Mapped[UUID | None] = mapped_column(ForeignKey("groups.id"))
    role: Mapped[str] = mapped_column(String(40))
    namespace: Mapped[Name]
    object: Mapped[str] = mapped_column(String(230))
    created_at: Mapped[datetime]
    granted_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))


class Token(Base):
    """A bearer token; only its SHA-256 is kept (the token itself carries 256 random bits).

    `scopes` and `namespaces` narrow what it may be used for; None does not. `vouched_by`: who
    else has held it, or what it was made with: whoever made it for its owner, and so on back.
    """

    __tablename__ = "tokens"

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), index=True)
    name: Mapped[Name]
    token_hash: Mapped[Digest] = mapped_column(unique=True)
    scopes: Mapped[list[str] | None]
    namespaces: Mapped[list[str] | None]
    vouched_by: Mapped[list[str]]  # principals, by id
    created_at: Mapped[datetime]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Identity(Base):
    """A principal as an OpenID provider knows it (OpenID Connect Core 1.0, section 2).

    `claims_at` and `claims_digest` tell the newest claims that were followed: an older token
    proves who its holder is, and no longer which groups they are in.
    """

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    claims_at: Mapped[datetime]
    claims_digest: Mapped[Digest]
    created_at: Mapped[datetime]


class Password(Revised, Base):
    """A local password, hashed with Argon2id (RFC 9106). Only for the embedded default."""

    __tablename__ = "passwords"

    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime]


class SignInFailure(Base):
    """A failed attempt, by the digest of the name or of the address that it came from."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index(None, "key", "at"),)

    id: Mapped[Id]
    key: Mapped[Digest]
    at: Mapped[datetime]
