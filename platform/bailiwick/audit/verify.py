"""Verifying the log where it stands: the database's rows against its own signed checkpoints."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from bailiwick.audit.checkpoint import Verifier, parse_and_verify
from bailiwick.audit.log import timestamp
from bailiwick.audit.merkle import Frontier, ProofError, leaf_hash
from bailiwick.audit.sequencer import newest_checkpoint
from bailiwick.audit.tables import AuditCheckpoint, AuditEvent, AuditLeaf, AuditWaiting
from bailiwick.db.base import Base

Leaves = Iterator[Row[AuditLeaf, AuditEvent]]
Sizes = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LogReport:
    """What verification found. `waiting` events have been committed but not sequenced yet."""

    ok: bool
    size: int
    root: str | None
    signed_at: datetime | None
    checkpoints: int
    waiting: int
    problem: str | None


def verify_log(session: Session, verifier: Verifier) -> LogReport:
    """Recompute every leaf and every checkpoint's root from the stored bytes.

    Finds a changed, removed, inserted or reordered event, columns that say other things than
    the event's bytes, an event that was kept out of the tree, a forged or replaced checkpoint.
    Wants one consistent view (`Database.reading`), or a sequencer at work looks like tampering.
    NOT found: a log that was cut off, or wholly rewritten by the holder of the key; for that
    an outsider compares with a checkpoint kept elsewhere (`audit verify --checkpoint`).
    """
    newest = newest_checkpoint(session)
    waiting = _count(session, AuditWaiting)
    problem: str | None = None
    checked = 0
    try:
        checked = _recompute(session, verifier)
    except ProofError as error:
        problem = error.message
    return LogReport(
        ok=problem is None,
        size=newest.size if newest else 0,
        root=newest.root.hex() if newest else None,
        signed_at=newest.at if newest else None,
        checkpoints=checked,
        waiting=waiting,
        problem=problem,
    )


def _recompute(session: Session, verifier: Verifier) -> int:
    notes = session.scalars(
        select(AuditCheckpoint).order_by(AuditCheckpoint.size).execution_options(yield_per=1_000)
    )
    leaves = session.execute(
        select(AuditLeaf, AuditEvent)
        .join(AuditEvent, AuditEvent.id == AuditLeaf.event_id)
        .order_by(AuditLeaf.index)
        .execution_options(yield_per=1_000)
    )
    with closing(notes), closing(leaves):
        size, checked = _compare(notes, leaves, verifier)
    lost = _count(session, AuditEvent) - _count(session, AuditWaiting) - size
    if lost != 0:
        raise ProofError(f"{lost} events have no place in the tree and do not wait for one")
    return checked


def _compare(notes: Iterable[AuditCheckpoint], leaves: Leaves, verifier: Verifier) -> Sizes:
    """Walk leaves and checkpoints side by side; how many there are of both."""
    frontier = Frontier()
    checked = 0
    for checkpoint in notes:
        signed = parse_and_verify(checkpoint.note, verifier)
        if (signed.size, signed.root) != (checkpoint.size, checkpoint.root):
            raise ProofError(f"checkpoint {checkpoint.size} says other things than its signed note")
        while frontier.size < signed.size:
            frontier.append(_next_leaf(leaves, frontier.size))
        if frontier.root() != signed.root:
            raise ProofError(
                f"the events up to index {signed.size - 1} do not give the root that was signed: "
                "an event was changed, added or removed"
            )
        checked += 1
    if next(leaves, None) is not None:
        raise ProofError(f"an event at index {frontier.size} is covered by no signed checkpoint")
    return frontier.size, checked


def _count(session: Session, table: type[Base]) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _next_leaf(leaves: Leaves, expected: int) -> bytes:
    found = next(leaves, None)
    if found is None or found[0].index != expected:
        raise ProofError(f"the event at index {expected} is missing")
    leaf, event = found
    actual = leaf_hash(event.body)
    if actual != leaf.leaf_hash:
        raise ProofError(f"the event at index {expected} was changed after it was recorded")
    if _searchable(event) != json.loads(event.body) | {"details": None}:
        raise ProofError(
            f"the columns by which the event at index {expected} is found say other things than "
            "its recorded bytes"
        )
    return actual


def _searchable(event: AuditEvent) -> dict[str, Any]:
    """What an event's columns say, in the shape of its body."""
    return {
        "id": str(event.id),
        "at": timestamp(event.at),
        "actor": str(event.actor_id),
        "action": event.action,
        "subject": {"type": event.subject_type, "id": event.subject_id},
        "details": None,
    }
