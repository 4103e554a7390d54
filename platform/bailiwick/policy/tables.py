"""Labels and their moves, decisions, approvals, waivers, and the policy bundles themselves."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bailiwick.db.base import Base, Digest, Id, Name, Revised


class StoredLabel(Base):
    """One distinct classification label, interned: lists filter on the few ids that one may see."""

    __tablename__ = "labels"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    level: Mapped[str] = mapped_column(String(40))
    compartments: Mapped[list[str]]
    residency: Mapped[list[str]]
    purposes: Mapped[list[str]]


class Decision(Base):
    """One answer of the policy engine. Never changes."""

    __tablename__ = "decisions"
    __table_args__ = tuple(
        Index(None, column) for column in ("principal_id", "allowed", "action", "namespace", "at")
    )

    id: Mapped[Id]
    at: Mapped[datetime]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    action: Mapped[str] = mapped_column(String(80))
    resource_type: Mapped[str] = mapped_column(String(40))
    resource_id: Mapped[str] = mapped_column(String(80))
    namespace: Mapped[str | None] = mapped_column(String(200))
    label_id: Mapped[str | None] = mapped_column(ForeignKey("labels.id"))
    allowed: Mapped[bool]
    policy_ids: Mapped[list[str]]
    reason: Mapped[str] = mapped_column(String(2000))
    context: Mapped[dict[str, Any]]
    context_digest: Mapped[Digest]
    # All that was known of actor and resource: the same question can be put to other policies.
    actor_facts: Mapped[dict[str, Any]]
    resource_facts: Mapped[dict[str, Any]]
    waiver_id: Mapped[UUID | None] = mapped_column(ForeignKey("waivers.id"))
    bundle_digest: Mapped[Digest]


class DecisionCount(Base):
    """How often the policy allowed something that changes nothing, by the hour. Only grows."""

    __tablename__ = "decision_counts"
    __table_args__ = (
        UniqueConstraint(
            "principal_id", "action", "resource_type", "resource_id", "bundle_digest", "hour"
        ),
        Index(None, "hour"),
    )

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    action: Mapped[str] = mapped_column(String(80))
    resource_type: Mapped[str] = mapped_column(String(40))
    resource_id: Mapped[str] = mapped_column(String(80))
    namespace: Mapped[str | None] = mapped_column(String(200))
    label_id: Mapped[str | None] = mapped_column(ForeignKey("labels.id"))
    bundle_digest: Mapped[Digest]
    hour: Mapped[datetime]
    allowed: Mapped[int]


class ApprovalRequest(Revised, Base):
    """A question put to other people about one exact subject (its digest)."""

    __tablename__ = "approval_requests"
    __table_args__ = (
        UniqueConstraint("id", "requested_by", "trained_by"),
        Index(None, "subject_type", "subject_id"),
        CheckConstraint("required > 0", name="required_positive"),
    )

    id: Mapped[Id]
    namespace: Mapped[Name]
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"))
    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[UUID]
    subject_digest: Mapped[Digest]
    purpose: Mapped[str] = mapped_column(String(80))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    # Who made the subject; the requester where nobody else did.
    trained_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    required: Mapped[int]
    state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    # [{type, id, digest}]: what was found out about the subject, for those who answer.
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]")
    votes: Mapped[list["ApprovalVote"]] = relationship(
        order_by="ApprovalVote.at", viewonly=True, lazy="selectin"
    )


class ApprovalVote(Base):
    """One person's answer, in their own right or with a `voice` that was delegated to them.

    `vouched_by`: who else has held the token that it was given with, or what that was made with.
    The database itself refuses the requester, the maker, a second vote and a voice used twice.
    """

    __tablename__ = "approval_votes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["request_id", "requested_by", "trained_by"],
            [
                "approval_requests.id",
                "approval_requests.requested_by",
                "approval_requests.trained_by",
            ],
            name="fk_approval_votes_request_id_approval_requests",
        ),
        UniqueConstraint("request_id", "approver_id"),
        UniqueConstraint("request_id", "voice_id"),
        CheckConstraint(
            "approver_id <> requested_by AND voice_id <> requested_by", name="four_eyes"
        ),
        CheckConstraint(
            "approver_id <> trained_by AND voice_id <> trained_by", name="maker_excluded"
        ),
    )

    id: Mapped[Id]
    request_id: Mapped[UUID]
    requested_by: Mapped[UUID]
    trained_by: Mapped[UUID]
    approver_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    voice_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    vouched_by: Mapped[list[str]]  # principals, by id
    approve: Mapped[bool]
    comment: Mapped[str] = mapped_column(String(2000))
    at: Mapped[datetime]

    @property
    def vouchers(self) -> list[UUID]:
        """Those of `vouched_by`."""
        return [UUID(one) for one in self.vouched_by]

    @property
    def people(self) -> list[UUID]:
        """Everybody whom the answer names."""
        return [self.approver_id, self.voice_id, *self.vouchers]


class ApprovalComment(Base):
    """What somebody said about a request without deciding it. Never changes."""

    __tablename__ = "approval_comments"
    __table_args__ = (Index(None, "request_id"),)

    id: Mapped[Id]
    request_id: Mapped[UUID] = mapped_column(ForeignKey("approval_requests.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    text: Mapped[str] = mapped_column(String(2000))
    at: Mapped[datetime]


class Delegation(Revised, Base):
    """An approver's voice in a namespace, lent to another person for a time."""

    __tablename__ = "delegations"
    __table_args__ = (
        CheckConstraint("from_id <> to_id", name="to_another"),
        Index(None, "to_id", "until"),
    )

    id: Mapped[Id]
    from_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    to_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    namespace: Mapped[Name]
    reason: Mapped[str] = mapped_column(String(2000))
    since: Mapped[datetime]
    until: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class LabelMove(Base):
    """A label that rose, on one thing. `cause_id` is shared by all that one act moved."""

    __tablename__ = "label_moves"
    __table_args__ = (Index(None, "node_id"), Index(None, "cause_id"))

    id: Mapped[Id]
    node_type: Mapped[str] = mapped_column(String(20))
    node_id: Mapped[UUID]
    old_label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"))
    new_label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"))
    reason: Mapped[str] = mapped_column(String(2000))
    cause_id: Mapped[UUID]
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    at: Mapped[datetime]


