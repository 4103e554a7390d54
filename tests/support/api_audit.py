"""Writing events, and doing to a log what its triggers forbid."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.orm import Session

from bailiwick.access import create_principal
from bailiwick.audit import AuditCheckpoint, record, sequence
from bailiwick.db import Database
from bailiwick.lifecycle import Platform


def a_principal(database: Database, at: datetime, name: str = "writer") -> UUID:
    """Somebody who acts; the event of their making is the first of the log."""
    with database.transaction() as session:
        return create_principal(
            session, name, kind="person", clearance_level="public", actor_id=None, at=at
        ).id


def write(session: Session, number: int, *, actor_id: UUID, at: datetime) -> UUID:
    """An event about thing `number`; its id."""
    return record(
        session,
        "thing.changed",
        subject_type="thing",
        subject_id=str(number),
        actor_id=actor_id,
        at=at,
        details={"number": number},
    ).id


def sequenced(platform: Platform) -> AuditCheckpoint | None:
    """One turn of the sequencer."""
    with platform.database.transaction() as session:
        return sequence(session, platform.signer(), at=platform.clock.now())


@contextmanager
def behind_the_triggers(engine: Engine) -> Iterator[Connection]:
    """A connection on which history can be rewritten, as a database's owner could."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            names = connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            ).scalars()
            for name in list(names):
                connection.execute(text(f"DROP TRIGGER {name}"))
            connection.commit()
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA foreign_keys = OFF")  # no effect within a transaction
        else:
            for table in inspect(connection).get_table_names():
                if table.startswith(("audit_", "policy_")):
                    connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        yield connection
        connection.commit()
