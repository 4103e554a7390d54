"""What changes nothing is counted by the hour: exactly, together, and without standing in a way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from bailiwick.core.errors import Unavailable
from bailiwick.db import Database, make_engine
from bailiwick.lifecycle import Platform
from bailiwick.policy import (
    Decision,
    DecisionCount,
    HiddenByPolicy,
    Resource,
    permit,
    require,
)
from bailiwick.policy.labels import label_id
from bailiwick.policy.tallies import Tallies
from factories import CONFIDENTIAL, Factory

LEDGER = Resource("Model", "m", "finance", CONFIDENTIAL)


@pytest.fixture
def someone(platform: Platform) -> UUID:
    """A principal whom the database knows."""
    with platform.database.transaction() as session:
        return Factory(session, platform).engineer.id


def count(tallies: Tallies, who: UUID, platform: Platform, resource_id: str = "m") -> None:
    tallies.add(
        str(who),
        "model:read",
        "Model",
        resource_id,
        namespace="finance",
        label=CONFIDENTIAL,
        bundle_digest=platform.rules.digest,
        at=platform.clock.now(),
    )


def counts(platform: Platform) -> list[DecisionCount]:
    with platform.database.reading() as session:
        return list(session.scalars(select(DecisionCount).order_by(DecisionCount.hour)))


def test_counts_of_several_processes_add_up_to_one_row_an_hour(
    platform: Platform, someone: UUID
) -> None:
    one, other = Tallies(), Tallies()
    for tallies, times in ((one, 3), (other, 4), (one, 5)):
        for _ in range(times):
            count(tallies, someone, platform)
        assert tallies.flush(platform.database) == 1
    (row,) = counts(platform)
    assert (row.allowed, row.action, row.resource_id) == (12, "model:read", "m")
    assert (row.namespace, row.label_id) == ("finance", label_id(CONFIDENTIAL))
    assert row.hour == platform.clock.now().replace(minute=0, second=0, microsecond=0)
    assert one.flush(platform.database) == 0


def test_every_hour_has_a_row_of_its_own(platform: Platform, someone: UUID) -> None:
    tallies = platform.rules.tallies
    at = platform.clock.now()
    for minutes in (0, 59, 61):
        tallies.add(
            str(someone),
            "model:read",
            "Model",
            "m",
            bundle_digest="0" * 64,
            at=at + timedelta(minutes=minutes),
        )
    tallies.flush(platform.database)
    assert [row.allowed for row in counts(platform)] == [2, 1]


def test_threads_lose_no_count_while_it_is_written(platform: Platform, someone: UUID) -> None:
    tallies = Tallies()

    def work(_: int) -> None:
        for number in range(200):
            count(tallies, someone, platform, resource_id=f"m{number % 3}")
            if number % 50 == 0:
                tallies.flush(platform.database)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    tallies.flush(platform.database)
    assert sum(row.allowed for row in counts(platform)) == 800


def test_memory_is_bounded_and_the_sum_stays_right(platform: Platform, someone: UUID) -> None:
    tallies = Tallies(bound=10)
    for number in range(100):
        count(tallies, someone, platform, resource_id=f"m{number}")
    assert len(tallies) == 11
    tallies.flush(platform.database)
    lumped = {row.resource_id: row.allowed for row in counts(platform)}
    assert (lumped["*"], sum(lumped.values())) == (90, 100)


def test_a_busy_database_keeps_the_counts_waiting(
    platform: Platform, someone: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    tallies = Tallies()
    count(tallies, someone, platform)

    def busy() -> None:
        count(tallies, someone, platform)  # meanwhile
        raise Unavailable("the database is busy")

    with monkeypatch.context() as patched:
        patched.setattr(platform.database, "transaction", busy)
        assert tallies.flush(platform.database) == 0
    tallies.flush(platform.database)
    assert [row.allowed for row in counts(platform)] == [2]


def test_counts_that_cannot_be_stored_are_dropped_with_a_line_in_the_log(
    platform: Platform, someone: UUID
) -> None:
    tallies = Tallies()
    count(tallies, uuid4(), platform)  # nobody
    with capture_logs() as lines:
        assert tallies.flush(platform.database) == 0
    assert [line["event"] for line in lines] == ["counts of decisions were dropped"]
    count(tallies, someone, platform)
    assert tallies.flush(platform.database) == 1


def test_a_database_without_tables_stops_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    tallies = Tallies()
    tallies.add(
        str(uuid4()),
        "model:read",
        "Model",
        "m",
        bundle_digest="",
        at=datetime(2026, 1, 5, tzinfo=UTC),
    )
    database = Database(make_engine(f"sqlite:///{tmp_path_factory.mktemp('none')}/x.db"))
    assert tallies.flush(database) == 0
    assert len(tallies) == 1
    database.close()


def test_readings_are_counted_and_changes_and_denials_are_not(make: Factory) -> None:
    actor, rules = make.actor(make.engineer), make.platform.rules
    before = len(rules.tallies)
    question: dict[str, Any] = {"actor": actor, "resource": LEDGER, "at": make.at}
    permit(rules, action="model:read", **question)
    require(make.session, rules, action="model:read", **question)
    assert len(rules.tallies) == before + 1
    require(make.session, rules, action="model:update", **question)
    nobody = make.actor(make.principal("nobody"))
    with pytest.raises(HiddenByPolicy):
        permit(rules, action="model:read", actor=nobody, resource=LEDGER, at=make.at)
    assert len(rules.tallies) == before + 1
    recorded = make.session.scalars(select(Decision.action).where(Decision.resource_id == "m"))
    assert recorded.all() == ["model:update"]


def test_counts_only_grow(platform: Platform, someone: UUID) -> None:
    tallies = Tallies()
    seen = 0
    for _ in range(3):
        count(tallies, someone, platform)
        tallies.flush(platform.database)
        with platform.database.reading() as session:
            now = session.execute(text("SELECT SUM(allowed) FROM decision_counts")).scalar_one()
        assert now == seen + 1
        seen = now
