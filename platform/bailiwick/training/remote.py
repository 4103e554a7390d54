"""A job process on another machine: what its host there does, whatever brings the two together."""

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from bailiwick.core.processes import is_running, resident_bytes
from bailiwick.training.parcels import Parcel, Spec, made_in, unpacked

LOOK_SECONDS = 0.5
STOP_SECONDS = 2.0
_FOLDERS = "bailiwick-job-"  # and the id of the process that they belong to
_INPUT_FAULT = 2  # the exit status of a job process that says what is wrong with its job
_ERROR_BYTES = 65_536  # of standard error that is brought back


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One job process: a module and its spec (paths within the parcel), and what it may take."""

    module: str
    spec: Spec
    threads: int
    memory_bytes: int
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the process ended: its status, the end of its standard error, and what it made."""

    status: int
    errors: bytes
    made: Parcel


def versions() -> tuple[str, ...]:
    """Of what must be the same on both machines, for the same bytes to come out."""
    return platform.python_version(), *(version(name) for name in ("bailiwick", "torch"))


class Host:
    """Carries out one order on the machine that it lives on; `said` may be called meanwhile.

    The process ends when its host does, as it watches its standard input. Its files go with it;
    those of a host that was killed go when the next one on its machine begins.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._over = threading.Event()

    def versions(self) -> tuple[str, ...]:
        """What is installed on the machine that it lives on."""
        return versions()

    def place(self, towards: str) -> tuple[str, int]:
        """Where a team can meet: its machine's address as seen from another, and a free port."""
        with socket.socket(type=socket.SOCK_DGRAM) as way, socket.socket() as free:
            way.connect((towards, 1))  # sends nothing: it only chooses an address of ours
            free.bind(("", 0))
            return way.getsockname()[0], free.getsockname()[1]

    def said(self, after: int) -> list[str]:
        """The lines on the process's standard output after so many."""
        return self._lines[after:]

    def stop(self) -> None:
        """End the process, whatever it is doing, and wait until its files are gone."""
        if self._process is not None:
            self._process.kill()
            self._over.wait(STOP_SECONDS)

    def carry_out(self, order: Order, inputs: Parcel) -> Ended:
        """Run the process to its end, or until it holds more memory than it may."""
        sweep(Path(tempfile.gettempdir()))
        try:
            with tempfile.TemporaryDirectory(prefix=f"{_FOLDERS}{os.getpid()}-") as folder:
                return self._carried_out(order, inputs, Path(folder))
        finally:
            self._over.set()

    def _carried_out(self, order: Order, inputs: Parcel, folder: Path) -> Ended:
        work = folder / "work"
        work.mkdir()
        spec = unpacked(order.spec, inputs, folder) | {"work_dir": str(work)}
        written = folder / "spec.json"
        written.write_text(json.dumps(spec | {"watch_parent": True}))
        with (folder / "stderr.log").open("w+b") as errors:
            with self._running(order, written, errors) as process:
                excess = _watched(process, folder, order.memory_bytes)
            if excess:
                self._lines.append(json.dumps({"error": excess}))  # as a process says it itself
            size = errors.seek(0, os.SEEK_END)
            errors.seek(max(0, size - _ERROR_BYTES))
            made = Parcel({}, {}) if process.returncode else made_in(work)
            status = _INPUT_FAULT if excess else process.returncode
            return Ended(status=status, errors=errors.read(), made=made)

    @contextlib.contextmanager
    def _running(
        self, order: Order, spec: Path, errors: IO[bytes]
    ) -> Iterator["subprocess.Popen[str]"]:
        limited = {"OMP_NUM_THREADS": str(order.threads), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            [sys.executable, "-m", order.module, str(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | limited | dict(order.environment),
            text=True,
        )
        self._process = process
        with process:
            listener = threading.Thread(target=self._listen, args=(process.stdout,))
            listener.start()
            try:
                yield process
            finally:
                process.kill()
                listener.join()

    def _listen(self, stream: IO[str] | None) -> None:
        for line in stream or ():
            self._lines.append(line.rstrip("\n"))


def sweep(temporary: Path) -> None:
    """Remove what hosts that were killed have left on this machine."""
    for folder in temporary.glob(f"{_FOLDERS}*-*"):
        owner = folder.name.removeprefix(_FOLDERS).partition("-")[0]
        if owner.isdigit() and not is_running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _watched(
    process: "subprocess.Popen[str]", folder: Path, memory_bytes: int
) -> dict[str, Any] | None:
    """Wait for its end; an error if it was ended for what it held."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
            return None
        if resident_bytes(folder) > memory_bytes:
            return {
                "code": "limit-exceeded",
                "message": f"the job used more than {memory_bytes // 1024**2} MiB of memory on its "
                "executor and was ended (BAILIWICK_JOB_MEMORY_BYTES, or the memory_bytes that was "
                "ordered); give it fewer rows or a smaller recipe, or raise that limit",
            }
