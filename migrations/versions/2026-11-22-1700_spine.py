"""The spine: the data, the models, and the log of every change."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history

revision = "202611221700"
down_revision = "202611221655"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
NAME = sa.String(200)
SENTENCE = sa.String(2000)
DIGEST = sa.String(64)
LABEL = sa.String(16)

# In the order in which they refer to each other.
TABLES = (
    "audit_events",
    "audit_waiting",
    "audit_leaves",
    "audit_checkpoints",
    "datasets",
    "column_marks",
    "dataset_versions",
    "runs",
    "lineage_edges",
    "registered_models",
    "model_versions",
    "aliases",
    "alias_moves",
    "environments",
    "deployments",
    "breaches",
)
HISTORY = (
    "audit_events",
    "audit_leaves",
    "audit_checkpoints",
    "lineage_edges",
    "alias_moves",
)
# Facts whose label may rise: everything but that pointer is protected.
LABELLED_HISTORY = ("dataset_versions", "runs", "model_versions")


def upgrade() -> None:
    create_audit()
    create_lineage()
    create_registry()
    history.protect(HISTORY)
    history.protect(LABELLED_HISTORY, pointers=("label_id",))


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def column(
    name: str, kind: Any, *items: Any, optional: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=optional, **options)


def create_audit() -> None:
    op.create_table(
        "audit_events",
        column("id", sa.Uuid(), primary_key=True),
        column("at", MOMENT),
        column("actor_id", sa.Uuid(), sa.ForeignKey("principals.id"), index=True),
        column("action", sa.String(80), index=True),
        column("subject_type", sa.String(40)),
        column("subject_id", sa.String(80)),
        column("body", sa.LargeBinary()),
        sa.Index(None, "subject_type", "subject_id"),
    )
    op.create_table(
        "audit_waiting",
        column("event_id", sa.Uuid(), sa.ForeignKey("audit_events.id"), primary_key=True),
    )
    op.create_table(
        "audit_leaves",
        column("index", sa.BigInteger(), primary_key=True, autoincrement=False),
        column("event_id", sa.Uuid(), sa.ForeignKey("audit_events.id"), unique=True),
        column("leaf_hash", sa.LargeBinary()),
    )
    op.create_table(
        "audit_checkpoints",
        column("size", sa.BigInteger(), primary_key=True, autoincrement=False),
        column("root", sa.LargeBinary()),
        column("note", SENTENCE),
        column("frontier", sa.LargeBinary()),
        column("at", MOMENT),
    )


def create_lineage() -> None:
    op.create_table(
        "datasets",
        column("id", sa.Uuid(), primary_key=True),
        column("namespace", NAME),
        column("name", NAME),
        column("description", SENTENCE),
        column("owner_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), index=True),
        column("retention_days", sa.Integer(), optional=True),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
        sa.UniqueConstraint("namespace", "name"),
    )
    op.create_table(
        "column_marks",
        column("id", sa.Uuid(), primary_key=True),
        column("dataset_id", sa.Uuid(), sa.ForeignKey("datasets.id")),
        column("column", NAME),
        column("mark", sa.String(20)),
        column("source", sa.String(20)),
        column("entity", sa.String(80)),
        column("recogniser", sa.String(120), optional=True),
        column("score", sa.Double(), optional=True),
        column("sampled", sa.Integer(), optional=True),
        column("matched", sa.Integer(), optional=True),
        column("state", sa.String(20)),
        column("proposed_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("proposed_at", MOMENT),
        column("decided_by", sa.Uuid(), sa.ForeignKey("principals.id"), optional=True),
        column("decided_at", MOMENT, optional=True),
        column("revision", sa.Integer()),
        sa.CheckConstraint("mark IN ('personal-data', 'free-text', 'identifier')", name="mark"),
        sa.CheckConstraint("source IN ('steward', 'scanner')", name="source"),
        sa.CheckConstraint("state IN ('proposed', 'accepted', 'rejected')", name="state"),
        sa.UniqueConstraint("dataset_id", "column", "mark", "entity"),
    )
    op.create_table(
        "dataset_versions",
        column("id", sa.Uuid(), primary_key=True),
        column("dataset_id", sa.Uuid(), sa.ForeignKey("datasets.id")),
        column("number", sa.Integer()),
        column("content_digest", DIGEST, index=True),
        column("source_digest", DIGEST, index=True, optional=True),
        column("rows_blob", DIGEST),
        column("rejected_blob", DIGEST, optional=True),
        column("source_blob", DIGEST, optional=True),
        column("columns", JSON),
        column("text_columns", JSON),
        column("label_column", NAME),
        column("date_column", NAME),
        column("rows", sa.Integer()),
        column("rejected_rows", sa.Integer()),
        column("rejected_reasons", JSON),
        column("first_time", MOMENT),
        column("last_time", MOMENT),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), index=True),
        column("created_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("created_at", MOMENT),
        sa.UniqueConstraint("dataset_id", "content_digest"),
        sa.UniqueConstraint("dataset_id", "number"),
    )
    op.create_table(
        "runs",
        column("id", sa.Uuid(), primary_key=True),
        column("kind", sa.String(20)),
        column("namespace", NAME, index=True),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), index=True),
        column("job_id", sa.Uuid(), optional=True, index=True),
        column("actor_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("parameters", JSON),
        column("metrics", JSON),
        column("started_at", MOMENT),
        column("finished_at", MOMENT),
        sa.CheckConstraint("kind IN ('ingest', 'prepare', 'train', 'evaluate')", name="kind"),
    )
    op.create_table(
        "lineage_edges",
        column("id", sa.Uuid(), primary_key=True),
        column("run_id", sa.Uuid(), sa.ForeignKey("runs.id")),
        column("direction", sa.String(10)),
        column("node_type", sa.String(20)),
        column("node_id", sa.Uuid()),
        sa.CheckConstraint("direction IN ('input', 'output')", name="direction"),
        sa.CheckConstraint("node_type IN ('dataset-version', 'model-version')", name="node_type"),
        sa.UniqueConstraint("run_id", "direction", "node_type", "node_id"),
        sa.Index(None, "node_id", "direction"),
    )


def create_registry() -> None:
    op.create_table(
        "registered_models",
        column("id", sa.Uuid(), primary_key=True),
        column("namespace", NAME),
        column("name", NAME),
        column("description", SENTENCE),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), index=True),
        column("created_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
        sa.UniqueConstraint("namespace", "name"),
    )
    op.create_table(
        "model_versions",
        column("id", sa.Uuid(), primary_key=True),
        column("model_id", sa.Uuid(), sa.ForeignKey("registered_models.id")),
        column("number", sa.Integer()),
        column("run_id", sa.Uuid(), sa.ForeignKey("runs.id"), index=True),
        column("base_version_id", sa.Uuid(), sa.ForeignKey("model_versions.id"), optional=True),
        column("manifest", JSON),
        column("manifest_digest", DIGEST),
        column("recipe", JSON),
        column("seed", sa.Integer()),
        column("metrics", JSON),
        column("parameters", sa.Integer()),
        column("text_columns", JSON),
        column("labels", JSON),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), index=True),
        column("trained_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("created_at", MOMENT),
        sa.UniqueConstraint("model_id", "number"),
    )
    op.create_table(
        "aliases",
        column("model_id", sa.Uuid(), sa.ForeignKey("registered_models.id"), primary_key=True),
        column("alias", sa.String(80), primary_key=True),
        column("version_id", sa.Uuid(), sa.ForeignKey("model_versions.id"), index=True),
        column("moved_at", MOMENT),
        column("revision", sa.Integer()),
    )
    op.create_table(
        "alias_moves",
        column("id", sa.Uuid(), primary_key=True),
        column("model_id", sa.Uuid(), sa.ForeignKey("registered_models.id")),
        column("alias", sa.String(80)),
        column("old_version_id", sa.Uuid(), sa.ForeignKey("model_versions.id"), optional=True),
        column("new_version_id", sa.Uuid(), sa.ForeignKey("model_versions.id")),
        column("actor_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("reason", SENTENCE),
        column("at", MOMENT),
        sa.Index(None, "model_id", "alias"),
    )
    op.create_table(
        "environments",
        column("id", sa.Uuid(), primary_key=True),
        column("name", NAME, unique=True),
        column("zone", sa.String(80)),
        column("clearance_level", sa.String(40)),
        column("clearance_compartments", JSON),
        column("keeps_text", sa.Boolean()),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
    )
    op.create_table(
        "deployments",
        column("id", sa.Uuid(), primary_key=True),
        column("namespace", NAME),
        column("name", NAME),
        column("model_id", sa.Uuid(), sa.ForeignKey("registered_models.id"), index=True),
        column("environment_id", sa.Uuid(), sa.ForeignKey("environments.id"), index=True),
        column("pinned_version_id", sa.Uuid(), sa.ForeignKey("model_versions.id"), optional=True),
        column("purpose", sa.String(80)),
        column("keeps_text", sa.Boolean()),
        column("state", sa.String(20)),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), index=True),
        column("created_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
        sa.CheckConstraint("state IN ('active', 'stopped')", name="state"),
        sa.UniqueConstraint("namespace", "name"),
    )
    op.create_table(
        "breaches",
        column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id")),
        column("version_id", sa.Uuid(), sa.ForeignKey("model_versions.id")),
        column("policy_ids", JSON),
        column("reason", SENTENCE),
        column("cause", SENTENCE),
        column("caused_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("owner_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("found_at", MOMENT),
        column("stop_at", MOMENT, optional=True, index=True),
        column("stopped_at", MOMENT, optional=True),
        column("resolved_at", MOMENT, optional=True),
        column("resolution", SENTENCE, optional=True),
        column("revision", sa.Integer()),
        sa.Index(
            "uq_breaches_one_unresolved",
            "deployment_id",
            unique=True,
            sqlite_where=sa.text("resolved_at IS NULL"),
            postgresql_where=sa.text("resolved_at IS NULL"),
        ),
    )
