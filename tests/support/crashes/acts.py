"""What the processes of a test do: the ticks of the scheduler and worker, or the API.

`turn` is one turn of each tick, as `bailiwick worker` takes it: a tick that fails is told of, and
the next one follows. `settle` is what comes after a fault: turn after turn, while the clock moves
on, until nothing waits any more; a tick that fails there fails the test.
"""

import os
import socket
import time
from datetime import datetime, timedelta
from threading import Event
from typing import Any

from sqlalchemy import func, select

from bailiwick.cli import servers
from bailiwick.cli.application import create_application, server_of
from bailiwick.core.logs import configure_logging
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.jobs import UNFINISHED
from bailiwick.lifecycle.leftovers import DAY_SECONDS
from bailiwick.lifecycle.tables import Job
from bailiwick.notifications import Delivery
from bailiwick.notifications.states import WAITING
from bailiwick.registry import RUNNING, Rollout
from bailiwick.worker import ticks
from bailiwick.worker.scheduler import _guarded
from support.api_world import FakeGateway
from support.crashes.installations import LEASE_SECONDS, Installation

TURNS = 12
QUIET_TURNS = 3  # what was done last may call for more: a trial, a retraining, other decisions
BETWEEN_TURNS = timedelta(seconds=2 * LEASE_SECONDS)
MORE = {
    "work": lambda: ("worker", Event()),
    "send_messages": lambda: (Event(),),
    "archive_records": lambda: (Event(),),
    "drop_records": lambda: (Event(),),
    "seal_texts": lambda: (Event(),),
}


def turn(installation: Installation, names: tuple[str, ...]) -> None:
    """One turn of each tick, as the worker's scheduler takes it."""
    platform = _opened(installation)
    for name in names:
        _guarded(getattr(ticks, name), platform, *_more(name))
    platform.close()


def settle(installation: Installation, names: tuple[str, ...]) -> None:
    """Turn after turn until nothing waits; then all events have their place in the log."""
    platform = _opened(installation)
    quiet = 0
    for _ in range(TURNS):
        for name in names:
            getattr(ticks, name)(platform, *_more(name))
        waiting = what_waits(platform)
        quiet = 0 if waiting else quiet + 1
        if quiet == QUIET_TURNS:
            break
        installation.clock.move(BETWEEN_TURNS)
        installation.clock.advance_to(min(waiting, default=installation.clock.now()))
    _age_files(platform)
    ticks.clear_leftovers(platform)
    ticks.sequence_audit(platform)
    platform.close()


def work_until_told(installation: Installation) -> None:
    """`bailiwick worker`, on the installation's clock."""
    os.environ |= {
        "BAILIWICK_HOME": str(installation.home),
        "BAILIWICK_DATABASE_URL": installation.database_url,
        "BAILIWICK_THREADS": "1",
    }
    servers.SystemClock = lambda: installation.clock  # type: ignore[assignment, misc]
    servers.worker_command()


def serve(installation: Installation, port: int) -> None:
    """The API, until it is killed or told to end."""
    configure_logging(json_lines=True)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    application = create_application(installation.open(), FakeGateway())
    server_of(application).run(sockets=[listener])


def _opened(installation: Installation) -> Platform:
    configure_logging(json_lines=True)
    return installation.open()


def _more(name: str) -> tuple[Any, ...]:
    return MORE[name]() if name in MORE else ()


def _age_files(platform: Platform) -> None:
    """As if two days had gone by since the last file was written."""
    then = time.time() - 2 * DAY_SECONDS
    for folder in (platform.settings.work_folder, platform.blobs.root):
        for path in folder.rglob("*"):
            os.utime(path, (then, then))


def what_waits(platform: Platform) -> list[datetime]:
    """When each job, message and rollout that has not come to its end is looked at again."""
    jobs = select(func.coalesce(Job.lease_expires_at, Job.available_at)).where(
        Job.state.in_(UNFINISHED)
    )
    messages = select(Delivery.next_at).where(Delivery.state.in_(WAITING))
    rollouts = select(Rollout.started_at).where(Rollout.state.in_(RUNNING))
    with platform.database.reading() as session:
        return [one for query in (jobs, messages, rollouts) for one in session.scalars(query)]
