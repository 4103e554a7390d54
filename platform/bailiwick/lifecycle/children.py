"""Job processes: a module run as a child, fed a file, watched by its worker."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from bailiwick.core.errors import BailiwickError, DiskFull, Invalid, Unavailable

KILL_AFTER_SECONDS = 5
OUR_FAULT = 1  # the exit status of a child that met what it did not expect
# What may be over later, by the code that a child gives; the rest is wrong with its input.
PASSING: Final = {Unavailable.code: Unavailable, "disk-full": DiskFull}


class JobProcessFailed(BailiwickError):
    """The job process ended without a result; the worker may try again."""

    code = "job-process-failed"


def run_child(
    module: str,
    spec: dict[str, Any],
    folder: Path,
    *,
    threads: int,
    beat: Callable[[dict[str, Any] | None], None],
    beat_seconds: float,
) -> dict[str, Any]:
    """Run `python -m module spec.json` and return the JSON of its `outcome.json`.

    `beat(progress)` is called for every line of progress and at least every `beat_seconds`;
    what it raises (`LeaseLost`) ends the child. The child ends itself when this process dies:
    it watches its standard input. Raises `Invalid` for what the child says is wrong with its
    input, `Unavailable` for what it lacks now, and `JobProcessFailed` when it dies.
    """
    spec_path = folder / "spec.json"
    spec_path.write_text(json.dumps({**spec, "work_dir": str(folder), "watch_parent": True}))
    with (folder / "stderr.log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            [sys.executable, "-m", module, str(spec_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment_of(threads),
        )
    try:
        said = _listen(child, beat=beat, beat_seconds=beat_seconds)
    finally:
        _end(child)
    if child.returncode != 0:
        raise _failure(child.returncode, (said or {}).get("error"))
    try:
        outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_bytes())
    except (OSError, ValueError) as error:
        raise JobProcessFailed("the job process ended without a readable outcome") from error
    return outcome


def environment_of(threads: int) -> dict[str, str]:
    """The environment of a job process that may use so many threads: none of our secrets."""
    inherited = {name: it for name, it in os.environ.items() if not name.startswith("BAILIWICK_")}
    return inherited | {
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",  # idle threads that spin starve a machine that is shared
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",  # a crash in native code says where it was
    }


def _failure(status: int, said: object) -> BailiwickError:
    if isinstance(said, dict) and status != OUR_FAULT:
        kind = PASSING.get(str(said.get("code")), Invalid)
        return kind(str(said.get("message")))
    end = f"was ended by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
    return JobProcessFailed(f"the job process {end}; the job's log says where it was")


def _signal_name(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL (out of memory, perhaps)"
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals
        return f"signal {number}"


def _listen(
    child: subprocess.Popen[bytes],
    *,
    beat: Callable[[dict[str, Any] | None], None],
    beat_seconds: float,
) -> dict[str, Any] | None:
    """Pass progress on until the child closes its output; its last line."""
    lines: queue.Queue[bytes | None] = queue.Queue()
    if child.stdout is None:  # Popen was asked for a pipe
        raise JobProcessFailed("the job process has no output to listen to")
    threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True).start()
    last: dict[str, Any] | None = None
    while True:
        try:
            line = lines.get(timeout=beat_seconds)
        except queue.Empty:
            beat(None)
            continue
        if line is None:
            child.wait()
            return last
        last = _parsed(line) or last
        beat(None if last is None or "error" in last else last)


def _pump(stream: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
