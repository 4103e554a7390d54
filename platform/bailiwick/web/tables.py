"""What the web layer itself remembers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bailiwick.db.base import Base, Digest, Id, Json


class IdempotentResponse(Base):
    """The answer that was given to a write, for the client that asks again with its key."""

    __tablename__ = "idempotent_responses"
    __table_args__ = (UniqueConstraint("principal_id", "key"),)

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"))
    key: Mapped[str] = mapped_column(String(200))
    request_digest: Mapped[Digest]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    # The JSON text as it was sent, byte by byte; null if it held a secret.
    body: Mapped[Any] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(index=True)


class ConsoleSession(Base):
    """A person's signed-in browser; only the hash of the cookie is kept."""

    __tablename__ = "console_sessions"

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), index=True)
    cookie_hash: Mapped[Digest] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
