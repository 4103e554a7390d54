"""The key-encryption keys of an installation: a file outside the database wraps all data keys.

AES-256-GCM (NIST SP 800-38D) with random nonces of 96 bits; a wrapped key is bound to the id of its
row. The file has one key a line, in base64: the first wraps, the others still open what they once
wrapped. Who has the database without the file has no text; who has both has all of them.
"""

import base64
import binascii
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Conflict, Unavailable
from bailiwick.core.keyfiles import create_once, replace_file
from bailiwick.monitoring.texts.tables import DataKey

KEY_BYTES, NONCE_BYTES, FINGERPRINT_DIGITS = 32, 12, 16
RESTORE = (
    "restore it from the backup (BAILIWICK_TEXT_KEY_FILE names it). If it is lost for good, its "
    "texts are as well: `bailiwick texts rotate-key --give-up-lost` goes on without them"
)


@dataclass(frozen=True, slots=True)
class _Kek:
    name: str
    line: bytes
    cipher: AESGCM


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of the file at one moment, the one that wraps first."""

    path: Path
    keks: tuple[_Kek, ...]

    @property
    def newest(self) -> str:
        """The fingerprint of the key that wraps."""
        return self.keks[0].name

    def wrap(self, key: bytes, key_id: bytes, nonce: bytes) -> bytes:
        """A data key for the row with that id, under a random nonce of its own."""
        return nonce + self.keks[0].cipher.encrypt(nonce, key, key_id)

    def unwrap(self, kek: str, wrapped: bytes, key_id: bytes) -> bytes:
        """The inverse; `Unavailable` says what to do if this is not the right file."""
        found = next((one for one in self.keks if one.name == kek), None)
        if found is None:
            raise Unavailable(f"the key file of texts {self.path} lacks the key {kek}: {RESTORE}")
        try:
            return found.cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id)
        except InvalidTag as error:
            raise Unavailable(
                "a data key does not open: its row was changed by hand; restore the database"
            ) from error


class TextVault:
    """Where the key file is. Safe for threads; several processes share the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[object, KeyRing] = (None, KeyRing(path, ()))

    def ready(self, session: Session) -> KeyRing:
        """The ring for whoever wraps: the file is made at first use.

        `Unavailable` if it is gone although keys in the database depend on it: another one would
        not open them.
        """
        if not self.path.exists():
            if session.scalar(select(exists().where(DataKey.wrapped.is_not(None)))):
                raise Unavailable(f"the key file of texts {self.path} is gone: {RESTORE}")
            create_once(self.path, _fresh_line())
        return self.ring()

    def ring(self) -> KeyRing:
        """As the file is now: another process may have rotated it."""
        try:
            found = self.path.stat()
            seen = (found.st_ino, found.st_mtime_ns)
            if self._read[0] != seen:
                self._read = (seen, _parsed(self.path, found))
        except OSError as error:
            raise Unavailable(
                f"the key file of texts {self.path} cannot be read ({error.strerror}): {RESTORE}"
            ) from error
        return self._read[1]

    @contextmanager
    def rotating(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile; `Conflict` if somebody does already."""
        descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise Conflict("another rotation is under way; wait for its end") from error
        finally:
            os.close(descriptor)

    def renew(self, keep: Sequence[str]) -> None:
        """Put a fresh key first, and keep those of the others that are named."""
        others = self.ring().keks if self.path.exists() else ()
        lines = [_fresh_line(), *(kek.line + b"\n" for kek in others if kek.name in keep)]
        replace_file(self.path, b"".join(lines))


def random_pieces(count: int, size: int) -> list[bytes]:
    """So many random values of so many bytes each, asked of the system at once."""
    noise = os.urandom(count * size)
    return [noise[start : start + size] for start in range(0, count * size, size)]


def _parsed(path: Path, found: os.stat_result) -> KeyRing:
    if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
        raise Unavailable(
            f"the key file of texts {path} can be read by others: run `chmod 600 {path}`, and if "
            "somebody may have read it `bailiwick texts rotate-key`"
        )
    lines = path.read_bytes().split()
    try:
        keys = [base64.b64decode(line, validate=True) for line in lines]
    except binascii.Error as error:
        raise Unavailable(f"the key file of texts {path} holds no keys: {RESTORE}") from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise Unavailable(f"the key file of texts {path} holds no keys: {RESTORE}")
    pairs = zip(keys, lines, strict=True)
    return KeyRing(path, tuple(_Kek(_fingerprint(key), line, AESGCM(key)) for key, line in pairs))


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"bailiwick text key\0" + key).hexdigest()[:FINGERPRINT_DIGITS]


def _fresh_line() -> bytes:
    return base64.b64encode(os.urandom(KEY_BYTES)) + b"\n"
