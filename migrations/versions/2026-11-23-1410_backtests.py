"""Backtests on the server, their results, and what strategies decided of live policies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history

revision = "202611231410"
down_revision = "202611231350"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
TABLES = ("backtests", "backtest_results", "challenger_trials")


def upgrade() -> None:
    op.create_table(
        "backtests",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), nullable=True),
        sa.Column(
            "dataset_version_id", sa.Uuid(), sa.ForeignKey("dataset_versions.id"), nullable=True
        ),
        sa.Column("policy_id", sa.Uuid(), sa.ForeignKey("retraining_policies.id"), nullable=True),
        sa.Column("policy_digest", sa.String(64), nullable=True),
        sa.Column("settings", JSON, nullable=False),
        sa.Column("created_by", sa.Uuid(), sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("job_id"),
    )
    op.create_index("ix_backtests_deployment_id", "backtests", ["deployment_id"])
    op.create_index("ix_backtests_policy_id", "backtests", ["policy_id"])
    op.create_table(
        "backtest_results",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("backtest_id", sa.Uuid(), sa.ForeignKey("backtests.id"), nullable=False),
        sa.Column("content_digest", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("summary", JSON, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("backtest_id"),
    )
    op.create_index("ix_backtest_results_content_digest", "backtest_results", ["content_digest"])
    op.create_table(
        "challenger_trials",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("policy_id", sa.Uuid(), sa.ForeignKey("retraining_policies.id"), nullable=False),
        sa.Column("champion_id", sa.Uuid(), sa.ForeignKey("model_versions.id"), nullable=False),
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("unit", sa.String(10), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("tried_rows", sa.Integer(), nullable=False),
        sa.Column("age", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Double(), nullable=False)
            for name in ("accuracy", "gain", "standard_error")
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("policy_id", "unit", "start", "champion_id"),
    )
    history.protect(TABLES)
    op.add_column(
        "approval_requests", sa.Column("evidence", JSON, nullable=False, server_default="[]")
    )
    op.add_column(
        "retraining_considerations",
        sa.Column("decisions", JSON, nullable=False, server_default="[]"),
    )


def downgrade() -> None:
    op.drop_column("retraining_considerations", "decisions")
    op.drop_column("approval_requests", "evidence")
    for table in reversed(TABLES):
        op.drop_table(table)
