"""Rollouts: plans, what is under way, each move of it, and the requests that guards look at."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611231430"
down_revision = "202611231410"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
WORD, NAME, REASON = sa.String(20), sa.String(200), sa.String(2000)
UNDER_WAY = sa.text("state IN ('shadow', 'canary')")
UNJUDGED = sa.text("judged_at IS NULL")
OF_OTHERS = (
    "(source = 'monitor' AND monitor_id IS NOT NULL "
    "AND (CASE WHEN check_id IS NULL THEN 0 ELSE 1 END) "
    "+ (CASE WHEN incident_id IS NULL THEN 0 ELSE 1 END) "
    "+ (CASE WHEN label_incident_id IS NULL THEN 0 ELSE 1 END) = 1) "
    "OR (source = 'policy' AND breach_id IS NOT NULL)"
)
OF_ROLLOUTS = f"{OF_OTHERS} OR source = 'rollout'"


def upgrade() -> None:
    op.create_table(
        "rollout_plans",
        refers("deployment_id", "deployments", primary_key=True),
        column("settings", JSON),
        column("digest", sa.String(64)),
        refers("set_by", "principals"),
        column("set_at", MOMENT),
        column("revision", sa.Integer()),
    )
    create_rollouts()
    create_events()
    create_records()
    with batch("alerts") as table:
        table.drop_constraint("source", type_="check")
        table.add_column(sa.Column("rollout_id", sa.Uuid(), nullable=True))
        table.create_foreign_key(
            "fk_alerts_rollout_id_rollouts", "rollouts", ["rollout_id"], ["id"]
        )
        table.create_check_constraint("source", OF_ROLLOUTS)
    op.create_index("ix_alerts_rollout_id", "alerts", ["rollout_id"])
    history.protect(["rollout_events"])


def downgrade() -> None:
    """Alerts that tell of rollouts cannot be said by the older tables: they go."""
    told = "SELECT id FROM alerts WHERE source = 'rollout'"
    history.release(("alert_events",))
    op.execute(
        "DELETE FROM deliveries WHERE (event_id IS NULL AND deployment_id IS NOT NULL) "  # noqa: S608 - our own names
        f"OR event_id IN (SELECT id FROM alert_events WHERE alert_id IN ({told}))"
    )
    op.execute(f"DELETE FROM alert_events WHERE alert_id IN ({told})")  # noqa: S608 - our own
    history.protect(("alert_events",))
    op.execute("DELETE FROM alerts WHERE source = 'rollout'")
    op.drop_index("ix_alerts_rollout_id", "alerts")
    with batch("alerts") as table:
        table.drop_constraint("source", type_="check")
        table.drop_constraint("fk_alerts_rollout_id_rollouts", type_="foreignkey")
        table.drop_column("rollout_id")
        table.create_check_constraint("source", OF_OTHERS)
    for name in ("rollout_records", "rollout_events", "rollouts", "rollout_plans"):
        op.drop_table(name)


def batch(name: str) -> Any:
    return op.batch_alter_table(name, naming_convention=NAMING_CONVENTION)


def column(
    name: str, kind: Any, *items: Any, optional: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=optional, **options)


def refers(name: str, table: str, *, optional: bool = False, **options: Any) -> sa.Column[Any]:
    return column(name, sa.Uuid(), sa.ForeignKey(f"{table}.id"), optional=optional, **options)


def create_rollouts() -> None:
    op.create_table(
        "rollouts",
        column("id", sa.Uuid(), primary_key=True),
        refers("deployment_id", "deployments"),
        refers("model_id", "registered_models"),
        refers("from_version_id", "model_versions"),
        refers("to_version_id", "model_versions"),
        column("plan", JSON),
        column("reference", JSON),
        column("reason", REASON),
        column("mandate", sa.Boolean()),
        column("state", WORD),
        column("step", sa.Integer()),
        column("share", sa.Double()),
        column("evidence", JSON),
        column("moves", sa.Integer()),
        refers("started_by", "principals"),
        column("started_at", MOMENT),
        column("step_started_at", MOMENT),
        column("passed_at", MOMENT, optional=True),
        column("stalled_at", MOMENT, optional=True),
        column("ended_at", MOMENT, optional=True),
        column("ended_why", REASON, optional=True),
        column("warm_until", MOMENT, optional=True),
        column("revision", sa.Integer()),
        sa.CheckConstraint(
            "state IN ('shadow', 'canary', 'full', 'stopped', 'rolled-back')",
            name="state",
        ),
        sa.CheckConstraint("share >= 0 AND share <= 1", name="share"),
    )
    op.create_index(
        "uq_rollouts_one_under_way",
        "rollouts",
        ["deployment_id"],
        unique=True,
        sqlite_where=UNDER_WAY,
        postgresql_where=UNDER_WAY,
    )
    op.create_index("ix_rollouts_deployment_id_id", "rollouts", ["deployment_id", "id"])
    op.create_index("ix_rollouts_model_id_state", "rollouts", ["model_id", "state"])


def create_events() -> None:
    op.create_table(
        "rollout_events",
        column("id", sa.Uuid(), primary_key=True),
        refers("rollout_id", "rollouts"),
        column("number", sa.Integer()),
        column("move", WORD),
        column("old_state", WORD, optional=True),
        column("new_state", WORD),
        column("step", sa.Integer()),
        column("share", sa.Double()),
        column("why", REASON),
        column("evidence", JSON),
        refers("actor_id", "principals"),
        column("at", MOMENT),
        sa.UniqueConstraint("rollout_id", "number"),
    )


def create_records() -> None:
    op.create_table(
        "rollout_records",
        column("id", sa.Uuid(), primary_key=True),
        refers("rollout_id", "rollouts"),
        column("record_id", NAME),
        column("role", WORD),
        column("at", MOMENT),
        column("failed", sa.Boolean()),
        column("prediction", NAME, optional=True),
        column("confidence", sa.Double(), optional=True),
        column("latency_ms", sa.Double(), optional=True),
        column("champion_prediction", NAME, optional=True),
        column("champion_confidence", sa.Double(), optional=True),
        column("champion_latency_ms", sa.Double(), optional=True),
        column("judged_at", MOMENT, optional=True),
        column("label_judged_at", MOMENT, optional=True),
        sa.UniqueConstraint("rollout_id", "record_id", "role"),
        sa.CheckConstraint("role IN ('champion', 'canary', 'shadow')", name="role"),
    )
    op.create_index(
        "ix_rollout_records_unjudged",
        "rollout_records",
        ["rollout_id", "role", "id"],
        sqlite_where=UNJUDGED,
        postgresql_where=UNJUDGED,
    )