class Waiver(Revised, Base):
    """An exception for one exact subject: a lower label, or a gate that need not be passed."""

    __tablename__ = "waivers"
    __table_args__ = (
        CheckConstraint("kind IN ('declassification', 'gate')", name="kind"),
        CheckConstraint(
            "(kind = 'gate') = (gate IS NOT NULL) "
            "AND (kind = 'declassification') = (waived_label_id IS NOT NULL)",
            name="says_what",
        ),
        CheckConstraint(
            "state IN ('requested', 'active', 'rejected', 'ended')",
            name="state",
        ),
        # Of one thing, one lower label at a time; of one gate, one exception.
        *(
            Index(
                f"uq_waivers_one_acting_{name}",
                *columns,
                unique=True,
                sqlite_where=text(f"state = 'active' AND kind = '{kind}'"),
                postgresql_where=text(f"state = 'active' AND kind = '{kind}'"),
            )
            for name, kind, columns in (
                ("label", "declassification", ("subject_id",)),
                ("gate", "gate", ("subject_id", "gate")),
            )
        ),
        Index(None, "subject_type", "subject_id"),
        Index(None, "state", "expires_at"),
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(20))
    namespace: Mapped[Name]
    # The subject's own label: who may see the waiver may see its subject.
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[UUID]
    subject_digest: Mapped[Digest]
    gate: Mapped[str | None] = mapped_column(String(80))
    waived_label_id: Mapped[str | None] = mapped_column(ForeignKey("labels.id"))
    reason: Mapped[str] = mapped_column(String(2000))
    evidence: Mapped[str] = mapped_column(String(2000))
    state: Mapped[str] = mapped_column(String(20))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("principals.id"))
    end_reason: Mapped[str | None] = mapped_column(String(2000))


class PolicyBundle(Base):
    """The files of one policy bundle, as proposed, with what its checks said. Never changes."""

    __tablename__ = "policy_bundles"

    id: Mapped[Id]
    digest: Mapped[Digest] = mapped_column(unique=True)
    files: Mapped[dict[str, Any]]  # path inside the bundle to text
    note: Mapped[str] = mapped_column(String(2000))
    checks: Mapped[dict[str, Any]]
    passed: Mapped[bool]
    proposed_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    at: Mapped[datetime]


class BundleActivation(Base):
    """A bundle came into force; the highest number says which one is. Never changes."""

    __tablename__ = "bundle_activations"

    id: Mapped[Id]
    # Of two activations at the same moment the database refuses one.
    number: Mapped[int] = mapped_column(unique=True)
    bundle_id: Mapped[UUID] = mapped_column(ForeignKey("policy_bundles.id"))
    old_digest: Mapped[Digest]
    new_digest: Mapped[Digest]
    reason: Mapped[str] = mapped_column(String(2000))
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    at: Mapped[datetime]
