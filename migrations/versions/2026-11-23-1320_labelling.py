"""The queue of requests that are worth a label."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bailiwick.db import history

revision = "202611231320"
down_revision = "202611231255"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "labelling_rounds",
        sa.Column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), index=True),
        column("start", MOMENT),
        column("end", MOMENT),
        column("candidates", sa.Integer()),
        column("rows", sa.Integer()),
        column("random_rows", sa.Integer()),
        column("made_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("made_at", MOMENT),
    )
    op.create_table(
        "labelling_items",
        sa.Column("id", sa.Uuid(), primary_key=True),
        column("round_id", sa.Uuid(), sa.ForeignKey("labelling_rounds.id"), index=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id")),
        column("record_id", sa.String(200)),
        column("reason", sa.String(20)),
        sa.Column("skipped_at", MOMENT, nullable=True),
        sa.Column("skipped_by", sa.Uuid(), sa.ForeignKey("principals.id"), nullable=True),
        sa.UniqueConstraint("deployment_id", "record_id"),
        sa.CheckConstraint("reason IN ('random', 'unsure')", name="reason"),
    )
    history.protect(("labelling_rounds",))


def downgrade() -> None:
    op.drop_table("labelling_items")
    op.drop_table("labelling_rounds")


def column(name: str, kind: Any, *items: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=False, **options)
