"""Whoever can write to the database past its triggers is found out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, delete, insert, select, update

from bailiwick.audit import (
    AuditCheckpoint,
    AuditEvent,
    AuditLeaf,
    AuditWaiting,
    Checkpoint,
    LogReport,
    Signer,
    verify_log,
)
from bailiwick.audit.merkle import leaf_hash
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import Platform
from support.api_audit import a_principal, behind_the_triggers, sequenced, write

AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
SIZE = 7


@dataclass
class Log:
    """A log of seven events in two checkpoints (4 and 7), and whoever tampers with it."""

    platform: Platform
    actor: UUID
    other: UUID
    ids: list[UUID]

    def tamper(self, change: Callable[[Connection, "Log"], object]) -> LogReport:
        """The report on the log after the change."""
        with behind_the_triggers(self.platform.database.engine) as connection:
            change(connection, self)
        return self.report()

    def report(self) -> LogReport:
        """What verification says."""
        with self.platform.database.reading() as session:
            return verify_log(session, self.platform.signer().verifier)


@pytest.fixture
def log(platform: Platform) -> Log:
    """A sound log."""
    actor = a_principal(platform.database, AT)
    other = a_principal(platform.database, AT, "other")
    ids = []
    for batch in (2, 3):
        with platform.database.transaction() as session:
            ids += [write(session, number, actor_id=actor, at=AT) for number in range(batch)]
        sequenced(platform)
    return Log(platform, actor, other, ids)


def of(index: int) -> Any:
    """The event with that index."""
    return AuditEvent.id.in_(select(AuditLeaf.event_id).where(AuditLeaf.index == index))


def test_a_sound_log_verifies(log: Log) -> None:
    report = log.report()
    assert report.ok
    assert (report.size, report.checkpoints, report.waiting) == (SIZE, 2, 0)
    assert report.problem is None
    assert report.root is not None


def test_events_that_wait_are_counted_and_no_problem(log: Log) -> None:
    with log.platform.database.transaction() as session:
        write(session, 9, actor_id=log.actor, at=AT)
    report = log.report()
    assert (report.ok, report.waiting) == (True, 1)


def set_event(**values: Any) -> Callable[[Connection, Log], object]:
    """Change columns of the event at index 3."""
    return lambda connection, _: connection.execute(update(AuditEvent).where(of(3)).values(values))


def changed_body(connection: Connection, _: Log) -> None:
    body = connection.execute(select(AuditEvent.body).where(of(3))).scalar_one()
    forged = body.replace(b'"number":1', b'"number":8')
    assert forged != body
    connection.execute(update(AuditEvent).where(of(3)).values(body=forged))


def changed_body_and_leaf(connection: Connection, log: Log) -> None:
    changed_body(connection, log)
    body = connection.execute(select(AuditEvent.body).where(of(3))).scalar_one()
    connection.execute(
        update(AuditLeaf).where(AuditLeaf.index == 3).values(leaf_hash=leaf_hash(body))
    )


def changed_actor(connection: Connection, log: Log) -> None:
    connection.execute(update(AuditEvent).where(of(3)).values(actor_id=log.other))


def swapped(connection: Connection, _: Log) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        connection.execute(update(AuditLeaf).where(AuditLeaf.index == old).values(index=new))


def moved(connection: Connection, _: Log) -> None:
    connection.execute(update(AuditLeaf).where(AuditLeaf.index == 6).values(index=7))


def event_removed(connection: Connection, _: Log) -> None:
    connection.execute(delete(AuditEvent).where(of(3)))


def event_and_leaf_removed(connection: Connection, log: Log) -> None:
    event_id = connection.execute(
        select(AuditLeaf.event_id).where(AuditLeaf.index == SIZE - 1)
    ).scalar_one()
    connection.execute(delete(AuditLeaf).where(AuditLeaf.event_id == event_id))
    connection.execute(delete(AuditEvent).where(AuditEvent.id == event_id))
    assert log.ids


def leaf_removed(connection: Connection, _: Log) -> None:
    connection.execute(delete(AuditLeaf).where(AuditLeaf.index == 3))


def event_inserted(connection: Connection, log: Log) -> None:
    """With a place of its own behind the last checkpoint."""
    body = b"{}"
    identifier = new_id()
    values = {
        "id": identifier,
        "at": AT,
        "actor_id": log.actor,
        "action": "forged",
        "subject_type": "x",
        "subject_id": "1",
        "body": body,
    }
    connection.execute(insert(AuditEvent).values(values))
    connection.execute(
        insert(AuditLeaf).values(index=SIZE, event_id=identifier, leaf_hash=leaf_hash(body))
    )


def kept_out(connection: Connection, log: Log) -> None:
    """An event that the sequencer was never told of."""
    values = {
        "id": new_id(),
        "at": AT,
        "actor_id": log.actor,
        "action": "hidden",
        "subject_type": "x",
        "subject_id": "1",
        "body": b"{}",
    }
    connection.execute(insert(AuditEvent).values(values))


def called_back(connection: Connection, log: Log) -> None:
    """An event with a place that waits for another one."""
    connection.execute(insert(AuditWaiting).values(event_id=log.ids[0]))


def set_checkpoint(**values: Any) -> Callable[[Connection, Log], object]:
    """Change columns of the first checkpoint."""
    first = AuditCheckpoint.size == 4
    return lambda connection, _: connection.execute(
        update(AuditCheckpoint).where(first).values(values)
    )


def checkpoint_of_another_key(connection: Connection, log: Log) -> None:
    """All of the log rewritten and signed, though not by whoever holds the key."""
    stranger = Signer(log.platform.signer().name, Ed25519PrivateKey.generate())
    rows = connection.execute(select(AuditCheckpoint.size, AuditCheckpoint.root)).all()
    for size, root in rows:
        note = stranger.sign(Checkpoint(stranger.name, size, root))
        connection.execute(
            update(AuditCheckpoint).where(AuditCheckpoint.size == size).values(note=note)
        )


def checkpoint_removed(connection: Connection, _: Log) -> None:
    connection.execute(delete(AuditCheckpoint).where(AuditCheckpoint.size == SIZE))


def every_checkpoint_removed(connection: Connection, _: Log) -> None:
    connection.execute(delete(AuditCheckpoint))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed_body, "index 3 was changed"),
        (changed_body_and_leaf, "do not give the root that was signed"),
        (changed_actor, "columns by which the event at index 3"),
        (set_event(at=AT.replace(year=2020)), "columns by which the event at index 3"),
        (set_event(action="thing.kept"), "columns by which the event at index 3"),
        (set_event(subject_type="person"), "columns by which the event at index 3"),
        (set_event(subject_id="77"), "columns by which the event at index 3"),
        (swapped, "do not give the root that was signed"),
        (moved, "index 6 is missing"),
        (event_removed, "index 3 is missing"),
        (event_and_leaf_removed, "index 6 is missing"),
        (leaf_removed, "index 3 is missing"),
        (event_inserted, "index 7 is covered by no signed checkpoint"),
        (kept_out, "1 events have no place"),
        (called_back, "have no place"),
        (set_checkpoint(size=5), "says other things than its signed note"),
        (set_checkpoint(root=b"\0" * 32), "says other things than its signed note"),
        (set_checkpoint(note="forged"), "signed note"),
        (checkpoint_of_another_key, "is not signed by"),
        (checkpoint_removed, "covered by no signed checkpoint"),
        (every_checkpoint_removed, "covered by no signed checkpoint"),
    ],
)
def test_tampering_is_found_and_named(
    log: Log, change: Callable[[Connection, Log], object], said: str
) -> None:
    report = log.tamper(change)
    assert not report.ok
    assert said in str(report.problem)


def test_the_api_says_so_too_and_puts_no_content_into_it(log: Log) -> None:
    report = log.tamper(changed_body)
    assert "number" not in str(report.problem)
