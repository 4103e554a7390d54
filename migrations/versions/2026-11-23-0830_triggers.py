"""What sets a retraining policy off, what holds it back, and what came of each."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611230830"
down_revision = "202611230740"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
LISTS = ("triggers", "only_if", "blackouts")
TABLE = "retraining_considerations"


def upgrade() -> None:
    with batch("retraining_policies") as table:
        for name in LISTS:
            table.add_column(sa.Column(name, JSON, nullable=False, server_default="[]"))
        table.add_column(sa.Column("budget_hours", sa.Double(), nullable=True))
        table.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    with batch("jobs") as table:
        table.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        TABLE,
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("policy_id", sa.Uuid(), sa.ForeignKey("retraining_policies.id"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("causes", JSON, nullable=False),
        sa.Column("holds", JSON, nullable=False),
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("jobs.id"), nullable=True),
    )
    op.create_index(f"ix_{TABLE}_policy_id_at", TABLE, ["policy_id", "at"])
    history.protect([TABLE])


def downgrade() -> None:
    op.drop_table(TABLE)
    with batch("jobs") as table:
        table.drop_column("priority")
    with batch("retraining_policies") as table:
        for name in (*LISTS, "budget_hours", "priority"):
            table.drop_column(name)


def batch(name: str) -> Any:
    return op.batch_alter_table(name, naming_convention=NAMING_CONVENTION)
