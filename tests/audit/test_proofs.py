from datetime import UTC, datetime

import pytest

from bailiwick.audit import leaves, newest_checkpoint, prove_consistency, prove_inclusion
from bailiwick.audit.merkle import (
    ProofError,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from bailiwick.core.errors import Invalid, NotFound
from bailiwick.lifecycle import Platform
from support.api_audit import a_principal, sequenced, write

SIZE = 9


@pytest.fixture
def log(platform: Platform) -> Platform:
    """Nine events with a place."""
    at = datetime(2026, 1, 5, 8, tzinfo=UTC)
    actor = a_principal(platform.database, at)
    with platform.database.transaction() as session:
        for number in range(SIZE - 1):
            write(session, number, actor_id=actor, at=at)
    sequenced(platform)
    return platform


def test_every_event_is_proved_in_every_tree_that_holds_it(log: Platform) -> None:
    with log.database.reading() as session:
        bodies = list(leaves(session))
        for size in range(1, SIZE + 1):
            root = root_of(leaf_hash(body) for body in bodies[:size])
            for index in range(size):
                leaf, path = prove_inclusion(session, index, size)
                assert leaf == leaf_hash(bodies[index])
                verify_inclusion(leaf, index, size, path, root)


def test_every_tree_is_proved_to_have_grown_from_every_earlier_one(log: Platform) -> None:
    with log.database.reading() as session:
        hashes = [leaf_hash(body) for body in leaves(session)]
        newest = newest_checkpoint(session)
        assert newest is not None
        for old in range(1, SIZE + 1):
            path = prove_consistency(session, old, SIZE)
            verify_consistency(old, root_of(hashes[:old]), SIZE, newest.root, path)


def test_a_proof_proves_nothing_else(log: Platform) -> None:
    with log.database.reading() as session:
        leaf, path = prove_inclusion(session, 3, SIZE)
        newest = newest_checkpoint(session)
        assert newest is not None
        with pytest.raises(ProofError):
            verify_inclusion(leaf, 4, SIZE, path, newest.root)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (4, 3), (0, 0)])
def test_a_place_outside_the_tree_is_refused(log: Platform, index: int, size: int) -> None:
    with log.database.reading() as session, pytest.raises(Invalid, match="below size"):
        prove_inclusion(session, index, size)


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3), (-1, 3)])
def test_a_tree_cannot_shrink(log: Platform, old: int, size: int) -> None:
    with log.database.reading() as session, pytest.raises(Invalid, match="old_size"):
        prove_consistency(session, old, size)


def test_a_tree_that_is_not_there_yet_is_told_with_the_present_size(log: Platform) -> None:
    with log.database.reading() as session:
        with pytest.raises(NotFound, match="has 9 leaves, not 10"):
            prove_inclusion(session, 0, SIZE + 1)
        with pytest.raises(NotFound, match="has 9 leaves, not 10"):
            prove_consistency(session, 1, SIZE + 1)
