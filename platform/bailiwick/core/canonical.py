"""Canonical JSON (RFC 8785): the exact bytes that are hashed, signed and stored."""

import hashlib
from typing import Any

import rfc8785


def canonical_bytes(value: Any) -> bytes:
    """`value` as RFC 8785 canonical JSON; integers beyond 2^53 and NaN are refused."""
    return rfc8785.dumps(value)


def sha256_hex(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256 over the canonical JSON of `value`."""
    return sha256_hex(canonical_bytes(value))
