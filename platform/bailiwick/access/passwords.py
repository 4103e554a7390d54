"""Local passwords, hashed with Argon2id (RFC 9106), for the embedded default.

Rules as in NIST SP 800-63B: length, and nothing about digits or signs.
"""

import threading
import unicodedata
from datetime import datetime
from functools import cached_property
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access.tables import Password, Principal
from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, Invalid, Unauthenticated

MIN_LENGTH, MAX_LENGTH = 12, 256
MAX_AT_A_TIME = 2  # each takes 64 MiB and a core for a moment


class Hasher:
    """Argon2id with the library's parameters (the second set of RFC 9106), or those given.

    Thread-safe; a process hashes two passwords at a time, the others wait.
    """

    def __init__(self, argon2: PasswordHasher | None = None) -> None:
        self._argon2 = argon2 or PasswordHasher()
        self._places = threading.BoundedSemaphore(MAX_AT_A_TIME)

    def hash(self, password: str) -> str:
        """The password's hash in PHC form; parameters and salt are in it."""
        with self._places:
            return self._argon2.hash(_normal(password))

    def fits(self, password: str, stored: str | None) -> bool:
        """Whether the password has this hash. Without one the same work is done for nothing."""
        nobody = self._nobody
        with self._places:
            try:
                self._argon2.verify(stored or nobody, _normal(password))
            except VerificationError:
                return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than are used now."""
        return self._argon2.check_needs_rehash(stored)

    @cached_property
    def _nobody(self) -> str:
        return self._argon2.hash("")


def check_password(password: str) -> None:
    """`Invalid` unless it is long enough."""
    if not MIN_LENGTH <= len(_normal(password)) <= MAX_LENGTH:
        raise Invalid(
            f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters: some words in a row are "
            "easier to keep in mind than signs"
        )


def stored_password(session: Session, name: str) -> tuple[Principal, str] | None:
    """The person of that name who is enabled and has a password, and its hash."""
    row = session.execute(
        select(Principal, Password.password_hash)
        .join(Password, Password.principal_id == Principal.id)
        .where(Principal.name == name.strip().lower(), Principal.disabled_at.is_(None))
    ).first()
    return None if row is None else (row[0], row[1])


def wrong_password() -> Unauthenticated:
    """One answer for a wrong password, an unknown name and somebody who is disabled."""
    return Unauthenticated(
        "this name and password do not belong together; try again, or ask an administrator for a "
        "new password: `bailiwick principal password NAME`"
    )


def keep_password(
    session: Session, principal: Principal, password_hash: str, *, actor_id: UUID, at: datetime
) -> None:
    """Store the hash of a new password. The caller has checked it, and ends sessions."""
    if principal.kind != "person":
        raise Conflict("only people have passwords; a service uses an API token")
    kept = session.get(Password, principal.id)
    if kept is None:
        kept = Password(principal_id=principal.id, password_hash=password_hash, changed_at=at)
        session.add(kept)
    kept.password_hash, kept.changed_at = password_hash, at
    record(
        session,
        "password.changed",
        subject_type="principal",
        subject_id=principal.id,
        actor_id=actor_id,
        at=at,
    )


def keep_rehashed(session: Session, principal: Principal, *, old: str, new: str) -> None:
    """Store the same password under newer parameters, unless it was changed meanwhile."""
    kept = session.get(Password, principal.id)
    if kept is not None and kept.password_hash == old:
        kept.password_hash = new


def _normal(password: str) -> str:
    """One spelling of what looks alike, whatever keyboard it was typed on."""
    return unicodedata.normalize("NFKC", password)
