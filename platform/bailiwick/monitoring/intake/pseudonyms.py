"""Subjects and join keys are kept as HMAC-SHA256 under a key of the installation (RFC 2104).

Equal values stay equal, so that one can look for them, and without the key nobody can try out
names or invoice numbers. What is not guaranteed: whoever holds the key can.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from bailiwick.core.errors import Unavailable
from bailiwick.core.keyfiles import create_once

KEY_BYTES = 32
CATEGORY_DIGITS = 12


class Pseudonyms:
    """The names that go into the database in place of the real ones."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def subjects(self, values: Iterable[str | None]) -> list[str | None]:
        """Of people and companies: the same in every deployment."""
        return self._hashed(b"subject\0", values)

    def join_keys(self, values: Iterable[str | None]) -> list[str | None]:
        """Of what a record is about, such as an invoice's number."""
        return self._hashed(b"join\0", values)

    def text_keys(self, values: Iterable[str | None]) -> list[str | None]:
        """Of what is equal for equal texts, short: it is compared and counted.

        Keyed BLAKE2b (RFC 7693), as every record may have two: a third of the time of an HMAC.
        """
        start = blake2b(key=self._key[: blake2b.MAX_KEY_SIZE], digest_size=8, person=b"text")

        def hashed(value: str) -> str:
            own = start.copy()
            own.update(value.encode(errors="surrogatepass"))
            return own.hexdigest()

        return [None if value is None else hashed(value) for value in values]

    def categories(
        self, rows: Sequence[Mapping[str, float | str | None] | None]
    ) -> list[dict[str, float | str | None] | None]:
        """Of features that are no numbers, short: they are compared, counted and never read."""
        known: dict[str, str] = {}

        def hashed(value: float | str | None) -> float | str | None:
            if not isinstance(value, str):
                return value
            if value not in known:
                (whole,) = self._hashed(b"category\0", [value])
                known[value] = f"#{whole[:CATEGORY_DIGITS]}" if whole else value
            return known[value]

        return [
            {name: hashed(value) for name, value in row.items()} if row else None for row in rows
        ]

    def _hashed(self, kind: bytes, values: Iterable[str | None]) -> list[str | None]:
        key = self._key
        values = list(values)
        if not any(values):
            return [None] * len(values)
        return [
            None
            if value is None
            else hmac.digest(key, kind + value.encode(errors="surrogatepass"), "sha256").hex()
            for value in values
        ]


def load_or_create_key(path: Path) -> bytes:
    """The key of a file, made with mode 0600 if there is none; one process makes it, all load it.

    Raises `Unavailable` for a file that cannot be used.
    """
    try:
        if not path.exists():
            create_once(path, secrets.token_hex(KEY_BYTES).encode())
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"the key file {path} cannot be used ({type(error).__name__}); restore it from a "
            "backup: without it no subject and no join key is found again"
        ) from error
    if len(key) < KEY_BYTES:
        raise Unavailable(f"the key in {path} is too short; restore it from a backup")
    return key
