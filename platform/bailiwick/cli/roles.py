"""Roles as people write and read them: `engineer@finance/models/coder (team)`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

EVERY_NAMESPACE = "*"
Namespace = Annotated[str, typer.Option(help="Only in this namespace.", show_default="every one")]
On = Annotated[
    str | None,
    typer.Option(help="Only on this object of it: models/NAME, datasets/NAME, deployments/NAME."),
]


class Role(StrEnum):
    """What one may do."""

    ADMIN = "admin"
    STEWARD = "steward"
    ENGINEER = "engineer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    SERVICE = "service"


def place_of(held: Mapping[str, Any]) -> str:
    """Where a role is held: `*`, `finance` or `finance/models/coder`."""
    return "/".join(part for part in (held["namespace"], held["object"]) if part)


def roles_of(holder: Mapping[str, Any]) -> str:
    """All roles of a principal or group on one line."""
    return ", ".join(map(_role, holder["roles"]))


def _role(held: Mapping[str, Any]) -> str:
    place = place_of(held)
    where = "" if place == EVERY_NAMESPACE else f"@{place}"
    group = held.get("group")
    return f"{held['role']}{where}" + (f" ({group})" if group else "")
