"""Labels are watched: their counts, references, steps and incidents; settings of monitors."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history
from bailiwick.db.base import NAMING_CONVENTION

revision = "202611230735"
down_revision = "202611230712"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
DIGEST = sa.String(64)
WORD, REASON = sa.String(20), sa.String(2000)
TABLES = (
    "label_ledgers",
    "label_changes",
    "label_hours",
    "label_arrivals",
    "label_references",
    "label_checks",
    "label_incidents",
    "label_watches",
)
IMMUTABLE = ("label_references", "label_checks")
OF_INCIDENT = (
    "(source = 'monitor' AND monitor_id IS NOT NULL "
    "AND (check_id IS NULL) <> (incident_id IS NULL))"
)
OF_ONE = (
    "(source = 'monitor' AND monitor_id IS NOT NULL "
    "AND (CASE WHEN check_id IS NULL THEN 0 ELSE 1 END) "
    "+ (CASE WHEN incident_id IS NULL THEN 0 ELSE 1 END) "
    "+ (CASE WHEN label_incident_id IS NULL THEN 0 ELSE 1 END) = 1)"
)
BY_POLICY = "OR (source = 'policy' AND breach_id IS NOT NULL)"


def upgrade() -> None:
    create_counts()
    create_verdicts()
    create_watches()
    extend_monitors()
    extend_alerts()
    history.protect(IMMUTABLE)


def downgrade() -> None:
    """Alerts that tell of labels cannot be said by the older tables: they go."""
    told = "SELECT id FROM alerts WHERE label_incident_id IS NOT NULL"
    history.release(("alert_events",))
    op.execute(
        "DELETE FROM deliveries WHERE event_id IN "  # noqa: S608 - our own names
        f"(SELECT id FROM alert_events WHERE alert_id IN ({told}))"
    )
    op.execute(f"DELETE FROM alert_events WHERE alert_id IN ({told})")  # noqa: S608 - our own
    history.protect(("alert_events",))
    op.execute("DELETE FROM alerts WHERE label_incident_id IS NOT NULL")
    op.drop_index("ix_alerts_label_incident_id", "alerts")
    with batch("alerts") as table:
        table.drop_constraint("source", type_="check")
        table.drop_column("label_incident_id")
        table.create_check_constraint("source", f"{OF_INCIDENT} {BY_POLICY}")
    with batch("monitors") as table:
        table.drop_column("label_alarms_ratio")
        table.drop_column("costs")
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


def create_counts() -> None:
    owner = sa.ForeignKey("deployments.id")
    op.create_table(
        "label_ledgers",
        column("deployment_id", sa.Uuid(), owner, primary_key=True),
        column("begun_at", MOMENT, optional=True),
        column("labels", JSON),
        column("segments", JSON),
    )
    op.create_table(
        "label_changes",
        key(),
        refers("deployment_id", "deployments"),
        column("noted_at", MOMENT),
        column("due_at", MOMENT),
        column("entries", sa.LargeBinary()),
    )
    op.create_index(
        "ix_label_changes_deployment_id_due_at", "label_changes", ["deployment_id", "due_at"]
    )
    op.create_table(
        "label_hours",
        key(),
        refers("deployment_id", "deployments"),
        refers("version_id", "model_versions"),
        column("start", MOMENT),
        column("rows", sa.Integer()),
        column("correct", sa.Integer()),
        column("content", sa.LargeBinary()),
        sa.UniqueConstraint("deployment_id", "version_id", "start"),
    )
    op.create_table(
        "label_arrivals",
        key(),
        refers("deployment_id", "deployments"),
        refers("version_id", "model_versions"),
        column("arrived", MOMENT),
        column("rows", sa.Integer()),
        column("wrong", sa.Integer()),
        column("content", sa.LargeBinary()),
        sa.UniqueConstraint("deployment_id", "version_id", "arrived"),
    )


def create_verdicts() -> None:
    op.create_table(
        "label_references",
        key(),
        refers("deployment_id", "deployments"),
        refers("version_id", "model_versions"),
        column("digest", DIGEST),
        column("origin", WORD),
        column("reason", REASON),
        column("window_hours", sa.Integer()),
        column("first", MOMENT, optional=True),
        column("end", MOMENT, optional=True),
        column("rows", sa.Integer()),
        column("accuracy", sa.Double()),
        column("error", sa.Double()),
        column("content", JSON),
        refers("created_by", "principals"),
        column("created_at", MOMENT),
        sa.CheckConstraint("origin IN ('evaluation', 'asked', 'accepted')", name="origin"),
    )
    op.create_index(
        "ix_label_references_deployment_id_created_at",
        "label_references",
        ["deployment_id", "created_at"],
    )
    op.create_table(
        "label_checks",
        key(),
        refers("reference_id", "label_references"),
        column("start", MOMENT),
        column("hours", sa.Integer()),
        column("rows", sa.Integer()),
        column("wrong", sa.Integer()),
        column("alarm", sa.Boolean()),
        column("evidence", sa.Double()),
        column("threshold", sa.Double()),
        column("at", MOMENT),
        sa.UniqueConstraint("reference_id", "start"),
    )
    op.create_table(
        "label_incidents",
        key(),
        refers("deployment_id", "deployments"),
        refers("reference_id", "label_references"),
        column("sentence", REASON),
        column("worth_waking", sa.Boolean()),
        column("since", MOMENT),
        column("since_earliest", MOMENT),
        column("since_latest", MOMENT),
        column("found", JSON),
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
        "ix_label_incidents_deployment_id_opened_at",
        "label_incidents",
        ["deployment_id", "opened_at"],
    )


def create_watches() -> None:
    """Monitors that stand get a watch; labels that came before are counted by its first turn."""
    op.create_table(
        "label_watches",
        column("monitor_id", sa.Uuid(), sa.ForeignKey("monitors.id"), primary_key=True),
        refers("version_id", "model_versions", optional=True),
        refers("reference_id", "label_references", optional=True),
        refers("incident_id", "label_incidents", optional=True),
        column("next_start", MOMENT, optional=True),
        column("state", sa.LargeBinary(), optional=True),
        column("waits_for", sa.String(500), optional=True),
    )
    op.execute("INSERT INTO label_watches (monitor_id) SELECT id FROM monitors")
    op.execute(
        "INSERT INTO label_ledgers (deployment_id, labels, segments) "
        "SELECT deployment_id, '[]', '{}' FROM monitors"
    )


def extend_monitors() -> None:
    with batch("monitors") as table:
        table.add_column(column("label_alarms_ratio", sa.Double(), server_default="0.25"))
        table.add_column(column("costs", JSON, optional=True))


def extend_alerts() -> None:
    with batch("alerts") as table:
        table.add_column(refers("label_incident_id", "label_incidents", optional=True))
        table.drop_constraint("source", type_="check")
        table.create_check_constraint("source", f"{OF_ONE} {BY_POLICY}")
    op.create_index("ix_alerts_label_incident_id", "alerts", ["label_incident_id"])
