"""The rules: labels, policy bundles, decisions, waivers and approvals."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bailiwick.db import history

revision = "202611221655"
down_revision = "202611221650"
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
    "labels",
    "label_moves",
    "waivers",
    "policy_bundles",
    "bundle_activations",
    "decisions",
    "decision_counts",
    "approval_requests",
    "approval_votes",
    "approval_comments",
    "delegations",
)
HISTORY = (
    "labels",
    "label_moves",
    "policy_bundles",
    "bundle_activations",
    "decisions",
    "approval_votes",
    "approval_comments",
)


def upgrade() -> None:
    create_policy()
    create_decisions()
    create_approvals()
    history.protect(HISTORY)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def column(
    name: str, kind: Any, *items: Any, optional: bool = False, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=optional, **options)


def one_acting(name: str, *columns: str, kind: str) -> sa.Index:
    """Unique among the waivers of a kind that are active."""
    where = sa.text(f"state = 'active' AND kind = '{kind}'")
    return sa.Index(
        f"uq_waivers_one_acting_{name}",
        *columns,
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )


def create_policy() -> None:
    op.create_table(
        "labels",
        column("id", LABEL, primary_key=True),
        column("level", sa.String(40)),
        column("compartments", JSON),
        column("residency", JSON),
        column("purposes", JSON),
    )
    op.create_table(
        "label_moves",
        column("id", sa.Uuid(), primary_key=True),
        column("node_type", sa.String(20)),
        column("node_id", sa.Uuid(), index=True),
        column("old_label_id", LABEL, sa.ForeignKey("labels.id")),
        column("new_label_id", LABEL, sa.ForeignKey("labels.id")),
        column("reason", SENTENCE),
        column("cause_id", sa.Uuid(), index=True),
        column("actor_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("at", MOMENT),
    )
    op.create_table(
        "waivers",
        column("id", sa.Uuid(), primary_key=True),
        column("kind", sa.String(20)),
        column("namespace", NAME),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), index=True),
        column("subject_type", sa.String(40)),
        column("subject_id", sa.Uuid()),
        column("subject_digest", DIGEST),
        column("gate", sa.String(80), optional=True),
        column("waived_label_id", LABEL, sa.ForeignKey("labels.id"), optional=True),
        column("reason", SENTENCE),
        column("evidence", SENTENCE),
        column("state", sa.String(20)),
        column("requested_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("created_at", MOMENT),
        column("expires_at", MOMENT),
        column("started_at", MOMENT, optional=True),
        column("ended_at", MOMENT, optional=True),
        column("ended_by", sa.Uuid(), sa.ForeignKey("principals.id"), optional=True),
        column("end_reason", SENTENCE, optional=True),
        column("revision", sa.Integer()),
        sa.CheckConstraint("kind IN ('declassification', 'gate')", name="kind"),
        sa.CheckConstraint(
            "(kind = 'gate') = (gate IS NOT NULL) "
            "AND (kind = 'declassification') = (waived_label_id IS NOT NULL)",
            name="says_what",
        ),
        sa.CheckConstraint("state IN ('requested', 'active', 'rejected', 'ended')", name="state"),
        one_acting("label", "subject_id", kind="declassification"),
        one_acting("gate", "subject_id", "gate", kind="gate"),
        sa.Index(None, "subject_type", "subject_id"),
        sa.Index(None, "state", "expires_at"),
    )
    op.create_table(
        "policy_bundles",
        column("id", sa.Uuid(), primary_key=True),
        column("digest", DIGEST, unique=True),
        column("files", JSON),
        column("note", SENTENCE),
        column("checks", JSON),
        column("passed", sa.Boolean()),
        column("proposed_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("at", MOMENT),
    )
    op.create_table(
        "bundle_activations",
        column("id", sa.Uuid(), primary_key=True),
        column("number", sa.Integer(), unique=True),
        column("bundle_id", sa.Uuid(), sa.ForeignKey("policy_bundles.id")),
        column("old_digest", DIGEST),
        column("new_digest", DIGEST),
        column("reason", SENTENCE),
        column("actor_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("at", MOMENT),
    )


def create_decisions() -> None:
    op.create_table(
        "decisions",
        column("id", sa.Uuid(), primary_key=True),
        column("at", MOMENT, index=True),
        column("principal_id", sa.Uuid(), sa.ForeignKey("principals.id"), index=True),
        column("action", sa.String(80), index=True),
        column("resource_type", sa.String(40)),
        column("resource_id", sa.String(80)),
        column("namespace", NAME, optional=True, index=True),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), optional=True),
        column("allowed", sa.Boolean(), index=True),
        column("policy_ids", JSON),
        column("reason", SENTENCE),
        column("context", JSON),
        column("context_digest", DIGEST),
        column("actor_facts", JSON),
        column("resource_facts", JSON),
        column("waiver_id", sa.Uuid(), sa.ForeignKey("waivers.id"), optional=True),
        column("bundle_digest", DIGEST),
    )
    op.create_table(
        "decision_counts",
        column("id", sa.Uuid(), primary_key=True),
        column("principal_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("action", sa.String(80)),
        column("resource_type", sa.String(40)),
        column("resource_id", sa.String(80)),
        column("namespace", NAME, optional=True),
        column("label_id", LABEL, sa.ForeignKey("labels.id"), optional=True),
        column("bundle_digest", DIGEST),
        column("hour", MOMENT),
        column("allowed", sa.Integer()),
        sa.UniqueConstraint(
            "principal_id", "action", "resource_type", "resource_id", "bundle_digest", "hour"
        ),
        sa.Index(None, "hour"),
    )


def create_approvals() -> None:
    op.create_table(
        "approval_requests",
        column("id", sa.Uuid(), primary_key=True),
        column("namespace", NAME),
        column("label_id", LABEL, sa.ForeignKey("labels.id")),
        column("subject_type", sa.String(40)),
        column("subject_id", sa.Uuid()),
        column("subject_digest", DIGEST),
        column("purpose", sa.String(80)),
        column("requested_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("trained_by", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("required", sa.Integer()),
        column("state", sa.String(20)),
        column("created_at", MOMENT),
        column("expires_at", MOMENT),
        column("revision", sa.Integer()),
        sa.CheckConstraint("required > 0", name="required_positive"),
        sa.UniqueConstraint("id", "requested_by", "trained_by"),
        sa.Index(None, "subject_type", "subject_id"),
    )
    op.create_table(
        "approval_votes",
        column("id", sa.Uuid(), primary_key=True),
        column("request_id", sa.Uuid()),
        column("requested_by", sa.Uuid()),
        column("trained_by", sa.Uuid()),
        column("approver_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("voice_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("vouched_by", JSON),
        column("approve", sa.Boolean()),
        column("comment", SENTENCE),
        column("at", MOMENT),
        sa.CheckConstraint(
            "approver_id <> requested_by AND voice_id <> requested_by", name="four_eyes"
        ),
        sa.CheckConstraint(
            "approver_id <> trained_by AND voice_id <> trained_by", name="maker_excluded"
        ),
        sa.ForeignKeyConstraint(
            ["request_id", "requested_by", "trained_by"],
            [
                "approval_requests.id",
                "approval_requests.requested_by",
                "approval_requests.trained_by",
            ],
            name="fk_approval_votes_request_id_approval_requests",
        ),
        sa.UniqueConstraint("request_id", "approver_id"),
        sa.UniqueConstraint("request_id", "voice_id"),
    )
    op.create_table(
        "approval_comments",
        column("id", sa.Uuid(), primary_key=True),
        column("request_id", sa.Uuid(), sa.ForeignKey("approval_requests.id"), index=True),
        column("author_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("text", SENTENCE),
        column("at", MOMENT),
    )
    op.create_table(
        "delegations",
        column("id", sa.Uuid(), primary_key=True),
        column("from_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("to_id", sa.Uuid(), sa.ForeignKey("principals.id")),
        column("namespace", NAME),
        column("reason", SENTENCE),
        column("since", MOMENT),
        column("until", MOMENT),
        column("revoked_at", MOMENT, optional=True),
        column("revision", sa.Integer()),
        sa.CheckConstraint("from_id <> to_id", name="to_another"),
        sa.Index(None, "to_id", "until"),
    )
