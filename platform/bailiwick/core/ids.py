"""Identifiers: UUIDv7 (RFC 9562), so that ids sort by creation."""

from uuid import UUID

import uuid6


def new_id() -> UUID:
    """A fresh UUIDv7, increasing within this process."""
    return UUID(int=uuid6.uuid7().int)
