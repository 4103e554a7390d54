"""Watching: hours as summaries, baselines, judged windows, incidents; settings of the detector."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611230310"
down_revision = "202611230040"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
DIGEST = sa.String(64)
WORD, REASON = sa.String(20), sa.String(2000)
TABLES = (
    "window_layouts",
    "window_parts",
    "windows",
    "traffic_baselines",
    "window_checks",
    "drift_incidents",
    "watches",
)
IMMUTABLE = ("window_layouts", "traffic_baselines", "window_checks")
SETTINGS = (
    "alarms_by",
    "false_alarms_per_year",
    "smallest_change_sd",
    "smallest_change_share",
    "window_hours",
    "zone",
)
BY_CHECK = "(source = 'monitor' AND monitor_id IS NOT NULL AND check_id IS NOT NULL)"
BY_CHECK_OR_INCIDENT = (
    "(source = 'monitor' AND monitor_id IS NOT NULL "
    "AND (check_id IS NULL) <> (incident_id IS NULL))"
)
BY_POLICY = "OR (source = 'policy' AND breach_id IS NOT NULL)"


def upgrade() -> None:
    create_hours()
    create_verdicts()
    extend_monitors()
    extend_alerts()
    history.protect(IMMUTABLE)


def downgrade() -> None:
    """Alerts that tell of incidents cannot be said by the older tables: they go."""
    told = "SELECT id FROM alerts WHERE incident_id IS NOT NULL"
    history.release(("alert_events",))
    op.execute(
        "DELETE FROM deliveries WHERE event_id IN "  # noqa: S608 - our own names
        f"(SELECT id FROM alert_events WHERE alert_id IN ({told}))"
    )
    op.execute(f"DELETE FROM alert_events WHERE alert_id IN ({told})")  # noqa: S608 - our own
    history.protect(("alert_events",))
    op.execute("DELETE FROM alerts WHERE incident_id IS NOT NULL")
    op.drop_index("ix_alerts_incident_id", "alerts")
    with batch("alerts") as table:
        table.drop_constraint("source", type_="check")
        table.drop_column("incident_id")
        table.create_check_constraint("source", f"{BY_CHECK} {BY_POLICY}")
    with batch("monitors") as table:
        table.drop_constraint("alarms_by", type_="check")
        for name in SETTINGS:
            table.drop_column(name)
    for table in reversed(TABLES):
        op.drop_table(table)


def batch(name: str) -> Any:
    return op.batch_alter_table(name, naming_convention=NAMING_CONVENTION)


def column(
    name: str, kind: Any, *items: Any, optional: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=optional, **options)


def refers(name: str, table: str, *, optional: bool = False, **options: Any) -> sa.Column[Any]:
    return column(name, sa.Uuid(), sa.ForeignKey(f"{table}.id"), optional=optional, **options)


def key() -> sa.Column[Any]:
    return column("id", sa.Uuid(), primary_key=True)


def create_hours() -> None:
    op.create_table(
        "window_layouts",
        key(),
        refers("deployment_id", "deployments", index=True),
        refers("version_id", "model_versions"),
        column("digest", DIGEST),
        column("content", sa.Text()),
        column("declared", JSON),
        column("sample_rows", sa.Integer()),
        column("made_at", MOMENT),
    )
    op.create_table(
        "window_parts",
        key(),
        refers("layout_id", "window_layouts"),
        column("start", MOMENT),
        column("rows", sa.Integer()),
        column("summary", sa.LargeBinary()),
    )
    op.create_index("ix_window_parts_layout_id_start", "window_parts", ["layout_id", "start"])
    op.create_table(
        "windows",
        key(),
        refers("layout_id", "window_layouts"),
        column("start", MOMENT),
        column("rows", sa.Integer()),
        column("late_rows", sa.Integer()),
        column("changed_at", MOMENT),
        column("summary", sa.LargeBinary()),
        sa.UniqueConstraint("layout_id", "start"),
    )


def create_verdicts() -> None:
    op.create_table(
        "traffic_baselines",
        key(),
        refers("deployment_id", "deployments"),
        refers("version_id", "model_versions"),
        refers("layout_id", "window_layouts"),
        column("digest", DIGEST),
        column("grade", WORD),
        column("origin", WORD),
        column("reason", REASON),
        column("window_hours", sa.Integer()),
        column("first", MOMENT),
        column("end", MOMENT),
        column("windows", sa.Integer()),
        column("rows", sa.Integer()),
        column("watched", JSON),
        column("unwatched", JSON),
        column("content", sa.LargeBinary()),
        refers("created_by", "principals"),
        column("created_at", MOMENT),
        sa.CheckConstraint("grade IN ('provisional', 'full')", name="grade"),
        sa.CheckConstraint("origin IN ('traffic', 'asked', 'accepted')", name="origin"),
    )
    op.create_index(
        "ix_traffic_baselines_deployment_id_created_at",
        "traffic_baselines",
        ["deployment_id", "created_at"],
    )
    op.create_table(
        "window_checks",
        key(),
        refers("baseline_id", "traffic_baselines"),
        column("start", MOMENT),
        column("hours", sa.Integer()),
        column("rows", sa.Integer()),
        column("alarm", sa.Boolean()),
        column("evidence", sa.Double()),
        column("threshold", sa.Double()),
        column("features", JSON),
        column("at", MOMENT),
        sa.UniqueConstraint("baseline_id", "start"),
    )
    op.create_table(
        "drift_incidents",
        key(),
        refers("deployment_id", "deployments"),
        refers("baseline_id", "traffic_baselines"),
        column("cause", sa.String(40)),
        column("sentence", REASON),
        column("worth_waking", sa.Boolean()),
        column("hurts", sa.Boolean(), optional=True),
        column("effect", sa.String(1000), optional=True),
        column("since", MOMENT),
        column("since_earliest", MOMENT),
        column("since_latest", MOMENT),
        column("moves", JSON),
        column("course", JSON),
        column("opened_at", MOMENT),
        column("confirmed_at", MOMENT),
        column("ended_at", MOMENT, optional=True),
        column("ended_as", WORD, optional=True),
        refers("ended_by", "principals", optional=True),
        column("reason", REASON, optional=True),
        column("revision", sa.Integer()),
        sa.CheckConstraint(
            "ended_as IN ('recovered', 'fixed', 'accepted', 'replaced')", name="end"
        ),
    )
    op.create_index(
        "ix_drift_incidents_deployment_id_opened_at",
        "drift_incidents",
        ["deployment_id", "opened_at"],
    )
    op.create_table(
        "watches",
        column("monitor_id", sa.Uuid(), sa.ForeignKey("monitors.id"), primary_key=True),
        refers("layout_id", "window_layouts", optional=True),
        refers("baseline_id", "traffic_baselines", optional=True),
        refers("incident_id", "drift_incidents", optional=True),
        column("from_start", MOMENT, optional=True),
        column("origin", WORD),
        column("reason", REASON),
        column("next_start", MOMENT, optional=True),
        column("held_start", MOMENT, optional=True),
        column("state", sa.LargeBinary(), optional=True),
        column("waits_for", sa.String(500), optional=True),
    )


def extend_monitors() -> None:
    """Monitors that stand keep alarming by their checks; each gets a watch all the same."""
    with batch("monitors") as table:
        table.add_column(column("alarms_by", WORD, server_default="windows"))
        table.add_column(column("false_alarms_per_year", sa.Double(), server_default="1.0"))
        table.add_column(column("smallest_change_sd", sa.Double(), server_default="0.1"))
        table.add_column(column("smallest_change_share", sa.Double(), server_default="0.05"))
        table.add_column(column("window_hours", sa.Integer(), optional=True))
        table.add_column(column("zone", sa.String(60), server_default="UTC"))
        table.create_check_constraint("alarms_by", "alarms_by IN ('windows', 'checks')")
    op.execute("UPDATE monitors SET alarms_by = 'checks'")
    op.execute(
        "INSERT INTO watches (monitor_id, origin, reason) SELECT id, 'traffic', '' FROM monitors"
    )


def extend_alerts() -> None:
    with batch("alerts") as table:
        table.add_column(refers("incident_id", "drift_incidents", optional=True))
        table.drop_constraint("source", type_="check")
        table.create_check_constraint("source", f"{BY_CHECK_OR_INCIDENT} {BY_POLICY}")
    op.create_index("ix_alerts_incident_id", "alerts", ["incident_id"])
