"""Where each test's own database comes from: SQLite by default, PostgreSQL if asked for."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from bailiwick.db import make_engine, migrate
from support import postgresql

# The address of the migrated PostgreSQL database that this run clones; empty on SQLite.
TEMPLATE = pytest.StashKey[str]()


class Databases(Protocol):
    """Fresh databases for one test; they go away with it."""

    def migrated(self) -> str:
        """The address of a database with all tables and no rows."""
        ...

    def empty(self) -> str:
        """The address of a database without tables."""
        ...

    def copy_of(self, url: str, *, disk: Path | None = None) -> str:
        """The address of a copy of a database to which nobody is connected, on that disk."""
        ...


class SqliteDatabases:
    """Files in the test's folder; a migrated one is a copy of `template`."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._folder = folder
        self._template = template
        self._numbers = itertools.count()

    def migrated(self) -> str:
        """A copy of the template."""
        return self._copied(self._template)

    def empty(self) -> str:
        """A file that is not there yet."""
        return f"sqlite:///{self._fresh()}"

    def copy_of(self, url: str, *, disk: Path | None = None) -> str:
        """A copy of the file."""
        return self._copied(Path(url.removeprefix("sqlite:///")), disk)

    def _copied(self, source: Path, folder: Path | None = None) -> str:
        path = self._fresh(folder)
        shutil.copyfile(source, path)
        return f"sqlite:///{path}"

    def _fresh(self, folder: Path | None = None) -> Path:
        return (folder or self._folder) / f"database-{next(self._numbers)}.db"


class PostgresqlDatabases:
    """Databases beside the template on its server, dropped when `stack` closes."""

    def __init__(self, template_url: str, stack: ExitStack) -> None:
        self._template_url = template_url
        self._stack = stack

    def migrated(self) -> str:
        """A clone of the template."""
        return self._stack.enter_context(postgresql.clone(self._template_url))

    def empty(self) -> str:
        """A database without tables."""
        return self._stack.enter_context(postgresql.empty(self._template_url))

    def copy_of(self, url: str, *, disk: Path | None = None) -> str:
        """A clone on the same server."""
        if disk is not None:
            return self._stack.enter_context(postgresql.clone_on(url, disk / "tables"))
        return self._stack.enter_context(postgresql.clone(url))


@contextmanager
def fresh_databases(request: pytest.FixtureRequest, folder: Path) -> Iterator[Databases]:
    """Fresh databases of the kind that this run is about."""
    template = request.config.stash[TEMPLATE]
    with ExitStack() as stack:
        if template:
            yield PostgresqlDatabases(template, stack)
        else:
            yield SqliteDatabases(folder, request.getfixturevalue("sqlite_template"))


def make_sqlite_template(folder: Path) -> Path:
    """Migrate a new file in `folder`, to be copied."""
    path = folder / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate.upgrade(engine)
    engine.dispose()  # the last connection folds the write-ahead log into the file
    return path
