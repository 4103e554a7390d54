"""How many labels people may be asked for in a month."""

import sqlalchemy as sa
from alembic import op

revision = "202611231900"
down_revision = "202611231605"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("retraining_policies", sa.Column("budget_labels", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("retraining_policies") as table:
        table.drop_column("budget_labels")
