"""Texts of records are encrypted under data keys; a subject's can be destroyed.

Texts that are there already are sealed by the worker afterwards, a piece at a time: that needs the
key file, which is no business of a migration.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611230712"
down_revision = "202611230650"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
DIGEST = sa.String(64)
SEALED = ("text", "sealed", "data_key_id")
ONCE = "OLD.text IS NOT NULL AND NEW.text IS NULL AND NEW.sealed IS NOT NULL"
LIVE = "wrapped IS NOT NULL"
DESTROYED = "(NEW.wrapped IS NULL) = (NEW.destroyed_at IS NOT NULL)"
INDEXES = {
    "ix_inference_records_subject_texts": (
        ["data_key_id"],
        "subject_key IS NOT NULL AND data_key_id IS NOT NULL",
    ),
    "ix_inference_records_plain_texts": (["deployment_id", "subject_key"], "text IS NOT NULL"),
}


def upgrade() -> None:
    create_tables()
    history.release(("inference_records",))
    for table in ("inference_records", "rejected_records"):
        op.add_column(table, sa.Column("sealed", sa.LargeBinary(), nullable=True))
        op.add_column(table, sa.Column("data_key_id", sa.Uuid(), nullable=True))
    for name, (columns, condition) in INDEXES.items():
        partial_index(name, "inference_records", columns, condition)
    op.create_index("ix_rejected_records_data_key_id", "rejected_records", ["data_key_id"])
    history.protect(("inference_records",), pointers=SEALED)
    history.guard("inference_records", "unsealing", f"UPDATE OF {', '.join(SEALED)}", unless=ONCE)
    history.protect(("text_erasures",))
    history.protect(("data_keys",), pointers=("kek", "wrapped", "destroyed_at"))
    history.guard(
        "data_keys",
        "return",
        "UPDATE OF kek, wrapped, destroyed_at",
        unless=f"OLD.{LIVE} AND {DESTROYED}",
    )


def downgrade() -> None:
    """Sealed texts go: the older tables cannot hold them, and the keys are not at hand here."""
    history.unguard("inference_records", "unsealing")
    history.release(("inference_records",))
    for name in INDEXES:
        op.drop_index(name, "inference_records")
    op.drop_index("ix_rejected_records_data_key_id", "rejected_records")
    for table in ("inference_records", "rejected_records"):
        with batch(table) as changed:
            changed.drop_column("data_key_id")
            changed.drop_column("sealed")
    history.protect(("inference_records",))
    op.drop_table("text_erasures")
    op.drop_table("data_keys")


def batch(name: str) -> Any:
    return op.batch_alter_table(name, naming_convention=NAMING_CONVENTION)


def partial_index(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def create_tables() -> None:
    op.create_table(
        "data_keys",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), nullable=False),
        sa.Column("about", DIGEST, nullable=False),
        sa.Column("kek", sa.String(16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("destroyed_at", MOMENT, nullable=True),
    )
    partial_index("uq_data_keys_live", "data_keys", ["deployment_id", "about"], LIVE, unique=True)
    op.create_table(
        "text_erasures",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column(
            "deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), nullable=False, index=True
        ),
        sa.Column("subject_key", DIGEST, nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("keys", sa.Integer(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("rejected_records", sa.Integer(), nullable=False),
        sa.Column("erased_by", sa.Uuid(), sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("erased_at", MOMENT, nullable=False),
    )
