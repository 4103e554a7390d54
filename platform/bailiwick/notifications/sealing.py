"""Secrets of channels at rest: AES-256-GCM (NIST SP 800-38D) with a key outside the database.

What is sealed for one channel opens for that channel only (its id is authenticated with it). Who
has the database without the key file, a backup for instance, has none of the secrets; who has both
has all of them.
"""

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bailiwick.core.errors import Invalid, Unavailable
from bailiwick.core.keyfiles import create_once

KEY_BYTES, NONCE_BYTES = 32, 12


class Vault:
    """Seals and opens texts with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """The key of a file, made with mode 0600 if there is none yet.

        API and workers need the same file. One that others may read is refused.
        """
        try:
            if not path.exists():
                create_once(path, base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
                raise Invalid(
                    f"the key file {path} can be read by others: run `chmod 600 {path}` if nobody "
                    "has, else replace it and set the secrets of all channels anew"
                )
            key = base64.b64decode(path.read_bytes().strip(), validate=True)
        except OSError as error:
            raise Unavailable(
                f"the channels' key {path} is out of reach ({error.strerror}): check the folder's "
                "owner and free space"
            ) from error
        except binascii.Error as error:
            raise Invalid(f"{path} holds no key: restore it from the backup") from error
        if len(key) != KEY_BYTES:
            raise Invalid(f"{path} holds no key of {KEY_BYTES} bytes: restore it from the backup")
        return cls(key)

    def seal(self, text: str, about: UUID) -> bytes:
        """`text` for the database; sealing it again gives other bytes."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), about.bytes)

    def open(self, sealed: bytes, about: UUID) -> str:
        """The inverse of `seal`; `Unavailable` if the key is another one."""
        try:
            text = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.bytes)
        except InvalidTag as error:
            raise Unavailable(
                "the channel's secret does not open with this installation's key: restore the key "
                "file, or set the channel's address and secret anew"
            ) from error
        return text.decode()
