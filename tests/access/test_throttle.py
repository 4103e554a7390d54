"""When signing in has failed too often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.access import (
    SignInFailure,
    check_attempt,
    forgive,
    forgive_name,
    note_attempt,
)
from bailiwick.access.throttle import LOCKED_FOR, MAX_OF_ADDRESS, MAX_OF_NAME, WINDOW
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import TooManyAttempts
from bailiwick.db import Database

HOME, AWAY = "203.0.113.7", "203.0.113.8"


@pytest.fixture
def at(clock: ReplayClock) -> datetime:
    return clock.now()


def fail(session: Session, at: datetime, *, times: int = 1, **of: str | None) -> None:
    for _ in range(times):
        note_attempt(session, **({"address": HOME, "name": "ada"} | of), at=at)  # type: ignore[arg-type]


def waits(session: Session, at: datetime, **of: str | None) -> int:
    try:
        check_attempt(session, **({"address": HOME, "name": "ada"} | of), at=at)  # type: ignore[arg-type]
    except TooManyAttempts as error:
        return int(str(error.details["retry_after_seconds"]))
    return 0


def test_five_failures_lock_a_name_from_every_address_for_fifteen_minutes(
    session: Session, at: datetime
) -> None:
    fail(session, at, times=MAX_OF_NAME - 1)
    assert waits(session, at) == 0
    fail(session, at)
    assert waits(session, at, address=AWAY) == LOCKED_FOR.total_seconds() + 1
    assert waits(session, at, name="grace") == 0
    with pytest.raises(TooManyAttempts, match="15 minutes"):
        fail(session, at)
    assert waits(session, at + LOCKED_FOR - timedelta(seconds=1)) > 0
    assert waits(session, at + LOCKED_FOR) == 0


def test_failures_far_apart_lock_nothing(session: Session, at: datetime) -> None:
    for number in range(3 * MAX_OF_NAME):
        fail(session, at + number * WINDOW / (MAX_OF_NAME - 1))


def test_the_lock_lasts_from_the_last_failure_and_not_from_the_first(
    session: Session, at: datetime
) -> None:
    fail(session, at, times=MAX_OF_NAME - 1)
    late = at + WINDOW - timedelta(seconds=1)
    fail(session, late)
    assert waits(session, late + LOCKED_FOR - timedelta(seconds=1)) > 0


def test_an_address_is_locked_whatever_names_it_tries(session: Session, at: datetime) -> None:
    for number in range(MAX_OF_ADDRESS):
        fail(session, at, name=f"name-{number}" if number % 2 else None)
    assert waits(session, at, name="fresh") > 0
    assert waits(session, at, name="fresh", address=AWAY) == 0


def test_addresses_of_one_ipv6_network_are_one(session: Session, at: datetime) -> None:
    for number in range(MAX_OF_ADDRESS):
        fail(session, at, name=None, address=f"2001:db8:0:1::{number:x}")
    assert waits(session, at, name=None, address="2001:db8:0:1:ffff::1") > 0
    assert waits(session, at, name=None, address="2001:db8:0:2::1") == 0
    assert waits(session, at, name=None, address="testclient") == 0


def test_an_ipv4_address_is_the_same_in_ipv6_clothes(session: Session, at: datetime) -> None:
    for _ in range(MAX_OF_ADDRESS):
        fail(session, at, name=None)
    assert waits(session, at, name=None, address=f"::ffff:{HOME}") > 0


def test_success_clears_the_name_and_one_failure_of_the_address(
    session: Session, at: datetime
) -> None:
    fail(session, at, times=MAX_OF_NAME - 1)
    fail(session, at)
    forgive(session, address=HOME, name="ada", at=at)
    assert waits(session, at) == 0
    assert session.scalar(select(func.count()).select_from(SignInFailure)) == MAX_OF_NAME - 1


def test_spelling_a_name_otherwise_buys_no_more_attempts(session: Session, at: datetime) -> None:
    for name in ("ada", "ADA", " Ada", "ada ", "aDa"):
        fail(session, at, name=name)
    assert waits(session, at) > 0
    forgive_name(session, "ada")
    assert waits(session, at) == 0


def test_old_failures_are_purged_and_neither_names_nor_addresses_are_kept(
    session: Session, at: datetime
) -> None:
    fail(session, at, times=3)
    fail(session, at + WINDOW + LOCKED_FOR, name=None)
    kept = session.scalars(select(SignInFailure)).all()
    assert len(kept) == 1
    assert HOME not in kept[0].key


def test_many_at_the_same_time_are_no_more_than_one_after_the_other(
    database: Database, at: datetime
) -> None:
    def attempt(_: int) -> bool:
        try:
            with database.transaction() as session:
                fail(session, at)
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(attempt, range(24)))
    assert allowed.count(True) == MAX_OF_NAME
