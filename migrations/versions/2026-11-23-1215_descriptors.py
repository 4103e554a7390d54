"""More of what is measured of a request: text, embedding, entropy, and a generator's answer."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611231215"
down_revision = "202611230310"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
TABLE = "inference_records"
ADDED = {
    "tokens_per_word": sa.Double(),
    "non_letter_ratio": sa.Double(),
    "language": sa.String(3),
    "entropy": sa.Double(),
    "refusal": sa.Boolean(),
    "repetition_ratio": sa.Double(),
    "embedding": sa.LargeBinary(16),
    "text_key": sa.String(16),
    "form_key": sa.String(16),
}


def upgrade() -> None:
    """Adding a column without a value leaves rows and triggers as they are."""
    for name, kind in ADDED.items():
        op.add_column(TABLE, sa.Column(name, kind, nullable=True))
    op.add_column("intake_rules", sa.Column("refusals", JSON, nullable=True))


def downgrade() -> None:
    with batch("intake_rules") as table:
        table.drop_column("refusals")
    history.release((TABLE,))
    with batch(TABLE) as table:
        for name in ADDED:
            table.drop_column(name)
    history.protect((TABLE,))


def batch(name: str) -> Any:
    return op.batch_alter_table(name, naming_convention=NAMING_CONVENTION)
