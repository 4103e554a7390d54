"""Old records lie in segments of the blob store; how long they are kept is a deployment's rule."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611230740"
down_revision = "202611230735"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
DIGEST = sa.String(64)
SEALED = ("text", "sealed", "data_key_id")
WRAPPING = ("kek", "wrapped", "destroyed_at")
TALLIES = ("labelled_rows", "correct_rows", "tallied_at", "stale", "dropped_at", "purged_at")
TABLES = ("keeping_rules", "record_segments", "archived_join_keys")
PLAIN = "ix_rejected_records_plain"
MAY_GO = "refuse_unless_archived"


def upgrade() -> None:
    create_tables()
    plain = sa.text("raw IS NOT NULL")
    op.create_index(
        PLAIN, "rejected_records", ["deployment_id"], sqlite_where=plain, postgresql_where=plain
    )
    history.protect(("record_segments",), pointers=TALLIES)
    history.release(("data_keys",))
    texts = sa.Column("archived_texts", sa.Integer(), nullable=False, server_default="0")
    op.add_column("data_keys", texts)
    history.protect(("data_keys",), pointers=(*WRAPPING, "archived_texts"))
    history.release(("inference_records",))
    history.protect(("inference_records",), pointers=SEALED, removable=True)
    let_archived_go()


def downgrade() -> None:
    """Archived records go: their files stay in the blob store, and nothing refers to them."""
    op.execute("DROP TRIGGER inference_records_refuses_removal" + on("inference_records"))
    if on("inference_records"):
        op.execute(f"DROP FUNCTION {MAY_GO}()")
    history.release(("inference_records",), removable=True)
    history.protect(("inference_records",), pointers=SEALED)
    op.drop_index(PLAIN, "rejected_records")
    history.unguard("data_keys", "return")
    history.release(("data_keys",))
    with op.batch_alter_table("data_keys", naming_convention=NAMING_CONVENTION) as table:
        table.drop_column("archived_texts")
    history.protect(("data_keys",), pointers=WRAPPING)
    history.guard(
        "data_keys",
        "return",
        f"UPDATE OF {', '.join(WRAPPING)}",
        unless="OLD.wrapped IS NOT NULL AND (NEW.wrapped IS NULL) = (NEW.destroyed_at IS NOT NULL)",
    )
    for table in reversed(TABLES):
        op.drop_table(table)


def let_archived_go() -> None:
    """A record may be removed once its day's segment is there."""
    there = (
        "SELECT 1 FROM record_segments AS one WHERE one.deployment_id = OLD.deployment_id "
        "AND one.archived_at >= OLD.received_at AND one.start = "
    )
    before = "CREATE TRIGGER inference_records_refuses_removal BEFORE DELETE ON inference_records"
    if not on("inference_records"):
        midnight = "substr(OLD.at, 1, 10) || ' 00:00:00.000000'"
        op.execute(
            f"{before} WHEN NOT EXISTS ({there}{midnight}) "
            "BEGIN SELECT RAISE(ABORT, 'inference_records is immutable'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {MAY_GO}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT EXISTS ({there}date_trunc('day', OLD.at, 'UTC')) "
        "THEN RAISE EXCEPTION '% is immutable', TG_TABLE_NAME; END IF; RETURN OLD; END $$"
    )
    op.execute(f"{before} FOR EACH ROW EXECUTE FUNCTION {MAY_GO}()")


def on(table: str) -> str:
    """What PostgreSQL wants after a trigger's name; SQLite wants nothing."""
    return f" ON {table}" if op.get_context().dialect.name == "postgresql" else ""


def column(name: str, kind: Any, *items: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=False)


def create_tables() -> None:
    op.create_table(
        "keeping_rules",
        sa.Column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), primary_key=True),
        sa.Column("hot_days", sa.Integer(), nullable=True),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("summary_days", sa.Integer(), nullable=True),
        column("changed_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("changed_at", MOMENT),
        column("revision", sa.Integer()),
    )
    op.create_table(
        "record_segments",
        sa.Column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id")),
        column("start", MOMENT),
        column("end", MOMENT),
        column("part", sa.Integer()),
        column("rows", sa.Integer()),
        column("bytes", sa.Integer()),
        column("blob", DIGEST),
        column("columns_version", sa.Integer()),
        column("first_at", MOMENT),
        column("last_at", MOMENT),
        column("version_ids", JSON),
        column("archived_at", MOMENT),
        column("labelled_rows", sa.Integer()),
        column("correct_rows", sa.Integer()),
        column("tallied_at", MOMENT),
        column("stale", sa.Boolean()),
        sa.Column("dropped_at", MOMENT, nullable=True),
        sa.Column("purged_at", MOMENT, nullable=True),
        sa.UniqueConstraint("deployment_id", "start", "part"),
    )
    op.create_table(
        "archived_join_keys",
        sa.Column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), primary_key=True),
        sa.Column("join_key", DIGEST, primary_key=True),
        sa.Column("record_id", sa.String(200), primary_key=True),
        sa.Column(
            "segment_id", sa.Uuid(), sa.ForeignKey("record_segments.id"), nullable=False, index=True
        ),
    )
