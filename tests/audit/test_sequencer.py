from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from bailiwick.audit import (
    AuditCheckpoint,
    AuditEvent,
    AuditLeaf,
    AuditWaiting,
    checkpoints,
    has_waiting,
    leaves,
    newest_checkpoint,
    sequencer,
    verify_log,
)
from bailiwick.audit.checkpoint import parse_and_verify
from bailiwick.audit.merkle import leaf_hash, root_of
from bailiwick.lifecycle import Platform
from support.api_audit import a_principal, sequenced, write

AT = datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_an_empty_log_has_no_checkpoint(platform: Platform) -> None:
    assert sequenced(platform) is None
    with platform.database.reading() as session:
        assert newest_checkpoint(session) is None
        assert list(leaves(session)) == []


def test_nothing_new_keeps_the_standing_checkpoint(platform: Platform) -> None:
    a_principal(platform.database, AT)
    first, again = sequenced(platform), sequenced(platform)
    assert first is not None
    assert again is not None
    assert (first.size, first.note) == (again.size, again.note)
    with platform.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditCheckpoint)) == 1


def test_what_was_rolled_back_has_no_place(platform: Platform) -> None:
    actor = a_principal(platform.database, AT)
    with platform.database.transaction() as session:
        write(session, 1, actor_id=actor, at=AT)
        session.rollback()
    checkpoint = sequenced(platform)
    assert checkpoint is not None
    assert checkpoint.size == 1


def test_growing_turn_by_turn_gives_the_tree_from_scratch(platform: Platform) -> None:
    actor = a_principal(platform.database, AT)
    for batch in (1, 3, 7, 0, 12):
        with platform.database.transaction() as session:
            for number in range(batch):
                write(session, number, actor_id=actor, at=AT)
        sequenced(platform)
    with platform.database.reading() as session:
        bodies = list(leaves(session))
        signed = [parse_and_verify(note, platform.signer().vkey) for note in checkpoints(session)]
    assert [checkpoint.size for checkpoint in signed] == [2, 5, 12, 24]
    for checkpoint in signed:
        assert checkpoint.root == root_of(leaf_hash(body) for body in bodies[: checkpoint.size])


def test_more_events_than_a_batch_are_all_placed_in_one_turn(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "BATCH_LEAVES", 4)
    actor = a_principal(platform.database, AT)
    with platform.database.transaction() as session:
        for number in range(10):
            write(session, number, actor_id=actor, at=AT)
        assert has_waiting(session)
    checkpoint = sequenced(platform)
    assert checkpoint is not None
    assert checkpoint.size == 11
    with platform.database.reading() as session:
        assert not has_waiting(session)


def test_writers_and_sequencers_at_once_leave_a_gapless_log_that_verifies(
    platform: Platform,
) -> None:
    database = platform.database
    actor = a_principal(database, AT)

    def writer(number: int) -> None:
        for step in range(8):
            with database.transaction() as session:
                write(session, 100 * number + step, actor_id=actor, at=AT)

    def sequencer_turns(_: int) -> None:
        for _ in range(6):
            sequenced(platform)

    with ThreadPoolExecutor(6) as threads:
        work = [threads.submit(writer, number) for number in range(4)]
        work += [threads.submit(sequencer_turns, number) for number in range(2)]
        for done in work:
            done.result()
    sequenced(platform)
    with database.reading() as session:
        indexes = list(session.scalars(select(AuditLeaf.index).order_by(AuditLeaf.index)))
        assert indexes == list(range(33))
        assert session.scalar(select(func.count()).select_from(AuditEvent)) == 33
        assert session.scalar(select(func.count()).select_from(AuditWaiting)) == 0
        sizes = list(session.scalars(select(AuditCheckpoint.size).order_by(AuditCheckpoint.size)))
        assert all(before < after for before, after in pairwise(sizes))
        assert verify_log(session, platform.signer().verifier).ok
