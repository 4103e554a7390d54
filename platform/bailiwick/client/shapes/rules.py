"""Rules and their use, the audit log, and who may do what."""

from typing import Any, TypedDict


class AuditEvent(TypedDict):
    """One event; `index` is its place in the tree, None until it has one."""

    index: int | None
    event: dict[str, Any]


class Checkpoint(TypedDict):
    """The newest signed statement of the audit log's size and root."""

    size: int
    root: str
    note: str
    vkey: str
    at: str


class Verification(TypedDict):
    """The result of recomputing the whole audit log."""

    ok: bool
    size: int
    root: str | None
    signed_at: str | None
    checkpoints: int
    waiting: int
    problem: str | None
