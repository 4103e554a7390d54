"""Transactions: the only module that commits."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from bailiwick.core.errors import BailiwickError, Conflict, Unavailable
from bailiwick.db.engine import WRITE_OPTION

SEQUENCER_LOCK = 0xBA111  # a key of ours in PostgreSQL's space of advisory locks


class ImmutableRow(Conflict):
    """The database refused to change history."""

    code = "immutable"


class Database:
    """Hands out transactions on one engine; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._readers = sessionmaker(engine, expire_on_commit=False)
        writing = engine.execution_options(**{WRITE_OPTION: True})
        self._writers = sessionmaker(writing, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """All of it is committed at the end of the block, or nothing of it is."""
        with _translated(), self._writers() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view; whatever was changed in it is rolled back."""
        with _translated(), self._readers() as session:
            yield session

    def close(self) -> None:
        """Return all connections."""
        self.engine.dispose()


def lock_sequencer(session: Session) -> None:
    """Until this transaction ends, nobody else holds this lock (SQLite: has one writer anyway)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SEQUENCER_LOCK})


@contextmanager
def _translated() -> Iterator[None]:
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
        raise _explain(error) from error


def _explain(error: DBAPIError) -> BailiwickError:
    cause = str(error.orig).lower()
    for fragments, kind, message in _CAUSES:
        if any(fragment in cause for fragment in fragments):
            return kind(message)
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
