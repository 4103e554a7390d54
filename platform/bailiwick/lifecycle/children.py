"""Job processes: a module run as a child, fed a file, watched by its worker."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from bailiwick.core.errors import BailiwickError, Invalid, Unavailable

TAIL_LINES = 20
KILL_AFTER_SECONDS = 5


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
    input and `JobProcessFailed` when it dies.
    """
    spec_path = folder / "spec.json"
    spec_path.write_text(json.dumps({**spec, "work_dir": str(folder), "watch_parent": True}))
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
        [sys.executable, "-m", module, str(spec_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr.log").open("wb"),
        env=environment,
    )
    try:
        said = _listen(child, beat=beat, beat_seconds=beat_seconds)
    finally:
        _end(child)
    if child.returncode == 0:
        outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_text())
        return outcome
    error = (said or {}).get("error")
    if isinstance(error, dict):
        kind = Unavailable if error.get("code") == Unavailable.code else Invalid
        raise kind(str(error.get("message")))
    raise JobProcessFailed(
        f"the job process ended with status {child.returncode}; its last words are in the "
        f"worker's log and in {folder.name}/stderr.log"
    )


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
        beat(last)


def _pump(stream: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
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
    if child.stdout is not None:
        child.stdout.close()
