"""Baselines carried over a promotion or made on a schedule; the number of requests watched."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611230650"
down_revision = "202611230310"
branch_labels = None
depends_on = None

BEFORE = "origin IN ('traffic', 'asked', 'accepted')"
NOW = "origin IN ('traffic', 'asked', 'accepted', 'scheduled', 'carried')"
PROTECTED = ("traffic_baselines",)


def upgrade() -> None:
    with batch("monitors") as table:
        table.add_column(sa.Column("baseline_days", sa.Integer(), nullable=True))
        table.add_column(sa.Column("smallest_change_requests", sa.Double(), nullable=True))
    history.release(PROTECTED)
    with batch("traffic_baselines") as table:
        table.add_column(
            sa.Column(
                "carried_from", sa.Uuid(), sa.ForeignKey("traffic_baselines.id"), nullable=True
            )
        )
        table.drop_constraint("origin", type_="check")
        table.create_check_constraint("origin", NOW)
    history.protect(PROTECTED)


def downgrade() -> None:
    """What the older tables cannot say is told as one of traffic."""
    history.release(PROTECTED)
    op.execute(
        "UPDATE traffic_baselines SET origin = 'traffic' WHERE origin IN ('scheduled', 'carried')"
    )
    with batch("traffic_baselines") as table:
        table.drop_constraint("origin", type_="check")
        table.drop_column("carried_from")
        table.create_check_constraint("origin", BEFORE)
    history.protect(PROTECTED)
    with batch("monitors") as table:
        table.drop_column("smallest_change_requests")
        table.drop_column("baseline_days")


def batch(name: str) -> Any:
    return op.batch_alter_table(name, naming_convention=NAMING_CONVENTION)
