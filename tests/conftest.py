"""The real thing for every test: a migrated database of its own, blobs, a clock, the platform.

SQLite unless BAILIWICK_TEST_POSTGRES is set (a private server is started for the run) or
BAILIWICK_DATABASE_URL names a PostgreSQL server (databases are created beside that one and
dropped again; what is there is not touched).
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from bailiwick.blobs import BlobStore
from bailiwick.core.clock import ReplayClock
from bailiwick.core.settings import Settings
from bailiwick.db import Database, make_engine
from bailiwick.lifecycle import Platform, open_platform
from factories import Factory
from support import postgresql
from support.databases import Databases, PostgresqlDatabases, SqliteDatabases, make_sqlite_template

TEMPLATE = pytest.StashKey[str]()
SERVER = pytest.StashKey[ExitStack]()
OUR_VARIABLES = "BAILIWICK_"


def pytest_configure(config: pytest.Config) -> None:
    """The process that pytest was called in starts the server; its workers are told about it."""
    told = getattr(config, "workerinput", None)  # pytest-xdist gives it to its workers
    if told is not None:
        config.stash[TEMPLATE] = told["template"]
        return
    config.stash[TEMPLATE] = ""
    given = os.environ.get("BAILIWICK_DATABASE_URL", "")
    external = given if given.startswith("postgresql") else None
    if external is None and not os.environ.get("BAILIWICK_TEST_POSTGRES"):
        return
    with ExitStack() as stack:
        server = external or stack.enter_context(postgresql.private_server())
        config.stash[TEMPLATE] = stack.enter_context(postgresql.migrated_template(server))
        config.stash[SERVER] = stack.pop_all()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker where the template is."""
    node.workerinput["template"] = node.config.stash[TEMPLATE]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what `pytest_configure` started."""
    if SERVER in config.stash:
        config.stash[SERVER].close()


def pytest_report_header(config: pytest.Config) -> str:
    """Say which database this run is about."""
    return f"database: {'PostgreSQL' if config.stash[TEMPLATE] else 'SQLite'}"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests give their settings themselves."""
    for name in [name for name in os.environ if name.startswith(OUR_VARIABLES)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file."""
    return make_sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Fresh databases of the kind that this run is about."""
    template = request.config.stash[TEMPLATE]
    with ExitStack() as stack:
        if template:
            yield PostgresqlDatabases(template, stack)
        else:
            yield SqliteDatabases(tmp_path, request.getfixturevalue("sqlite_template"))


@pytest.fixture
def settings(databases: Databases, tmp_path: Path) -> Settings:
    """The settings of an installation with a migrated, empty database."""
    home = tmp_path / "home"
    home.mkdir()
    return Settings(home=home, database_url=databases.migrated(), threads=1)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The installation's database; commits are real, nobody else sees them."""
    opened = Database(make_engine(settings.resolved_database_url))
    yield opened
    opened.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A writing transaction that is rolled back at the end."""
    with database.transaction() as session:
        yield session
        session.rollback()


@pytest.fixture
def clock() -> ReplayClock:
    """A Monday morning; time passes only when a test says so."""
    return ReplayClock(datetime(2026, 1, 5, 8, tzinfo=UTC))


@pytest.fixture
def blobs(settings: Settings) -> BlobStore:
    """The installation's blob store, empty."""
    return BlobStore(settings.blob_folder)


@pytest.fixture
def platform(settings: Settings, database: Database, clock: ReplayClock) -> Platform:
    """The installation as the processes see it."""
    return replace(open_platform(settings, clock), database=database)  # one pool of connections


@pytest.fixture
def make(session: Session, platform: Platform) -> Factory:
    """Makes principals, data, models and deployments in `session`."""
    return Factory(session, platform)
