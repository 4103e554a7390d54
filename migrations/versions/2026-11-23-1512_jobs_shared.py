"""Jobs: how long workers were busy with them, what they may take at most, and their logs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "202611231512"
down_revision = "202611231430"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
INDEXED = ("lease_expires_at", "worked_at")


def upgrade() -> None:
    op.add_column(
        "jobs", sa.Column("worked_seconds", sa.Double(), nullable=False, server_default="0")
    )
    op.add_column("jobs", sa.Column("worked_at", MOMENT, nullable=True))
    op.add_column("jobs", sa.Column("attempt_started_at", MOMENT, nullable=True))
    op.add_column("jobs", sa.Column("limits", JSON, nullable=False, server_default="{}"))
    for column in INDEXED:
        op.create_index(f"ix_jobs_{column}", "jobs", [column])
    op.create_table(
        "job_log_lines",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("line", sa.String(500), nullable=False),
        sa.UniqueConstraint("job_id", "number"),
    )


def downgrade() -> None:
    op.drop_table("job_log_lines")
    for column in INDEXED:
        op.drop_index(f"ix_jobs_{column}", "jobs")
    for column in ("limits", "attempt_started_at", "worked_at", "worked_seconds"):
        op.drop_column("jobs", column)
