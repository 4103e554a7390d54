"""Faults that strike a process of its own at a named step of the product's code.

A step is a function, by the name under which its caller looks it up, and an edge of its nth call:
before it, after it, or before or after the commit that follows it. Nothing of this is in the
product: `arm` patches the process that it is called in, which is one that tests have started.
"""

import contextlib
import errno
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.engine.default import DefaultDialect

from support.crashes.clocks import FileClock
from support.crashes.disks import ROOM_BYTES, fill

ARMED = "armed"  # where a job's specification holds the faults that strike its process


class Edge(StrEnum):
    """Where, of a step, a fault strikes."""

    BEFORE = "before"
    AFTER = "after"
    BEFORE_COMMIT = "before the commit of"
    AFTER_COMMIT = "after the commit of"


class Kind(StrEnum):
    """What befalls the process."""

    KILL = "kill -9"
    STOP = "stopped until another had done its work"
    OVERTAKEN = "stopped until another was at its work"
    RIVAL = "another process works meanwhile"
    FULL = "disk full"
    FILLED = "disk filled to its last byte"
    NEARLY = "disk filled but for 16 KiB"
    LOST = "database connection lost"
    UNHEARD = "committed, its answer lost"
    FORWARD = "clock a day forward"
    BACK = "clock a day back"


FILLING = {Kind.FILLED, Kind.NEARLY}  # until room is made


@dataclass(frozen=True)
class Fault:
    """What strikes, and where; `step` reads `package.module:function` or `…:Class.method`."""

    kind: Kind
    edge: Edge
    step: str
    nth: int = 1


@dataclass
class Striker:
    """Makes one fault happen, once, in this process; leaves a mark that it did."""

    fault: Fault
    database_url: str
    clock: FileClock
    mark: Path
    disk: Path | None = None  # that can be filled

    def __call__(self) -> None:
        """Strike now."""
        with self.mark.open("a") as marks:
            marks.write(f"{self.fault.step}\n")
            marks.flush()
            os.fsync(marks.fileno())
        match self.fault.kind:
            case Kind.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Kind.STOP | Kind.OVERTAKEN | Kind.RIVAL:
                os.kill(os.getpid(), signal.SIGSTOP)
            case Kind.FULL:
                self._disk_full()
            case Kind.FILLED | Kind.NEARLY:
                self._fill_disk()
            case Kind.LOST:
                self._lose_connection()
            case Kind.UNHEARD:
                _hang_up(self.database_url)
            case Kind.FORWARD:
                self.clock.move(timedelta(days=1))
            case Kind.BACK:
                self.clock.move(-timedelta(days=1))

    @property
    def _is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    def _disk_full(self) -> None:
        if self.fault.edge is not Edge.BEFORE_COMMIT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._is_sqlite:
            raise sqlite3.OperationalError("database or disk is full")
        raise psycopg.errors.DiskFull("could not extend file: No space left on device")

    def _fill_disk(self) -> None:
        if self.disk is None:
            message = "this installation has no disk of its own"
            raise RuntimeError(message)
        fill(self.disk, but_bytes=ROOM_BYTES if self.fault.kind is Kind.NEARLY else 0)

    def _lose_connection(self) -> None:
        """PostgreSQL ends every connection of this database; SQLite's file fails its next use."""
        if not self._is_sqlite:
            _end_connections(self.database_url)
        if self.fault.edge is Edge.AFTER_COMMIT:  # done, but nobody heard of it
            raise _lost(is_sqlite=self._is_sqlite)
        if self._is_sqlite and self.fault.edge is Edge.BEFORE_COMMIT:
            raise _lost(is_sqlite=True)
        if self._is_sqlite:
            _commits.fail_next()


def _lost(*, is_sqlite: bool) -> Exception:
    if is_sqlite:
        return sqlite3.OperationalError("disk I/O error")
    return psycopg.OperationalError("server closed the connection unexpectedly")


def _end_connections(database_url: str) -> None:
    address = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _hang_up(database_url: str) -> None:
    """Send the commit that is to come, and close the line before its answer can be heard."""
    line = _commits.connection.pgconn
    line.send_query(b"COMMIT")
    while line.flush():
        pass
    address = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(
        address.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        state = "SELECT state FROM pg_stat_activity WHERE pid = %s"
        while connection.execute(state, [line.backend_pid]).fetchone() != ("idle",):
            time.sleep(0.01)
    with socket.socket(fileno=os.dup(line.socket)) as ours:
        ours.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(psycopg.OperationalError):
        line.consume_input()  # now the driver knows that the line is dead, and no more


@dataclass
class _Commits:
    """What is to happen before and after the next commit of this process."""

    before: list[Callable[[], None]] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    connection: Any = None  # that is about to commit

    def watch(self) -> None:
        """Commits of every engine of this process pass here."""
        commit = DefaultDialect.do_commit

        def watched(dialect: DefaultDialect, connection: Any) -> None:
            self.connection = connection
            _call_all(self.before)
            commit(dialect, connection)
            _call_all(self.after)

        DefaultDialect.do_commit = watched  # type: ignore[method-assign]

    def fail_next(self) -> None:
        """The next statement or commit fails as SQLite's driver fails where the file does."""
        execute = DefaultDialect.do_execute

        def fail(*_: Any) -> None:
            DefaultDialect.do_execute = execute  # type: ignore[method-assign]
            self.before.clear()
            raise _lost(is_sqlite=True)

        DefaultDialect.do_execute = fail  # type: ignore[assignment, method-assign]
        self.before.append(fail)


_commits = _Commits()


def _call_all(waiting: list[Callable[[], None]]) -> None:
    found = list(waiting)
    waiting.clear()
    for strike in found:
        strike()


def arm(strikers: list[Striker]) -> None:
    """Let these faults strike this process when it comes to their steps."""
    _commits.watch()
    for striker in strikers:
        _patch(striker)


def _patch(striker: Striker) -> None:
    module, _, path = striker.fault.step.partition(":")
    *outer, name = path.split(".")
    owner: Any = import_module(module)
    for part in outer:
        owner = getattr(owner, part)
    original = getattr(owner, name)
    calls = 0

    def armed(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        edge = striker.fault.edge if calls == striker.fault.nth else None
        if edge is Edge.BEFORE:
            striker()
        result = original(*given, **named)
        if edge is Edge.AFTER:
            striker()
        elif edge is Edge.BEFORE_COMMIT:
            _commits.before.append(striker)
        elif edge is Edge.AFTER_COMMIT:
            _commits.after.append(striker)
        return result

    setattr(owner, name, armed)
