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
    """A person's signed-in browser; only the hash of the cookie is kept.

    One that was opened with an API token can do what the token can, and ends with it. Its use
    is noted to ten minutes (`last_used_at`).
    """

    __tablename__ = "console_sessions"

    id: Mapped[Id]
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principals.id"), index=True)
    token_id: Mapped[UUID | None] = mapped_column(ForeignKey("tokens.id"))
    cookie_hash: Mapped[Digest] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class PendingSignIn(Base):
    """A browser on its way to the OpenID provider and back; used once."""

    __tablename__ = "pending_sign_ins"

    id: Mapped[Id]
    state_hash: Mapped[Digest] = mapped_column(unique=True)
    nonce: Mapped[str] = mapped_column(String(100))
    code_verifier: Mapped[str] = mapped_column(String(128))
    next_path: Mapped[str] = mapped_column(String(2000))
    expires_at: Mapped[datetime]
