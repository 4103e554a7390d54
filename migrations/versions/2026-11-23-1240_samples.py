"""A sample of each hour's records; labels whose archived records were looked for are not again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db.base import NAMING_CONVENTION

revision = "202611231240"
down_revision = "202611231215"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
SAMPLED = ("window_parts", "windows")


def upgrade() -> None:
    for table in SAMPLED:
        op.add_column(table, sa.Column("sample", JSON, nullable=False, server_default="[]"))
    searched = sa.Column("searched", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("label_changes", searched)


def downgrade() -> None:
    for table, column in (("label_changes", "searched"), *((one, "sample") for one in SAMPLED)):
        with op.batch_alter_table(table, naming_convention=NAMING_CONVENTION) as changed:
            changed.drop_column(column)
