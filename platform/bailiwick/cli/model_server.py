"""The model server as a child process: started, watched, started again when it dies."""

import os
import secrets
import subprocess
import sys
import threading
from types import TracebackType
from typing import Self

import httpx

from bailiwick.cli.application import listen
from bailiwick.core.settings import Settings

MODULE = "bailiwick.serving.run"
RESTART_SECONDS = 1.0
STOP_SECONDS = 10


class ModelServer:
    """The model server on a free loopback port, with a secret of its own.

    It ends with this process, whatever ends this process: it watches its standard input.
    """

    def __init__(self, settings: Settings) -> None:
        probe = listen("127.0.0.1", 0)
        port = probe.getsockname()[1]
        probe.close()
        self.url = f"http://127.0.0.1:{port}"
        self.secret = secrets.token_urlsafe(32)
        self._environment = os.environ | {
            "BAILIWICK_HOME": str(settings.home.resolve()),
            "BAILIWICK_DATABASE_URL": settings.resolved_database_url,
            "BAILIWICK_SERVING_SECRET": self.secret,
            "BAILIWICK_THREADS": str(settings.threads),
            "OMP_NUM_THREADS": str(settings.threads),
            "OMP_WAIT_POLICY": "PASSIVE",
            "HF_HUB_OFFLINE": "1",
        }
        if settings.blob_url is not None:
            self._environment["BAILIWICK_BLOB_URL"] = settings.blob_url
        self._port = port
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._child = self._start()
        self._watcher.start()

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=1, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self._watcher.join()
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", MODULE, f"--port={self._port}", "--watch-parent"],
            stdin=subprocess.PIPE,
            env=self._environment,
        )

    def _watch(self) -> None:
        while not self._stopping.wait(RESTART_SECONDS):
            if self._child.poll() is not None:
                self._child = self._start()
