"""Batches of datasets that nothing may learn from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history

revision = "202611231605"
down_revision = "202611231512"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "batch_quarantines",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("dataset_id", sa.Uuid(), sa.ForeignKey("datasets.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("batches", JSON, nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("made_by", sa.Uuid(), sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("dataset_id", "number"),
    )
    history.protect(("batch_quarantines",))


def downgrade() -> None:
    op.drop_table("batch_quarantines")
