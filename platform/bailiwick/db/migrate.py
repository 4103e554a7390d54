"""Migrations from within the program: Alembic on our own connection, one upgrade at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from bailiwick.core.errors import Invalid, Unavailable
from bailiwick.core.resources import bundled
from bailiwick.db.engine import LOCK_WAIT_SECONDS, WRITE_OPTION
from bailiwick.db.session import translated

MIGRATION_LOCK = 0xBA110  # a key of ours in PostgreSQL's space of advisory locks
TURN_SECONDS = 300  # how long a start waits for another process that migrates


def upgrade(engine: Engine) -> None:
    """Bring the tables to what this version of Bailiwick needs; all of it happens or nothing.

    Safe to call at every start: a database that is current is only read. Of several processes
    one migrates and the others wait for it. Raises `Unavailable` for a database that does not
    answer, is locked, or was upgraded by a newer Bailiwick.
    """
    if current(engine) != head():
        with _alone(engine) as config:
            command.upgrade(config, "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Take migrations back down to `revision` (`base`: all of them, with the data they hold).

    `Invalid` if there is no such revision.
    """
    with _alone(engine) as config:
        try:
            command.downgrade(config, revision)
        except CommandError as error:
            known = ", ".join(["base", *sorted(_known())])
            raise Invalid(f"cannot go down to {revision!r}; the revisions are {known}") from error


def current(engine: Engine) -> str | None:
    """The revision that the database is at; None before the first upgrade."""
    with translated(), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def head() -> str:
    """The revision that this version of Bailiwick needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        message = "the migrations are missing from this installation"
        raise RuntimeError(message)
    return revision


def check_current(engine: Engine) -> None:
    """Go on only if the tables fit this program; else `Unavailable` says what to do."""
    revision = current(engine)
    if revision is None:
        raise Unavailable(
            "the database has no Bailiwick tables yet; run `bailiwick db upgrade` first"
        )
    _refuse_newer(revision)
    if revision != head():
        raise Unavailable(
            f"the database's tables are those of an older Bailiwick (revision {revision}, needed "
            f"is {head()}); make a backup, then run `bailiwick db upgrade`"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(bundled("migrations")).replace("%", "%%"))
    return config


@cache
def _known() -> frozenset[str]:
    scripts = ScriptDirectory.from_config(_config())
    return frozenset(script.revision for script in scripts.walk_revisions())


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision not in _known():
        raise Unavailable(
            f"the database was upgraded by a newer Bailiwick (revision {revision}); "
            "run that version, or restore a backup from before the upgrade"
        )


@contextmanager
def _alone(engine: Engine) -> Iterator[Config]:
    """A transaction in which nobody else migrates, as Alembic's configuration."""
    writing = engine.execution_options(**{WRITE_OPTION: True})
    with (
        translated(),
        writing.connect() as connection,
        _rebuildable(connection),
        connection.begin(),
    ):
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{TURN_SECONDS}s'")
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        _refuse_newer(MigrationContext.configure(connection).get_current_revision())
        config = _config()
        config.attributes["connection"] = connection
        yield config
        _check_references(connection)


@contextmanager
def _rebuildable(connection: Connection) -> Iterator[None]:
    """SQLite alters a table by rebuilding it, which must not look like deleting its rows.

    Whoever asks for the write lock meanwhile waits its turn.
    """
    driver = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    driver.execute("PRAGMA foreign_keys=OFF")
    driver.execute(f"PRAGMA busy_timeout={TURN_SECONDS * 1000}")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")
        driver.execute(f"PRAGMA busy_timeout={LOCK_WAIT_SECONDS * 1000}")


def _check_references(connection: Connection) -> None:
    """What `_rebuildable` left unchecked."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            message = f"the migration would leave rows of {broken[0]} without what they refer to"
            raise RuntimeError(message)
