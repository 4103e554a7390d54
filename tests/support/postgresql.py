"""A private PostgreSQL server for one test run, and databases cloned from a migrated template."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.exc import InternalError, OperationalError

from bailiwick.db import make_engine, migrate

START_SECONDS = DROP_SECONDS = 30
MEMORY_BYTES = 2 * 1024**3
# Nothing here has to survive a power cut.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


@contextmanager
def private_server() -> Iterator[str]:
    """The address of a fresh server's `postgres` database, over a socket in its own folder."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="bailiwick-postgresql-", dir=_quickest_folder()))
    user = _unprivileged_user(folder)
    data = folder / "data"
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(
        [*user, programs / "initdb", "-D", data, *options], check=True, capture_output=True
    )
    settings = [word for setting in FAST for word in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*user, programs / "postgres", "-D", data, "-k", folder, "-h", "", *settings],
            stdout=log,
            stderr=log,
        )
    try:
        url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        _wait_for(url, server, folder / "log")
        yield url
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)
        shutil.rmtree(folder)


@contextmanager
def migrated_template(server_url: str) -> Iterator[str]:
    """The address of a migrated database that `clone` copies; nobody stays connected to it."""
    with _database(server_url, f"bailiwick_test_{uuid.uuid4().hex[:12]}") as url:
        engine = make_engine(url)
        migrate.upgrade(engine)
        engine.dispose()
        yield url


@contextmanager
def clone(template_url: str, *, where: str = "") -> Iterator[str]:
    """A database of one's own with the template's tables; gone afterwards."""
    template = make_url(template_url).database
    name = f"{template}_{uuid.uuid4().hex[:12]}"[-63:]
    with _database(template_url, name, template, where=where) as url:
        yield url


@contextmanager
def clone_on(template_url: str, folder: Path) -> Iterator[str]:
    """The same with its files in a new folder, whose disk may be another one."""
    owner = Path(str(make_url(template_url).query["host"])).stat()
    folder.mkdir(mode=0o700)
    os.chown(folder, owner.st_uid, owner.st_gid)
    space = f"space_{uuid.uuid4().hex[:12]}"
    _execute(template_url, f"CREATE TABLESPACE {space} LOCATION '{folder}'")
    try:
        with clone(template_url, where=f" TABLESPACE {space}") as url:
            yield url
    finally:
        _drop(template_url, f"TABLESPACE {space}")


@contextmanager
def empty(template_url: str) -> Iterator[str]:
    """A database of one's own without any table; gone afterwards."""
    with _database(template_url, f"bailiwick_test_{uuid.uuid4().hex[:12]}") as url:
        yield url


@contextmanager
def _database(
    server_url: str, name: str, template: str | None = "template0", *, where: str = ""
) -> Iterator[str]:
    _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"{where}')
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        _drop(server_url, f'DATABASE "{name}" WITH (FORCE)')


def _drop(server_url: str, what: str) -> None:
    """Drop it, once every database of the server can be written out.

    That is what a checkpoint does first; a test beside this one may just have filled its disk.
    """
    give_up_at = time.monotonic() + DROP_SECONDS
    while True:
        try:
            return _execute(server_url, f"DROP {what}")
        except InternalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)


def _execute(server_url: str, statement: str) -> None:
    address = make_url(server_url).set(database="postgres")
    engine = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


def _programs() -> Path:
    """The folder of initdb and postgres; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "postgres").exists():
            return folder
    message = "PostgreSQL's initdb and postgres were not found: install the package `postgresql`"
    raise RuntimeError(message)


def _quickest_folder() -> Path | None:
    """Memory, if there is enough: a database is a thousand small files, cloned ten times faster."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_BYTES
    return memory if roomy else None


def _unprivileged_user(folder: Path) -> list[str]:
    """What to put before a command so that it does not run as root, and dies with this process."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    dies_along = [setpriv, "--pdeathsig", "INT"]
    if os.geteuid() != 0:
        return dies_along
    names = {entry.pw_name for entry in pwd.getpwall()}
    owner = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return [*dies_along, f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return _execute(url, "SELECT 1")
        except OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(encoding="utf-8")) from None
            time.sleep(0.05)
