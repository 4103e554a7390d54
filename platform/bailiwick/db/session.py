"""Transactions: the only module that commits."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from bailiwick.core.errors import BailiwickError, Conflict, Invalid, Unavailable
from bailiwick.db.engine import LOCK_WAIT_SECONDS, WRITE_OPTION

MAX_WAITING_WRITERS = 24  # below the 40 threads in which the web server runs routes
UNSTORABLE = (
    "a value cannot be stored: a number or time is out of range, or a text is too long or holds "
    "a NUL character; correct it"
)
NO_ROOM_TO_OPEN = "SQLITE_IOERR_SHMSIZE"  # its file of shared memory cannot be made
# Keys of ours in PostgreSQL's space of advisory locks.
SEQUENCER_LOCK, LABELS_LOCK, CLAIMS_LOCK = 0xBA111, 0xBA112, 0xBA113
TEXTS = 0x5555_5555_5555_5555  # apart from the deployment's other keys


class ImmutableRow(Conflict):
    """The database refused to change history."""

    code = "immutable"


class Database:
    """Hands out transactions on one engine; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite has one writer, and lets those that wait starve: within a process they queue.
        self._turn = _Turn() if engine.dialect.name == "sqlite" else nullcontext()
        # PostgreSQL would else show each statement of a reader another state.
        snapshot = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        reading = engine.execution_options(**snapshot)
        self._readers = sessionmaker(reading, class_=_ReadingSession, expire_on_commit=False)
        writing = engine.execution_options(**{WRITE_OPTION: True})
        self._writers = sessionmaker(writing, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """All of it is committed at the end of the block, or nothing of it is."""
        with self._turn, translated(), self._writers() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view; changing something in it is an error."""
        with translated(), self._readers() as session:
            yield session

    def fold_log(self) -> None:
        """On SQLite: write what its log holds into the file, beside readers and writers.

        Otherwise a commit does it, and whoever waits for that commit waits for the disk twice.
        What hinders it here is left to the next turn, or to a commit.
        """
        if self.engine.dialect.name == "sqlite":
            with (
                suppress(SQLAlchemyError, sqlite3.Error),
                closing(self.engine.raw_connection()) as connection,
            ):
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").close()

    def close(self) -> None:
        """Return all connections."""
        self.engine.dispose()


class _ReadingSession(Session):
    """A session that refuses to write: on SQLite a read that turned into one could not wait."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Nothing to write is fine; anything else is a defect of whoever changed it."""
        if self.new or self.deleted or any(map(self.is_modified, self.dirty)):
            message = "something was changed in a session that only reads"
            raise RuntimeError(message)
        super().flush(objects)


class _Turn:
    """Lets one writer of this process in at a time; a bounded number may wait, for a while.

    The bound keeps threads free for the writer whose turn it is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_WAITING_WRITERS)

    def __enter__(self) -> None:
        busy = Unavailable(
            "too many writers wait for the database; nothing was changed, try again in a moment"
        )
        if not self._places.acquire(blocking=False):
            raise busy
        try:
            if not self._lock.acquire(timeout=LOCK_WAIT_SECONDS):
                raise busy
        finally:
            self._places.release()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def lock_sequencer(session: Session) -> None:
    """Until this transaction ends, nobody else holds this lock (SQLite: has one writer anyway)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SEQUENCER_LOCK})


def lock_claims(session: Session) -> None:
    """Until this transaction ends, only this one takes jobs out of the queue."""
    _advise(session, "SELECT pg_advisory_xact_lock(:key)", CLAIMS_LOCK)


def hold_labels(session: Session) -> None:
    """Until this transaction ends, no label moves: for whoever writes down what they read of one.

    Call it before the transaction locks rows and before it reads the labels.
    """
    _advise(session, "SELECT pg_advisory_xact_lock_shared(:key)")


def lock_labels(session: Session) -> None:
    """Until this transaction ends, only this one moves labels, and nobody writes one down."""
    _advise(session, "SELECT pg_advisory_xact_lock(:key)")


