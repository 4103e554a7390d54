"""The clock, ids, canonical bytes and the files that travel beside the code."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.core.canonical import canonical_bytes, digest_of
from bailiwick.core.clock import ReplayClock, SystemClock
from bailiwick.core.ids import new_id, new_ids
from bailiwick.core.resources import bundled

START = datetime(2026, 1, 5, tzinfo=UTC)


def test_ids_are_uuid_version_7_and_sort_by_creation() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {identifier.version for identifier in ids} == {7}
    assert sorted(ids, key=str) == ids


def test_the_system_clock_is_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


@given(st.lists(st.integers(-1_000_000, 1_000_000)))
def test_a_replay_clock_moves_when_told_and_never_back(seconds: list[int]) -> None:
    clock = ReplayClock(START)
    reached = clock.now()
    for offset in seconds:
        clock.advance_to(START + timedelta(seconds=offset))
        assert clock.now() == max(reached, START + timedelta(seconds=offset))
        reached = clock.now()


def test_a_replay_clock_answers_in_utc_whatever_it_is_told() -> None:
    clock = ReplayClock(datetime(2026, 1, 5, 9, tzinfo=timezone(timedelta(hours=9))))
    assert (clock.now(), clock.now().utcoffset()) == (START, timedelta(0))


def test_equal_values_have_equal_bytes_in_any_order_of_keys() -> None:
    assert canonical_bytes({"b": [1.0, "ä"], "a": None}) == '{"a":null,"b":[1,"ä"]}'.encode()
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {1: "x"}])
def test_what_json_cannot_say_exactly_is_refused(value: object) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_bytes(value)


def test_migrations_and_policies_are_found_beside_the_code() -> None:
    assert (bundled("migrations") / "env.py").is_file()
    assert (bundled("policies") / "classification.yaml").is_file()


def test_ids_of_a_batch_are_uuids_of_version_7_that_sort_after_all_before_them() -> None:
    before = new_id()
    batch = new_ids(5_000)
    after = new_id()
    assert len(set(batch)) == 5_000
    assert [before, *batch, after] == sorted([before, *batch, after])
    assert {(one.version, one.variant) for one in batch} == {(7, RFC_4122)}
    assert new_ids(0) == []
