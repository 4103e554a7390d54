"""Migrations: up, down, up; equal to the tables; safe with data and with company."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

import bailiwick.web.tables  # noqa: F401 - the only tables that nothing else here imports
from bailiwick.access import create_principal, find_principal
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid, Unavailable
from bailiwick.db import Base, Database, make_engine, migrate
from support.databases import Databases

Description = dict[str, Any]


@pytest.fixture
def empty(databases: Databases) -> Iterator[Engine]:
    """A database without tables."""
    engine = make_engine(databases.empty())
    yield engine
    engine.dispose()


def tables_of(engine: Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}


def described(engine: Engine) -> dict[str, Description]:
    inspector = sa.inspect(engine)
    return {
        name: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(name)
            },
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": by_name(inspector.get_foreign_keys(name)),
            "unique": by_name(inspector.get_unique_constraints(name)),
            "checks": by_name(inspector.get_check_constraints(name)),
            "indexes": by_name(inspector.get_indexes(name)),
        }
        for name in sorted(tables_of(engine))
    }


def by_name(items: Any) -> dict[str, Any]:
    return {item["name"]: plain(item) for item in items}


def plain(value: Any) -> Any:
    """A partial index's condition is an expression, which equals no other: its text does."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, sa.ClauseElement) else value


def test_up_down_up_leaves_the_same_tables_and_down_leaves_none(empty: Engine) -> None:
    migrate.upgrade(empty)
    first = described(empty)
    migrate.downgrade(empty, "base")
    assert tables_of(empty) == set()
    assert migrate.current(empty) is None
    migrate.upgrade(empty)
    assert described(empty) == first
    assert migrate.current(empty) == migrate.head()


def test_each_migration_alone_goes_down_and_up_again(empty: Engine) -> None:
    migrate.upgrade(empty)
    before = described(empty)
    migrate.downgrade(empty, "-1")
    assert described(empty) != before
    migrate.upgrade(empty)
    assert described(empty) == before


def test_alembic_finds_no_difference_between_migrations_and_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_make_exactly_what_the_tables_say(database: Database, empty: Engine) -> None:
    """Beyond what Alembic compares: CHECK constraints, primary keys, every name."""
    with empty.begin() as connection:
        Base.metadata.create_all(connection)
    assert described(database.engine) == described(empty)


def test_every_constraint_and_index_has_a_name_of_ours(database: Database) -> None:
    for table, description in described(database.engine).items():
        named = [description["primary key"]["name"]] + [
            name
            for kind in ("foreign keys", "unique", "checks", "indexes")
            for name in description[kind]
        ]
        strange = [
            name for name in named if not name.startswith(("pk_", "fk_", "uq_", "ck_", "ix_"))
        ]
        assert strange == [], table


def test_a_filled_database_keeps_its_rows_through_an_upgrade(
    database: Database, clock: ReplayClock
) -> None:
    with database.transaction() as session:
        create_principal(
            session, "ada", kind="person", clearance_level="public", actor_id=None, at=clock.now()
        )
    migrate.downgrade(database.engine, "202611221700")
    migrate.upgrade(database.engine)
    with database.reading() as session:
        assert find_principal(session, "ada").clearance_level == "public"


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    before = described(database.engine)
    migrate.upgrade(database.engine)
    assert described(database.engine) == before


def test_several_processes_may_upgrade_at_once(databases: Databases) -> None:
    url = databases.empty()
    problems: list[BaseException] = []
    together = threading.Barrier(4)

    def start() -> None:
        engine = make_engine(url)
        together.wait()
        try:
            migrate.upgrade(engine)
            migrate.check_current(engine)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            problems.append(error)
        engine.dispose()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bailiwick.db.history.protect", fail)
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(empty)
    assert tables_of(empty) == set()
    assert migrate.current(empty) is None


def test_a_database_without_tables_is_not_current_and_says_what_to_run(empty: Engine) -> None:
    with pytest.raises(Unavailable, match=r"no Bailiwick tables yet; run `bailiwick db upgrade`"):
        migrate.check_current(empty)


def test_older_tables_are_not_current_and_say_what_to_run(database: Database) -> None:
    migrate.check_current(database.engine)
    migrate.downgrade(database.engine, "-1")
    with pytest.raises(Unavailable, match=r"older Bailiwick .* run `bailiwick db upgrade`"):
        migrate.check_current(database.engine)


def test_tables_of_a_newer_bailiwick_are_left_alone(database: Database) -> None:
    with database.transaction() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '209901010000'"))
    for use in (migrate.check_current, migrate.upgrade):
        with pytest.raises(Unavailable, match="newer Bailiwick"):
            use(database.engine)


def test_an_unknown_revision_is_refused_and_the_known_ones_are_named(database: Database) -> None:
    with pytest.raises(Invalid, match=rf"the revisions are base, .*{migrate.head()}"):
        migrate.downgrade(database.engine, "nonsense")
    migrate.check_current(database.engine)
