"""The life of alerts: causes, severities and events, silences, channels, deliveries."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history

revision = "202611222351"
down_revision = "202611221710"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
NAME = sa.String(200)
SENTENCE = sa.String(2000)
CAUSE = sa.String(100)
WORD = sa.String(20)

# In the order in which they refer to each other.
TABLES = ("alert_events", "channels", "silences", "deliveries")
ONE_UNRESOLVED = "uq_alerts_one_unresolved"
UNRESOLVED = sa.text("state <> 'resolved'")
# Rows that are there get what the rules say of their kind.
SEVERITIES = (
    "UPDATE alerts SET cause = source, severity = CASE kind "
    "WHEN 'harm' THEN 'page' WHEN 'drift' THEN 'note' ELSE 'warning' END"
)


def upgrade() -> None:
    extend_alerts()
    create_events()
    create_channels()
    create_silences()
    create_deliveries()
    history.protect(("alert_events",))


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index(ONE_UNRESOLVED, "alerts")
    for name in ("cause", "severity", "reopened_at", "quiet_checks", "moves"):
        op.drop_column("alerts", name)
    unresolved("deployment_id", "source")


def column(
    name: str, kind: Any, *items: Any, optional: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=optional, **options)


def refers(name: str, table: str, *, optional: bool = False, **options: Any) -> sa.Column[Any]:
    return column(name, sa.Uuid(), sa.ForeignKey(f"{table}.id"), optional=optional, **options)


def unresolved(*columns: str) -> None:
    op.create_index(
        ONE_UNRESOLVED,
        "alerts",
        list(columns),
        unique=True,
        sqlite_where=UNRESOLVED,
        postgresql_where=UNRESOLVED,
    )


def extend_alerts() -> None:
    op.add_column("alerts", column("cause", CAUSE, server_default="monitor"))
    op.add_column("alerts", column("severity", WORD, server_default="warning"))
    op.add_column("alerts", column("reopened_at", MOMENT, optional=True))
    op.add_column("alerts", column("quiet_checks", sa.Integer(), server_default="0"))
    op.add_column("alerts", column("moves", sa.Integer(), server_default="0"))
    op.execute(SEVERITIES)
    op.drop_index(ONE_UNRESOLVED, "alerts")
    unresolved("deployment_id", "source", "cause")


def create_events() -> None:
    op.create_table(
        "alert_events",
        column("id", sa.Uuid(), primary_key=True),
        refers("alert_id", "alerts"),
        column("number", sa.Integer()),
        column("move", WORD),
        column("old_state", WORD, optional=True),
        column("new_state", WORD),
        column("severity", WORD),
        column("kind", WORD),
        column("why", SENTENCE),
        refers("check_id", "check_results", optional=True),
        refers("breach_id", "breaches", optional=True),
        refers("actor_id", "principals"),
        column("at", MOMENT),
        sa.UniqueConstraint("alert_id", "number"),
        sa.CheckConstraint("severity IN ('note', 'warning', 'page')", name="severity"),
    )


def create_channels() -> None:
    op.create_table(
        "channels",
        column("id", sa.Uuid(), primary_key=True),
        column("name", NAME, unique=True),
        column("kind", WORD),
        column("target", sa.LargeBinary()),
        column("hint", NAME),
        column("clearance_level", sa.String(40)),
        column("clearance_compartments", JSON),
        column("severities", JSON),
        column("namespaces", JSON),
        column("deployments", JSON),
        column("is_default", sa.Boolean()),
        refers("escalate_to_id", "channels", optional=True),
        column("escalate_after_minutes", sa.Integer(), optional=True),
        column("enabled", sa.Boolean()),
        refers("created_by", "principals"),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
        sa.CheckConstraint("kind IN ('apprise', 'webhook')", name="kind"),
        sa.CheckConstraint(
            "(escalate_to_id IS NULL) = (escalate_after_minutes IS NULL)", name="escalation"
        ),
        sa.Index(
            "uq_channels_one_default",
            "is_default",
            unique=True,
            sqlite_where=sa.text("is_default"),
            postgresql_where=sa.text("is_default"),
        ),
    )


def create_silences() -> None:
    op.create_table(
        "silences",
        column("id", sa.Uuid(), primary_key=True),
        column("namespace", NAME),
        refers("deployment_id", "deployments", optional=True, index=True),
        column("cause", CAUSE, optional=True),
        column("covers_policy", sa.Boolean()),
        column("reason", SENTENCE),
        column("starts_at", MOMENT),
        column("ends_at", MOMENT, index=True),
        column("weekly", JSON, optional=True),
        refers("created_by", "principals"),
        column("created_at", MOMENT),
        column("ended_at", MOMENT, optional=True),
        refers("ended_by", "principals", optional=True),
        column("revision", sa.Integer()),
        sa.CheckConstraint("starts_at < ends_at", name="order"),
    )


def create_deliveries() -> None:
    op.create_table(
        "deliveries",
        column("id", sa.Uuid(), primary_key=True),
        refers("event_id", "alert_events", optional=True),
        refers("alert_id", "alerts", optional=True),
        refers("deployment_id", "deployments", optional=True, index=True),
        refers("channel_id", "channels", index=True),
        column("severity", WORD),
        column("facts", JSON),
        column("is_escalation", sa.Boolean()),
        column("state", WORD),
        column("attempts", sa.Integer()),
        column("due_at", MOMENT),
        column("next_at", MOMENT),
        refers("silence_id", "silences", optional=True, index=True),
        column("last_error", NAME, optional=True),
        refers("caused_by", "principals"),
        column("created_at", MOMENT),
        column("finished_at", MOMENT, optional=True),
        sa.UniqueConstraint("event_id", "channel_id"),
        sa.CheckConstraint(
            "state IN ('pending', 'held', 'failed', 'delivered', 'gave-up', 'withdrawn')",
            name="state",
        ),
        sa.Index(None, "state", "next_at"),
        sa.Index(None, "alert_id", "channel_id"),
    )
