"""Signed statements of the log's size and root: C2SP tlog-checkpoint in a signed note.

https://c2sp.org/tlog-checkpoint and https://c2sp.org/signed-note, Ed25519 keys only, so that
verifiers that are not ours (Go's `sumdb/note`, witnesses, openssl) read them.
"""

import base64
import binascii
import hashlib
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from bailiwick.audit.merkle import HASH_BYTES, ProofError
from bailiwick.core import errors
from bailiwick.core.keyfiles import create_once

ED25519 = b"\x01"
KEY_ID_BYTES = 4
MAX_NOTE_CHARACTERS = 65_536

_KEY_NAME = r"[^\s+]+"
_VKEY = re.compile(rf"({_KEY_NAME})\+([0-9a-f]{{8}})\+(\S+)")
_BODY = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([^\n]+)\n(?:[^\n]+\n)*")
_SIGNATURE = re.compile(rf"\u2014 ({_KEY_NAME}) (\S+)\n")
_NOTE = re.compile(rf"([^\x00-\x09\x0b-\x1f]*\n)\n((?:{_SIGNATURE.pattern})+)")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `origin` had `size` leaves and this `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The text that is signed, final newline included."""
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n"

    @classmethod
    def parse(cls, note: str) -> Self:
        """What a note claims, unverified; raises `ProofError` when it is no checkpoint."""
        found = _BODY.fullmatch(_split(note)[0])
        if found is None:
            raise ProofError("A checkpoint needs three lines: origin, size and root.")
        origin, size, root = found.groups()
        return cls(origin, int(size), _decode(root, HASH_BYTES))


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with the name it signs under, written `name+id+key` (a vkey)."""

    name: str
    key: Ed25519PublicKey

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a vkey; a wrong one raises `ProofError`."""
        found = _VKEY.fullmatch(vkey.strip())
        if found is None:
            raise ProofError("A verifier key reads name+id+key: copy the whole of it.")
        name, key_id, encoded = found.groups()
        data = _decode(encoded, 1 + HASH_BYTES)
        if data[:1] != ED25519:
            raise ProofError("Only Ed25519 verifier keys are known here.")
        verifier = cls(name, Ed25519PublicKey.from_public_bytes(data[1:]))
        if verifier.key_id.hex() != key_id:
            raise ProofError("The verifier key's id does not fit its key: copy it again.")
        return verifier

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that tell a name's keys apart."""
        name = self.name.encode() + b"\n"
        return hashlib.sha256(name + ED25519 + self.key.public_bytes_raw()).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        key = _encode(ED25519 + self.key.public_bytes_raw())
        return f"{self.name}+{self.key_id.hex()}+{key}"


class Signer:
    """The log's private key; its name is the log's origin."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        if not re.fullmatch(_KEY_NAME, name):
            raise errors.Invalid(
                f"{name!r} cannot name an audit log: leave out spaces and plus signs "
                "(BAILIWICK_AUDIT_ORIGIN)."
            )
        self._key = key
        self.verifier = Verifier(name, key.public_key())

    @property
    def name(self) -> str:
        """The origin whose checkpoints this key signs."""
        return self.verifier.name

    @property
    def vkey(self) -> str:
        """The public key as text, to be given to whoever verifies."""
        return str(self.verifier)

    @classmethod
    def load_or_create(cls, path: Path, name: str) -> Self:
        """The key of a PEM file, made with mode 0600 if there is none yet.

        Several processes may start at once: one makes the key, all load the same. A file that
        others may read is refused, as its key can no longer prove anything.
        """
        try:
            if not path.exists():
                create_once(path, _new_key())
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
                raise errors.Invalid(
                    f"The key file {path} can be read by others (mode {stat.S_IMODE(mode):03o}): "
                    f"run `chmod 600 {path}` if nobody has, else replace the key."
                )
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise errors.Unavailable(
                f"The audit log's key {path} is out of reach ({error.strerror}): "
                "check the folder's owner and free space."
            ) from error
        except (ValueError, TypeError) as error:
            raise errors.Invalid(
                f"{path} is no unencrypted PEM key: restore it from the backup. "
                "A new key would start a new log."
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise errors.Invalid(f"{path} holds no Ed25519 key: restore it from the backup.")
        return cls(name, key)

    def sign(self, checkpoint: Checkpoint) -> str:
        """The signed note for a checkpoint of this signer's own log."""
        if checkpoint.origin != self.name:
            raise errors.Invalid(
                f"This key signs for {self.name}, not for {checkpoint.origin}: "
                "check BAILIWICK_AUDIT_ORIGIN."
            )
        body = checkpoint.body()
        signature = _encode(self.verifier.key_id + self._key.sign(body.encode()))
        return f"{body}\n\u2014 {self.name} {signature}\n"


def parse_and_verify(note: str, vkey: str | Verifier) -> Checkpoint:
    """The checkpoint that the key's owner signed for the log named like the key.

    Signatures of other keys are ignored, as the format demands; a missing or wrong one of
    this key raises `ProofError`.
    """
    verifier = vkey if isinstance(vkey, Verifier) else Verifier.parse(vkey)
    checkpoint = Checkpoint.parse(note)
    if checkpoint.origin != verifier.name:
        raise ProofError(
            f"The checkpoint is of the log {checkpoint.origin!r}, the key of {verifier.name!r}."
        )
    body, signatures = _split(note)
    for name, key_id, signature in signatures:
        if (name, key_id) == (verifier.name, verifier.key_id):
            try:
                verifier.key.verify(signature, body.encode())
            except InvalidSignature as error:
                raise ProofError("The checkpoint's signature is wrong: it was altered.") from error
            return checkpoint
    raise ProofError(f"The checkpoint is not signed by {verifier.name}+{verifier.key_id.hex()}.")


def _split(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """A note's body, with its final newline, and its signatures as (name, key id, signature)."""
    found = _NOTE.fullmatch(note) if len(note) <= MAX_NOTE_CHARACTERS else None
    if found is None:
        raise ProofError("A signed note is a text, an empty line and lines of signatures.")
    signatures = []
    for line in _SIGNATURE.finditer(found[2]):
        data = _decode(line[2])
        signatures.append((line[1], data[:KEY_ID_BYTES], data[KEY_ID_BYTES:]))
    return found[1], signatures


def _new_key() -> bytes:
    """A fresh private key as PEM; a lost one is a lost log."""
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str, length: int | None = None) -> bytes:
    """Standard base64, in its one canonical spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError("A hash, key or signature is not base64: copy it again.") from error
    if _encode(data) != text or (length is not None and len(data) != length):
        raise ProofError("A hash, key or signature has the wrong length: copy it again.")
    return data
