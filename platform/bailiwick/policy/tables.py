"""Labels, the policy's decisions, and approvals."""

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
    __table_args__ = (Index(None, "principal_id"), Index(None, "allowed"))

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
    bundle_digest: Mapped[Digest]


class ApprovalRequest(Revised, Base):
    """A question put to other people about one exact subject (its digest)."""

    __tablename__ = "approval_requests"
    __table_args__ = (
        UniqueConstraint("id", "requested_by"),
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
    required: Mapped[int]
    state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    votes: Mapped[list["ApprovalVote"]] = relationship(
        order_by="ApprovalVote.at", viewonly=True, lazy="selectin"
    )


class ApprovalVote(Base):
    """One person's answer. The database itself refuses the requester and a second vote."""

    __tablename__ = "approval_votes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["request_id", "requested_by"],
            ["approval_requests.id", "approval_requests.requested_by"],
        ),
        UniqueConstraint("request_id", "approver_id"),
        CheckConstraint("approver_id <> requested_by", name="four_eyes"),
    )

    id: Mapped[Id]
    request_id: Mapped[UUID]
    requested_by: Mapped[UUID]
    approver_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    approve: Mapped[bool]
    comment: Mapped[str] = mapped_column(String(2000))
    at: Mapped[datetime]
