"""How many labels a month a retraining policy may ask for and learn from."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bailiwick.db.base import NAMING_CONVENTION

revision = "202611231850"
down_revision = "202611231605"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with batch("retraining_policies") as table:
        table.add_column(sa.Column("budget_labels", sa.Integer(), nullable=True))


def downgrade() -> None:
    with batch("retraining_policies") as table:
        table.drop_column("budget_labels")


def batch(name: str) -> Any:
    return op.batch_alter_table(name, naming_convention=NAMING_CONVENTION)
