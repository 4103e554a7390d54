"""The real thing for every test: a migrated database of its own, blobs, a clock, the platform.

SQLite unless BAILIWICK_TEST_POSTGRES is set (a private server is started for the run) or
BAILIWICK_DATABASE_URL names a PostgreSQL server (databases are created beside that one and
dropped again; what is there is not touched).
"""

import gc
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
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
from support.applications import one_event_loop
from support.databases import TEMPLATE, Databases, fresh_databases, make_sqlite_template
from support.engines import shared_statements
from support.hashing import cheap_hasher
from support.oidc_provider import Provider, running_provider

SERVER = pytest.StashKey[ExitStack]()
OUR_VARIABLES = "BAILIWICK_"
# What is imported stays, and is never garbage: looking through it took a quarter of all the time.
GC_THRESHOLDS = 20_000, 20, 20
MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL only what opens a database runs: nothing else could turn out otherwise.

    Without what takes long and is not about the database.
    """
    if not config.stash[TEMPLATE]:
        return
    opening = {"databases", "shared_platform", "lasting_platform", "told"}
    asking = {
        item
        for item in items
        if opening & set(getattr(item, "fixturenames", ()))
        and not any(item.get_closest_marker(name) for name in ("browser", "any_database"))
    }
    config.hook.pytest_deselected(items=[item for item in items if item not in asking])
    items[:] = [item for item in items if item in asking]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector look at what tests make, seldom, and not at what was imported."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        gc.enable()


def pytest_report_header(config: pytest.Config) -> str:
    """Say which database this run is about."""
    return f"database: {'PostgreSQL' if config.stash[TEMPLATE] else 'SQLite'}"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests give their settings themselves."""
    for name in [name for name in os.environ if name.startswith(OUR_VARIABLES)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def shared_costs() -> Iterator[None]:
    """Statements are compiled, and an event loop is started, once for all tests."""
    with shared_statements(), one_event_loop():
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file."""
    return make_sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """They go away with the test."""
    with fresh_databases(request, tmp_path) as fresh:
        yield fresh


@contextmanager
def one_installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """One that many tests look at."""
    folder = tmp_path_factory.mktemp("shared")
    with fresh_databases(request, folder) as fresh:
        settings = Settings(home=folder, database_url=fresh.migrated(), threads=1)
        opened = open_platform(settings, ReplayClock(MONDAY))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def shared_platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """One installation for all tests of a module, which leave nothing that others would meet."""
    with one_installation(request, tmp_path_factory) as opened:
        yield opened


@pytest.fixture(scope="session")
def lasting_platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """One installation for tests of several modules, which change nothing in it."""
    with one_installation(request, tmp_path_factory) as opened:
        yield opened


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
    return ReplayClock(MONDAY)


@pytest.fixture
def blobs(settings: Settings) -> BlobStore:
    """The installation's blob store, empty."""
    return BlobStore(settings.blob_folder)


@pytest.fixture
def platform(settings: Settings, database: Database, clock: ReplayClock) -> Platform:
    """The installation as the processes see it."""
    opened = open_platform(settings, clock)
    return replace(opened, database=database, hasher=cheap_hasher())  # one pool of connections


@pytest.fixture(scope="session")
def provider_server() -> Iterator[Provider]:
    """An OpenID provider that answers on a loopback port."""
    with running_provider() as running:
        yield running


@pytest.fixture
def provider(provider_server: Provider, clock: ReplayClock) -> Provider:
    """The provider with nothing in mind, by the test's clock."""
    provider_server.begin_anew(clock)
    return provider_server


@pytest.fixture
def make(session: Session, platform: Platform) -> Factory:
    """Makes principals, data, models and deployments in `session`."""
    return Factory(session, platform)
