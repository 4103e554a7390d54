"""Jobs: how long workers were busy with them, so that namespaces can take turns."""

import sqlalchemy as sa
from alembic import op

revision = "202611231512"
down_revision = "202611231430"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
INDEXED = ("lease_expires_at", "worked_at")


def upgrade() -> None:
    op.add_column(
        "jobs", sa.Column("worked_seconds", sa.Double(), nullable=False, server_default="0")
    )
    op.add_column("jobs", sa.Column("worked_at", MOMENT, nullable=True))
    op.add_column("jobs", sa.Column("attempt_started_at", MOMENT, nullable=True))
    for column in INDEXED:
        op.create_index(f"ix_jobs_{column}", "jobs", [column])


def downgrade() -> None:
    for column in INDEXED:
        op.drop_index(f"ix_jobs_{column}", "jobs")
    for column in ("attempt_started_at", "worked_at", "worked_seconds"):
        op.drop_column("jobs", column)
