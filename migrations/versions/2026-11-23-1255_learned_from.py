"""What is learned from: names of labels that became others, and draws from older rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611231255"
down_revision = "202611231240"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    sampling = sa.Column("sampling", JSON, nullable=False, server_default="{}")
    op.add_column("retraining_policies", sampling)
    op.create_table(
        "taxonomies",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("dataset_id", sa.Uuid(), sa.ForeignKey("datasets.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("renames", JSON, nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("made_by", sa.Uuid(), sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("dataset_id", "number"),
    )
    history.protect(("taxonomies",))


def downgrade() -> None:
    op.drop_table("taxonomies")
    with op.batch_alter_table("retraining_policies", naming_convention=NAMING_CONVENTION) as table:
        table.drop_column("sampling")
