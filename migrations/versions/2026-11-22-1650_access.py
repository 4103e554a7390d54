"""Access: who acts, what they hold, and how they prove who they are."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history

revision = "202611221650"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
NAME = sa.String(200)
SENTENCE = sa.String(2000)
DIGEST = sa.String(64)

# In the order in which they refer to each other.
TABLES = (
    "principals",
    "clearance_changes",
    "groups",
    "group_memberships",
    "role_bindings",
    "tokens",
    "identities",
    "passwords",
    "sign_in_failures",
)


def upgrade() -> None:
    create_holders()
    create_proofs()
    history.install()
    history.protect(("clearance_changes",))


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    history.uninstall()


def column(
    name: str, kind: Any, *items: Any, optional: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=optional, **options)


def principal(name: str, *, optional: bool = False, **options: Any) -> sa.Column[Any]:
    return column(name, sa.Uuid(), sa.ForeignKey("principals.id"), optional=optional, **options)


def standing(name: str, *columns: str, condition: str) -> sa.Index:
    """Unique among the rows that have not ended."""
    where = sa.text(condition)
    return sa.Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


def create_holders() -> None:
    op.create_table(
        "principals",
        column("id", sa.Uuid(), primary_key=True),
        column("kind", sa.String(20)),
        column("name", NAME, unique=True),
        column("clearance_level", sa.String(40)),
        column("clearance_compartments", JSON),
        column("disabled_at", MOMENT, optional=True),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
        sa.CheckConstraint("kind IN ('person', 'service')", name="kind"),
    )
    op.create_table(
        "clearance_changes",
        column("id", sa.Uuid(), primary_key=True),
        principal("principal_id"),
        column("level", sa.String(40)),
        column("compartments", JSON),
        column("since", MOMENT),
        principal("set_by"),
        sa.Index(None, "principal_id", "since"),
    )
    op.create_table(
        "groups",
        column("id", sa.Uuid(), primary_key=True),
        column("name", NAME, unique=True),
        column("description", SENTENCE),
        column("claim", NAME, optional=True, unique=True),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
    )
    op.create_table(
        "group_memberships",
        column("id", sa.Uuid(), primary_key=True),
        column("group_id", sa.Uuid(), sa.ForeignKey("groups.id")),
        principal("principal_id", index=True),
        column("source", sa.String(20)),
        column("since", MOMENT),
        principal("added_by"),
        column("until", MOMENT, optional=True),
        principal("removed_by", optional=True),
        sa.CheckConstraint("source IN ('manual', 'claim')", name="source"),
        standing(
            "uq_group_memberships_standing", "group_id", "principal_id", condition="until IS NULL"
        ),
    )
    op.create_table(
        "role_bindings",
        column("id", sa.Uuid(), primary_key=True),
        principal("principal_id", optional=True),
        column("group_id", sa.Uuid(), sa.ForeignKey("groups.id"), optional=True),
        column("role", sa.String(40)),
        column("namespace", NAME),
        column("object", sa.String(230)),
        column("created_at", MOMENT),
        principal("granted_by"),
        column("revoked_at", MOMENT, optional=True),
        principal("revoked_by", optional=True),
        sa.CheckConstraint("(principal_id IS NULL) <> (group_id IS NULL)", name="one_holder"),
        *(
            standing(
                f"uq_role_bindings_{holder}_standing",
                f"{holder}_id",
                "role",
                "namespace",
                "object",
                condition=f"{holder}_id IS NOT NULL AND revoked_at IS NULL",
            )
            for holder in ("principal", "group")
        ),
    )


def create_proofs() -> None:
    op.create_table(
        "tokens",
        column("id", sa.Uuid(), primary_key=True),
        principal("principal_id", index=True),
        column("name", NAME),
        column("token_hash", DIGEST, unique=True),
        column("scopes", JSON, optional=True),
        column("namespaces", JSON, optional=True),
        column("vouched_by", JSON),
        column("created_at", MOMENT),
        principal("created_by"),
        column("expires_at", MOMENT, optional=True),
        column("revoked_at", MOMENT, optional=True),
        column("last_used_at", MOMENT, optional=True),
    )
    op.create_table(
        "identities",
        column("id", sa.Uuid(), primary_key=True),
        principal("principal_id", index=True),
        column("issuer", sa.String(500)),
        column("subject", sa.String(255)),
        column("claims_at", MOMENT),
        column("claims_digest", DIGEST),
        column("created_at", MOMENT),
        sa.UniqueConstraint("issuer", "subject"),
    )
    op.create_table(
        "passwords",
        column("principal_id", sa.Uuid(), sa.ForeignKey("principals.id"), primary_key=True),
        column("password_hash", sa.String(200)),
        column("changed_at", MOMENT),
        column("revision", sa.Integer()),
    )
    op.create_table(
        "sign_in_failures",
        column("id", sa.Uuid(), primary_key=True),
        column("key", DIGEST),
        column("at", MOMENT),
        sa.Index(None, "key", "at"),
    )
