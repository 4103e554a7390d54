"""Argon2id in a millisecond."""

from typing import Any

from argon2 import PasswordHasher

from bailiwick.access import Hasher

CHEAP: dict[str, Any] = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


def cheap_hasher() -> Hasher:
    """The real algorithm with parameters that protect nothing."""
    return Hasher(PasswordHasher(**CHEAP))
