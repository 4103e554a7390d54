"""Engines for SQLite (embedded) and PostgreSQL (production)."""

import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError

from bailiwick.core.canonical import canonical_bytes
from bailiwick.core.errors import Invalid

LOCK_WAIT_SECONDS = 10
RETRY_SECONDS = 0.05
WRITE_OPTION = "bailiwick_write"
# 64 MiB: so long a commit leaves SQLite's log alone. Who serves requests folds it (`fold_log`).
MAX_LOG_PAGES = 16_384


def _json_text(value: Any) -> str:
    """JSON columns hold canonical JSON, so that equal values are equal bytes on any database."""
    return canonical_bytes(value).decode()


def make_engine(url: str) -> Engine:
    """An engine for `sqlite:///…` or `postgresql+psycopg://…`; anything else is `Invalid`."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Invalid(
            "BAILIWICK_DATABASE_URL is not a database address; "
            "write sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=20,
            max_overflow=20,
            pool_pre_ping=True,
            json_serializer=_json_text,
            hide_parameters=True,  # values of statements never reach an error or a log
            connect_args={"options": "-c lock_timeout=10s", "connect_timeout": 5},
        )
        event.listen(engine, "connect", _configure_postgresql)
        return engine
    if backend == "sqlite":
        engine = create_engine(
            parsed,
            json_serializer=_json_text,
            hide_parameters=True,  # values of statements never reach an error or a log
            pool_size=20,
            max_overflow=20,
            connect_args={"timeout": LOCK_WAIT_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    raise Invalid(
        f"databases of kind {backend!r} are not supported; use sqlite or postgresql+psycopg"
    )


def _configure_postgresql(connection: DBAPIConnection, _record: object) -> None:
    # A server may be set to forget its last commits in a power cut, for speed. Ours are evidence.
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )
    cursor.close()
    connection.commit()


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own BEGIN comes too late for savepoints and for write locks: we say BEGIN.
    connection.isolation_level = None
    _write_ahead(connection)
    # recursive_triggers: or INSERT OR REPLACE would overwrite history past its triggers.
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
        f"wal_autocheckpoint={MAX_LOG_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers beside a writer. Of several that open a new file, SQLite lets none wait for this."""
    give_up_at = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that will write takes the write lock at once: a read that turns into a
    # write would otherwise fail with "database is locked" without waiting.
    writes = connection.get_execution_options().get(WRITE_OPTION, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
