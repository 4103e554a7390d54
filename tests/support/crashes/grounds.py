"""What cells are compared with."""

from dataclasses import dataclass
from typing import Any

from support.crashes.installations import Installation


@dataclass(frozen=True)
class Ground:
    """An installation before its work, and what it is like after undisturbed work."""

    installation: Installation
    before: dict[str, Any]
    after: dict[str, Any]
    attempts: list[str]
