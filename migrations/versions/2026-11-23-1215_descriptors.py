"""More of what is measured of a request: text, embedding, entropy, and a generator's answer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611231215"
down_revision = "202611230830"
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
SEALED = ("text", "sealed", "data_key_id")
OF_TEXT = ("text_key", "form_key", "embedding")
GONE = " AND ".join(f"NEW.{name} IS NULL" for name in OF_TEXT)


def upgrade() -> None:
    """What could be told from a text may be taken away from a record, and nothing else."""
    history.release((TABLE,), removable=True)
    for name, kind in ADDED.items():
        op.add_column(TABLE, sa.Column(name, kind, nullable=True))
    history.protect((TABLE,), pointers=(*SEALED, *OF_TEXT), removable=True)
    history.guard(TABLE, "telling", f"UPDATE OF {', '.join(OF_TEXT)}", unless=GONE)
    op.add_column("intake_rules", sa.Column("refusals", JSON, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("intake_rules", naming_convention=NAMING_CONVENTION) as table:
        table.drop_column("refusals")
    history.unguard(TABLE, "telling")
    history.release((TABLE,), removable=True)
    for name in ADDED:
        op.drop_column(TABLE, name)
    history.protect((TABLE,), pointers=SEALED, removable=True)
