"""What a model's versions are judged by: a golden set, segments, a key."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "202611231350"
down_revision = "202611231320"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
TABLE = "evaluation_settings"


def upgrade() -> None:
    model, rows = sa.ForeignKey("registered_models.id"), sa.ForeignKey("dataset_versions.id")
    op.create_table(
        TABLE,
        sa.Column("model_id", sa.Uuid(), model, primary_key=True),
        sa.Column("golden_version_id", sa.Uuid(), rows, nullable=True),
        sa.Column("segments", JSON, nullable=False),
        sa.Column("key_column", sa.String(200), nullable=True),
        sa.Column("set_by", sa.Uuid(), sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table(TABLE)
