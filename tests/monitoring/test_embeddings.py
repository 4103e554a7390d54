"""Embeddings as eight bounded numbers: the same for ever, and moved by what texts are about."""

import doctest

import numpy as np

from bailiwick.monitoring import embeddings
from bailiwick.monitoring.embeddings import (
    DIRECTIONS,
    EMBEDDING_BYTES,
    directions_of,
    packed,
    packed_rows,
    unpacked,
)

RANDOM = np.random.default_rng(41)


def test_doctests_hold() -> None:
    assert doctest.testmod(embeddings).failed == 0


def test_the_draw_is_the_same_for_ever() -> None:
    """Whatever NumPy's version: what is stored today is compared with what comes in years."""
    found = directions_of(np.array([[0.6, -0.8, 0.0], [3.0, -4.0, 0.0]]))
    assert found[0].tolist() == [-2652, -428, -962, 7534, 1586, -197, 5923, -4044]
    assert (found[0] == found[1]).all()  # only where it points matters


def test_what_is_packed_unpacks_the_same() -> None:
    found = directions_of(RANDOM.normal(size=(50, 384)))
    assert [len(one) for one in packed(found)] == [EMBEDDING_BYTES] * 50
    assert (unpacked(packed(found)) == found).all()
    assert unpacked([]).shape == (0, DIRECTIONS)


def test_embeddings_come_in_any_length_or_not_at_all() -> None:
    rows = [[1.0, 0.0], None, [0.5, 0.5, 0.5], [0.0, 1.0], [0.0, 0.0]]
    found = packed_rows(rows)
    assert found[1] is None
    for place in (0, 2, 3, 4):
        assert found[place] == packed(directions_of(np.array([rows[place]])))[0]


def test_close_and_spread_out_encoders_both_move_some_direction() -> None:
    common = np.zeros(128)
    common[0] = 1.0
    for width in (0.02, 1.0):  # of the cloud of texts around what all have in common
        cloud = common + width * RANDOM.normal(size=(2_000, 128))
        moved = cloud + width * np.eye(128)[1] * 3
        before, after = directions_of(cloud), directions_of(moved)
        shift = np.abs(after.mean(axis=0) - before.mean(axis=0)) / before.std(axis=0)
        assert shift.max() > 0.2
