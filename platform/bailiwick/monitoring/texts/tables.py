"""Keys of texts, and the evidence of texts that were destroyed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id

LIVE = text("wrapped IS NOT NULL")


class DataKey(Base):
    """What the texts about one subject, or of one day, are encrypted with.

    `wrapped` is the key under the key-encryption key `kek`, which is not in the database. It goes
    when the texts are destroyed, as they open under nothing else; the row stays.
    """

    __tablename__ = "data_keys"
    __table_args__ = (
        Index(
            "uq_data_keys_live",
            "deployment_id",
            "about",
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        ),
    )

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    about: Mapped[Digest]  # a subject's pseudonym, or a day (UTC) such as 2026-11-23
    kek: Mapped[str] = mapped_column(String(16))  # fingerprint
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]
    # About a subject, of records that are archived: these are not counted by looking.
    archived_texts: Mapped[int] = mapped_column(server_default="0")


class TextErasure(Base):
    """The texts about a subject were destroyed: when, by whom and how many. Never changes."""

    __tablename__ = "text_erasures"
    __table_args__ = (Index(None, "deployment_id"),)

    id: Mapped[Id]
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployments.id"))
    subject_key: Mapped[Digest]
    reason: Mapped[str] = mapped_column(String(2000))
    keys: Mapped[int]  # that were destroyed
    records: Mapped[int]  # whose text that made unreadable
    rejected_records: Mapped[int]  # as far as they named the subject
    erased_by: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    erased_at: Mapped[datetime]
