"""Operation: what deployments answered, the checks, the jobs, and the web layer's memory."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history

revision = "202611221710"
down_revision = "202611221700"
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
    "inference_records",
    "feedback",
    "baselines",
    "monitors",
    "check_results",
    "alerts",
    "schedules",
    "jobs",
    "job_events",
    "retraining_policies",
    "evaluations",
    "idempotent_responses",
    "console_sessions",
    "pending_sign_ins",
)
HISTORY = (
    "inference_records",
    "feedback",
    "baselines",
    "check_results",
    "job_events",
    "evaluations",
)


def upgrade() -> None:
    create_monitoring()
    create_lifecycle()
    create_web()
    history.protect(HISTORY)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def column(
    name: str, kind: Any, *items: Any, optional: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=optional, **options)


def create_monitoring() -> None:
    op.create_table(
        "inference_records",
        column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id")),
        column("version_id", sa.Uuid(), sa.ForeignKey("model_versions.id")),
        column("record_id", NAME),
        column("at", MOMENT),
        column("received_at", MOMENT),
        column("prediction", NAME),
        column("confidence", sa.Double()),
        column("characters", sa.Integer()),
        column("words", sa.Integer()),
        column("unseen_words_ratio", sa.Double()),
        column("text", sa.Text(), optional=True),
        sa.UniqueConstraint("deployment_id", "record_id"),
        sa.Index(None, "deployment_id", "at"),
    )
    op.create_table(
        "feedback",
        column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id")),
        column("record_id", NAME),
        column("revision", sa.Integer()),
        column("label", NAME),
        column("received_at", MOMENT),
        sa.UniqueConstraint("deployment_id", "record_id", "revision"),
    )
    op.create_table(
        "baselines",
        column("id", sa.Uuid(), primary_key=True),
        column("version_id", sa.Uuid(), sa.ForeignKey("model_versions.id"), unique=True),
        column("rows_blob", DIGEST),
        column("rows", sa.Integer()),
        column("accuracy", sa.Double()),
        column("created_at", MOMENT),
    )
    op.create_table(
        "monitors",
        column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), unique=True),
        column("statistics", JSON),
        column("max_accuracy_drop", sa.Double()),
        column("min_rows", sa.Integer()),
        column("window_days", sa.Integer()),
        column("enabled", sa.Boolean()),
        column("created_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
    )
    op.create_table(
        "check_results",
        column("id", sa.Uuid(), primary_key=True),
        column("monitor_id", sa.Uuid(), sa.ForeignKey("monitors.id")),
        column("job_id", sa.Uuid(), unique=True),
        column("version_id", sa.Uuid(), sa.ForeignKey("model_versions.id")),
        column("window_start", MOMENT),
        column("window_end", MOMENT),
        column("window_digest", DIGEST),
        column("rows", sa.Integer()),
        column("labelled_rows", sa.Integer()),
        column("accuracy", sa.Double(), optional=True),
        column("verdict", sa.String(20)),
        column("sentence", SENTENCE),
        column("results", JSON),
        column("details", JSON),
        column("report_blob", DIGEST, optional=True),
        column("at", MOMENT),
        sa.Index(None, "monitor_id", "window_end"),
    )
    op.create_table(
        "alerts",
        column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id")),
        column("source", sa.String(20)),
        column("monitor_id", sa.Uuid(), sa.ForeignKey("monitors.id"), optional=True),
        column("check_id", sa.Uuid(), sa.ForeignKey("check_results.id"), optional=True),
        column("breach_id", sa.Uuid(), sa.ForeignKey("breaches.id"), optional=True),
        column("owner_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("kind", sa.String(20)),
        column("state", sa.String(20)),
        column("sentence", SENTENCE),
        column("since", MOMENT),
        column("opened_at", MOMENT),
        column("acknowledged_at", MOMENT, optional=True),
        column("acknowledged_by", sa.Uuid(), sa.ForeignKey("principals.id"), optional=True),
        column("resolved_at", MOMENT, optional=True),
        column("resolved_by", sa.Uuid(), sa.ForeignKey("principals.id"), optional=True),
        column("resolution", SENTENCE, optional=True),
        column("revision", sa.Integer()),
        sa.CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name="state"),
        sa.CheckConstraint(
            "(source = 'monitor' AND monitor_id IS NOT NULL AND check_id IS NOT NULL) "
            "OR (source = 'policy' AND breach_id IS NOT NULL)",
            name="source",
        ),
        sa.Index(None, "deployment_id", "opened_at"),
        sa.Index(
            "uq_alerts_one_unresolved",
            "deployment_id",
            "source",
            unique=True,
            sqlite_where=sa.text("state <> 'resolved'"),
            postgresql_where=sa.text("state <> 'resolved'"),
        ),
    )


def create_lifecycle() -> None:
    op.create_table(
        "schedules",
        column("id", sa.Uuid(), primary_key=True),
        column("job_kind", sa.String(20)),
        column("subject_id", sa.Uuid()),
        column("namespace", NAME),
        column("label_id", LABEL, sa.ForeignKey("labels.id")),
        column("acts_as", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("cron", sa.String(100)),
        column("enabled", sa.Boolean()),
        column("next_due_at", MOMENT, index=True),
        column("revision", sa.Integer()),
        sa.UniqueConstraint("job_kind", "subject_id"),
    )
    op.create_table(
        "jobs",
        column("id", sa.Uuid(), primary_key=True),
        column("kind", sa.String(20)),
        column("namespace", NAME),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), index=True),
        column("subject_id", sa.Uuid(), index=True),
        column("acts_as", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("payload", JSON),
        column("state", sa.String(20)),
        column("attempt", sa.Integer()),
        column("max_attempts", sa.Integer()),
        column("available_at", MOMENT),
        column("lease_owner", NAME, optional=True),
        column("lease_expires_at", MOMENT, optional=True),
        column("schedule_id", sa.Uuid(), sa.ForeignKey("schedules.id"), optional=True),
        column("due_at", MOMENT, optional=True),
        column("dedupe_key", NAME, optional=True, unique=True),
        column("progress", JSON),
        column("result", JSON, optional=True),
        column("error", SENTENCE, optional=True),
        column("created_at", MOMENT),
        column("started_at", MOMENT, optional=True),
        column("finished_at", MOMENT, optional=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"
        ),
        sa.UniqueConstraint("schedule_id", "due_at"),
        sa.Index(None, "state", "available_at"),
    )
    op.create_table(
        "job_events",
        column("id", sa.Uuid(), primary_key=True),
        column("job_id", sa.Uuid(), sa.ForeignKey("jobs.id"), index=True),
        column("at", MOMENT),
        column("attempt", sa.Integer()),
        column("kind", sa.String(40)),
        column("message", SENTENCE),
    )
    op.create_table(
        "retraining_policies",
        column("id", sa.Uuid(), primary_key=True),
        column("deployment_id", sa.Uuid(), sa.ForeignKey("deployments.id"), unique=True),
        column("dataset_id", sa.Uuid(), sa.ForeignKey("datasets.id")),
        column("acts_as", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("on_alert", JSON),
        column("cooldown_days", sa.Integer()),
        column("window_days", sa.Integer()),
        column("max_rows", sa.Integer()),
        column("holdout_ratio", sa.Double()),
        column("recipe", JSON),
        column("risk_tier", sa.String(40)),
        column("enabled", sa.Boolean()),
        column("digest", DIGEST),
        column("set_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("created_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("created_at", MOMENT),
        column("revision", sa.Integer()),
    )
    op.create_table(
        "evaluations",
        column("id", sa.Uuid(), primary_key=True),
        column("version_id", sa.Uuid(), sa.ForeignKey("model_versions.id"), unique=True),
        column("champion_version_id", sa.Uuid(), sa.ForeignKey("model_versions.id"), optional=True),
        column("run_id", sa.Uuid(), sa.ForeignKey("runs.id")),
        column("evidence", JSON),
        column("risk_tier", sa.String(40)),
        column("passed", sa.Boolean()),
        column("rejections", JSON),
        column("created_at", MOMENT),
    )


def create_web() -> None:
    op.create_table(
        "idempotent_responses",
        column("id", sa.Uuid(), primary_key=True),
        column("principal_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("key", NAME),
        column("request_digest", DIGEST),
        column("status", sa.Integer()),
        column("headers", JSON),
        column("body", JSON),
        column("created_at", MOMENT, index=True),
        sa.UniqueConstraint("principal_id", "key"),
    )
    op.create_table(
        "console_sessions",
        column("id", sa.Uuid(), primary_key=True),
        column("principal_id", sa.Uuid(), sa.ForeignKey("principals.id"), index=True),
        column("token_id", sa.Uuid(), sa.ForeignKey("tokens.id"), optional=True),
        column("cookie_hash", DIGEST, unique=True),
        column("created_at", MOMENT),
        column("last_used_at", MOMENT),
        column("expires_at", MOMENT),
    )
    op.create_table(
        "pending_sign_ins",
        column("id", sa.Uuid(), primary_key=True),
        column("state_hash", DIGEST, unique=True),
        column("nonce", sa.String(100)),
        column("code_verifier", sa.String(128)),
        column("next_path", SENTENCE),
        column("expires_at", MOMENT),
    )
