"""Every route asked by every role about every label, and what an independent rule expects.

The rule knows the table of roles (policies/tests/roles.yaml) and that nobody reads up; it knows
nothing of Cedar, of the routes' code, or of how lists are filtered.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from bailiwick.db import Database
from support.api_routes import Operation

ROLES = ("admin", "approver", "auditor", "engineer", "service", "steward")
MATRIX: dict[str, list[str]] = yaml.safe_load(
    (Path(__file__).parents[2] / "policies" / "tests" / "roles.yaml").read_text("utf-8")
)
NOBODY = "nobody"
# Things of the installation itself: no namespace and no label, only roles held everywhere.
INSTALLATION = (
    "access-review",
    "audit",
    "channels",
    "classifications",
    "environments",
    "groups",
    "me",
    "metrics",
    "policies",
    "principal-names",
    "principals",
    "tokens",
)
# Whose existence is secret to whom may not do this with them.
READING = {
    "channels": "channel:read",
    "environments": "environment:read",
    "groups": "group:read",
    "principals": "principal:read",
    "tokens": "token:list",
}
# What nobody does before another person has approved it.
NEEDS_ANOTHER = {"bundle:activate"}
SIGNED_IN = {"classification:read", "policy:read", "principal:name", "self:read", "self:update"}
# What is asked about does not exist yet: its label is that of the request, which all may read.
CREATIONS = {"POST /models", "POST /datasets"}
# What carries no label: who holds a role in its namespace may know of it.
UNLABELLED = {"POST /delegations", "DELETE /delegations/{delegation_id}"}
# What a role may do to its own things only; here they are somebody else's.
WITH_ONES_OWN = {("DELETE /delegations/{delegation_id}", "approver")}


class Outcome(StrEnum):
    """What a caller can tell from an answer."""

    ANSWERED = "answered"  # by the use case: done, or refused for what was sent
    DENIED = "denied"  # one may know that it is there, and may not do this
    ABSENT = "absent"
    UNKNOWN = "unknown caller"


@dataclass(frozen=True)
class Asker:
    """Somebody with one role at one place, cleared for the middle label."""

    name: str
    role: str
    here: bool  # in the namespace of the things that are asked about


class Undone(Database):
    """A database on which every request runs to its end and leaves nothing behind."""

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """As ever, but rolled back instead of committed."""
        with super().transaction() as session:
            yield session
            session.flush()
            session.rollback()


def outcome(answer: Any) -> Outcome:
    """How it looks from outside."""
    by_status = {401: Outcome.UNKNOWN, 404: Outcome.ABSENT}
    if answer.status_code == 403:
        return Outcome.DENIED
    return by_status.get(answer.status_code, Outcome.ANSWERED)


def expected(operation: Operation, asker: Asker, *, readable: bool) -> Outcome:
    """What the table of roles and the order of labels say. `readable`: within the clearance."""
    path = operation.path.removeprefix("/api/v1")
    action = str(operation.action)
    holds = asker.here and asker.role != NOBODY
    may = holds and asker.role in MATRIX[action]
    root = path.strip("/").split("/")[0]
    if root in INSTALLATION:
        return _about_the_installation(root, action, asker, may=may)
    if action.endswith(":list") and "{" not in path:
        return Outcome.ANSWERED  # with the rows that one may see, which may be none
    route = f"{operation.method} {path}"
    if not holds or not (readable or route in CREATIONS | UNLABELLED):
        return Outcome.ABSENT
    may = may and (route, asker.role) not in WITH_ONES_OWN
    return Outcome.ANSWERED if may else Outcome.DENIED


def _about_the_installation(root: str, action: str, asker: Asker, *, may: bool) -> Outcome:
    may = may and action not in NEEDS_ANOTHER
    if may or action in SIGNED_IN:
        return Outcome.ANSWERED
    if MATRIX[action] == list(ROLES):  # for whoever holds a role anywhere
        return Outcome.DENIED if asker.role == NOBODY else Outcome.ANSWERED
    if root not in READING or action.endswith(":list"):
        return Outcome.DENIED
    knows = asker.here and asker.role in MATRIX[READING[root]]
    return Outcome.DENIED if knows else Outcome.ABSENT
