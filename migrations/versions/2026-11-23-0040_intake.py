"""Intake: more of each record, withdrawn labels, rejected records, labels by join key."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611230040"
down_revision = "202611222351"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
NAME = sa.String(200)
DIGEST = sa.String(64)
JOIN_INDEX = "ix_inference_records_deployment_id_join_key"

# What a generator's answer or a span has no value for.
MEASURED = {
    "confidence": sa.Double(),
    "characters": sa.Integer(),
    "words": sa.Integer(),
    "unseen_words_ratio": sa.Double(),
}
ADDED = {
    "latency_ms": sa.Double(),
    "tokens": sa.Integer(),
    "mean_log_probability": sa.Double(),
    "segments": JSON,
    "features": JSON,
    "subject_key": DIGEST,
    "join_key": DIGEST,
}
TABLES = ("intake_rules", "rejected_records", "joined_feedback")


def upgrade() -> None:
    def widen(table: Any) -> None:
        for name, kind in MEASURED.items():
            table.alter_column(name, existing_type=kind, nullable=True)
        for name, kind in ADDED.items():
            table.add_column(sa.Column(name, kind, nullable=True))

    change_history("inference_records", widen)
    given = sa.text("join_key IS NOT NULL")
    op.create_index(
        JOIN_INDEX,
        "inference_records",
        ["deployment_id", "join_key"],
        sqlite_where=given,
        postgresql_where=given,
    )
    change_history(
        "feedback",
        lambda table: table.alter_column("label", existing_type=NAME, nullable=True),
    )
    create_tables()
    history.protect(("joined_feedback",))


def downgrade() -> None:
    """What the older tables cannot say goes: records without measures, and withdrawn labels."""
    for table in reversed(TABLES):
        op.drop_table(table)
    history.release(("inference_records", "feedback"))
    op.execute(
        "DELETE FROM feedback WHERE revision <= (SELECT max(later.revision) FROM feedback AS later "
        "WHERE later.label IS NULL AND later.deployment_id = feedback.deployment_id "
        "AND later.record_id = feedback.record_id)"
    )
    missing = " OR ".join(f"{name} IS NULL" for name in MEASURED)
    op.execute(f"DELETE FROM inference_records WHERE {missing}")  # noqa: S608 - our own names
    op.drop_index(JOIN_INDEX, "inference_records")

    def narrow(table: Any) -> None:
        for name in ADDED:
            table.drop_column(name)
        for name, kind in MEASURED.items():
            table.alter_column(name, existing_type=kind, nullable=False)

    with batch("inference_records") as table:
        narrow(table)
    with batch("feedback") as table:
        table.alter_column("label", existing_type=NAME, nullable=False)
    history.protect(("inference_records", "feedback"))


def change_history(name: str, change: Callable[[Any], None]) -> None:
    """Change a protected table: SQLite makes it anew, without its triggers."""
    history.release((name,))
    with batch(name) as table:
        change(table)
    history.protect((name,))


def batch(name: str) -> Any:
    return op.batch_alter_table(name, naming_convention=NAMING_CONVENTION)


def column(
    name: str, kind: Any, *items: Any, optional: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=optional, **options)


def create_tables() -> None:
    op.create_table(
        "intake_rules",
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), primary_key=True),
        column("segments", JSON),
        column("features", JSON),
        column("max_ahead_seconds", sa.Integer()),
        column("max_age_days", sa.Integer()),
        column("rejected_days", sa.Integer()),
        column("changed_at", MOMENT),
        column("revision", sa.Integer()),
    )
    op.create_table(
        "rejected_records",
        column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id")),
        column("received_at", MOMENT),
        column("expires_at", MOMENT, index=True),
        column("place", sa.Integer()),
        column("code", sa.String(40)),
        column("digest", DIGEST),
        column("raw", sa.Text(), optional=True),
        sa.UniqueConstraint("deployment_id", "digest"),
    )
    op.create_table(
        "joined_feedback",
        column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id")),
        column("join_key", DIGEST),
        column("revision", sa.Integer()),
        column("label", NAME, optional=True),
        column("received_at", MOMENT),
        sa.UniqueConstraint("deployment_id", "join_key", "revision"),
    )
