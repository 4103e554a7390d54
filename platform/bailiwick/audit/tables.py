"""The audit log's tables. None of their rows ever changes (triggers see to it)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Id


class AuditEvent(Base):
    """One change, written in the transaction that made it."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "subject_type", "subject_id"),
        Index(None, "action"),
        Index(None, "actor_id"),
    )

    id: Mapped[Id]
    at: Mapped[datetime]
    actor_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    action: Mapped[str] = mapped_column(String(80))
    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(String(80))
    # The exact RFC 8785 bytes that the Merkle tree covers; the columns above are for search.
    body: Mapped[bytes] = mapped_column(LargeBinary)


class AuditWaiting(Base):
    """An event that has no place in the tree yet; gone as soon as it has one."""

    __tablename__ = "audit_waiting"

    event_id: Mapped[UUID] = mapped_column(ForeignKey("audit_events.id"), primary_key=True)


class AuditLeaf(Base):
    """An event's gapless place in the Merkle tree, assigned by the one sequencer."""

    __tablename__ = "audit_leaves"

    index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("audit_events.id"), unique=True)
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpoint(Base):
    """A signed statement of the tree's size and root."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str] = mapped_column(String(2000))
    # The state from which the tree goes on growing (`merkle.Frontier`).
    frontier: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]