def hold_feedback(session: Session, deployment_id: UUID) -> None:
    """Until this transaction ends, nobody labels records of the deployment by their join key."""
    _advise(session, "SELECT pg_advisory_xact_lock_shared(:key)", _key_of(deployment_id))


def lock_feedback(session: Session, deployment_id: UUID) -> None:
    """Until this transaction ends, only this one labels records of the deployment."""
    _advise(session, "SELECT pg_advisory_xact_lock(:key)", _key_of(deployment_id))


def hold_layout(session: Session, deployment_id: UUID) -> None:
    """Until this transaction ends, the deployment's windows keep the layout that they have."""
    _advise(session, "SELECT pg_advisory_xact_lock_shared(:key)", ~_key_of(deployment_id))


def lock_layout(session: Session, deployment_id: UUID) -> None:
    """Until this transaction ends, nobody else stores records of the deployment."""
    _advise(session, "SELECT pg_advisory_xact_lock(:key)", ~_key_of(deployment_id))


def hold_texts(session: Session, deployment_id: UUID) -> None:
    """Until this transaction ends, nobody destroys texts of the deployment."""
    _advise(session, "SELECT pg_advisory_xact_lock_shared(:key)", _key_of(deployment_id) ^ TEXTS)


def lock_texts(session: Session, deployment_id: UUID) -> None:
    """Until this transaction ends, nobody else seals or destroys texts of the deployment."""
    _advise(session, "SELECT pg_advisory_xact_lock(:key)", _key_of(deployment_id) ^ TEXTS)


def _key_of(identifier: UUID) -> int:
    """A key of its own in PostgreSQL's space, which has 64 bits with a sign."""
    return int.from_bytes(identifier.bytes[8:], "big", signed=True)


def _advise(session: Session, statement: str, key: int = LABELS_LOCK) -> None:
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
        session.execute(text(statement), {"key": key})


@contextmanager
def translated() -> Iterator[None]:
    """Database failures in our words; the statement and its values stay out of the message."""
    try:
        yield
    except BailiwickError:
        raise
    except StaleDataError as error:
        raise Conflict(
            "somebody else changed this at the same moment; read it again and repeat the change"
        ) from error
    except DBAPIError as error:
        # Without its cause: PostgreSQL puts the values of a row into its messages.
        raise _explain(error) from None
    except OverflowError as error:  # SQLite's driver, of numbers beyond 64 bits
        raise Invalid(UNSTORABLE) from error


def _explain(error: DBAPIError) -> BailiwickError:
    cause = str(error.orig).lower()
    if getattr(error.orig, "sqlite_errorname", "") == NO_ROOM_TO_OPEN:
        cause = "disk is full"
    for fragments, kind, message in _CAUSES:
        if any(fragment in cause for fragment in fragments):
            return kind(message)
    if isinstance(error, DataError):
        return Invalid(UNSTORABLE)
    if isinstance(error, IntegrityError):
        return Conflict(
            "this contradicts what is stored already (a name or number that is taken, or a "
            "reference to something that is gone); read the current state and try again",
            constraint=_constraint_name(error),
        )
    return Unavailable(
        "the database does not answer as it should; check BAILIWICK_DATABASE_URL, that it is "
        "running, and the server's log"
    )


# What the drivers say, and what it means for whoever asked.
_CAUSES: tuple[tuple[tuple[str, ...], type[BailiwickError], str], ...] = (
    (
        ("is immutable",),
        ImmutableRow,
        "this is history and never changes; record a new fact instead",
    ),
    (
        ("database is locked", "lock timeout"),
        Unavailable,
        (
            "the database is busy: another process holds its write lock; "
            "nothing was changed, try again in a moment"
        ),
    ),
    (
        ("disk is full", "no space left"),
        Unavailable,
        (
            "the disk that holds the database is full; nothing was changed: "
            "free some space, then try again"
        ),
    ),
    (
        ("no such table", "undefinedtable", "does not exist"),
        Unavailable,
        "the database has no Bailiwick tables yet; run `bailiwick db upgrade` first",
    ),
)


def _constraint_name(error: IntegrityError) -> str | None:
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return str(diagnostics.constraint_name)
    return str(error.orig).partition(": ")[2] or None
