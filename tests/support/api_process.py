"""The API as a process of its own, which tests kill."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from sqlalchemy import func, select

from bailiwick.access import issue_token
from bailiwick.core.clock import SystemClock
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import InferenceRecord
from factories import Factory

START_SECONDS = 60


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class ApiProcess:
    """Where it is, whom it knows, and whether it lives."""

    platform: Platform
    deployment_id: UUID
    token: str
    port: int = field(default_factory=_free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Its address, the same after each start."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = self.platform.settings
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bailiwick", "api", "--port", str(self.port)],
            env=os.environ
            | {
                "BAILIWICK_HOME": str(settings.home),
                "BAILIWICK_DATABASE_URL": settings.resolved_database_url,
                "BAILIWICK_SERVING_URL": "http://127.0.0.1:9",
                "BAILIWICK_SERVING_SECRET": "x" * 32,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, "the API ended at its start"
            assert time.monotonic() < deadline, "the API did not start in time"
            time.sleep(0.05)

    def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def record_ids(self) -> set[str]:
        """What the database holds."""
        with self.platform.database.reading() as session:
            return set(session.scalars(select(InferenceRecord.record_id)))

    def records(self) -> int:
        """How many rows."""
        with self.platform.database.reading() as session:
            return session.scalar(select(func.count()).select_from(InferenceRecord)) or 0

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False).is_success
        except httpx.TransportError:
            return False


@contextmanager
def api_process(platform: Platform, *, keeps_text: bool = False) -> Iterator[ApiProcess]:
    """A deployment, an engineer's token, and a process that is not started yet."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        deployment = make.running()
        deployment.keeps_text = keeps_text
        session.flush()
        now = SystemClock().now()
        token = issue_token(session, make.engineer, "test", actor_id=make.root.id, at=now)[1]
        found = ApiProcess(platform, deployment.id, token)
    try:
        yield found
    finally:
        found.kill()
