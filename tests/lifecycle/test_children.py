"""Job processes: listened to, ended with their worker, and believed only when they are whole."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bailiwick.core.errors import Invalid, Unavailable
from bailiwick.lifecycle.children import JobProcessFailed, environment_of, run_child
from bailiwick.lifecycle.jobs import LeaseLost

Progress = dict[str, Any] | None
WAIT_SECONDS = 20

# What the processes of this file do: a mode each, as a job process is started and listens.
CHILD = """
import json, os, signal, sys, threading, time
from pathlib import Path

spec = json.loads(Path(sys.argv[1]).read_text())
folder = Path(spec["work_dir"])

def end_with_parent():
    while os.read(0, 1024):
        pass
    os._exit(3)

def say(value):
    print(json.dumps(value), flush=True)

if not spec.get("stubborn"):
    threading.Thread(target=end_with_parent, daemon=True).start()
(folder / "pid").write_text(str(os.getpid()))
mode = spec["mode"]
if mode == "works":
    for step in (1, 2, 3):
        say({"stage": "train", "step": step})
    (folder / "outcome.json").write_text(json.dumps({"threads": os.environ["OMP_NUM_THREADS"]}))
elif mode == "babbles":
    sys.stdout.buffer.write(b"\\xff\\xfe not JSON\\n[1, 2]\\n\\n{\\"stage\\": \\"train\\"}\\n{half")
    (folder / "outcome.json").write_text("{}")
elif mode == "complains":
    print("Traceback of ours", file=sys.stderr)
    say({"stage": "train", "step": 1})
    say({"error": {"code": spec["code"], "message": "The rows are unusable."}})
    sys.exit(spec["status"])
elif mode == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
elif mode == "forgets":
    if spec["written"] is not None:
        (folder / "outcome.json").write_text(spec["written"])
elif mode == "sleeps":
    if spec["stubborn"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
"""

WORKER = """
import sys
from pathlib import Path
from bailiwick.lifecycle.children import run_child

spec = {"mode": "sleeps", "stubborn": False}
folder = Path(sys.argv[1])
run_child("job_child", spec, folder, threads=1, beat=lambda _: None, beat_seconds=1)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work folder; the module `job_child` can be started."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "job_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(code))
    work = tmp_path / "work"
    work.mkdir()
    return work


def run(
    folder: Path, beat: Callable[[Progress], None] = lambda _: None, **spec: object
) -> dict[str, Any]:
    return run_child("job_child", spec, folder, threads=1, beat=beat, beat_seconds=0.1)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_progress_is_passed_on_line_by_line_and_the_outcome_returned(folder: Path) -> None:
    heard: list[Progress] = []
    assert run(folder, heard.append, mode="works") == {"threads": "1"}
    steps = [said["step"] for said in heard if said is not None]
    assert list(dict.fromkeys(steps)) == [1, 2, 3]


def test_a_process_gets_none_of_the_installations_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BAILIWICK_DATABASE_URL", "postgresql://u:secret@db/x")
    assert "secret" not in str(environment_of(1))
    assert environment_of(3)["OMP_NUM_THREADS"] == "3"


def test_what_is_no_progress_is_not_passed_on(folder: Path) -> None:
    heard: list[Progress] = []
    assert run(folder, heard.append, mode="babbles") == {}
    assert [said for said in heard if said is not None] == [{"stage": "train"}] * 2
    assert len(heard) >= 5  # every line counts as a sign of life


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("spec-invalid", Invalid),
        ("too-few-rows", Invalid),
        ("unavailable", Unavailable),
        ("disk-full", Unavailable),
    ],
)
def test_what_a_process_says_is_wrong_is_handed_on(
    folder: Path, code: str, kind: type[Exception]
) -> None:
    heard: list[Progress] = []
    with pytest.raises(kind, match=r"^The rows are unusable\.$"):
        run(folder, heard.append, mode="complains", code=code, status=2)
    assert all(said is None or "error" not in said for said in heard)


def test_a_fault_of_ours_may_be_tried_again_and_its_last_words_are_kept(folder: Path) -> None:
    with pytest.raises(JobProcessFailed, match="ended with status 1; the job's log says where"):
        run(folder, mode="complains", code="internal", status=1)
    assert (folder / "stderr.log").read_text() == "Traceback of ours\n"


def test_a_process_that_is_killed_may_be_started_again(folder: Path) -> None:
    with pytest.raises(JobProcessFailed, match=r"was ended by SIGKILL \(out of memory, perhaps\)"):
        run(folder, mode="dies")


@pytest.mark.parametrize("written", [None, '{"files": ['])
def test_an_outcome_that_is_missing_or_cut_off_is_none(folder: Path, written: str | None) -> None:
    with pytest.raises(JobProcessFailed, match="without a readable outcome"):
        run(folder, mode="forgets", written=written)


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_lost_lease_ends_a_silent_process_within_seconds(folder: Path, *, stubborn: bool) -> None:
    def beat(_: Progress) -> None:
        if (folder / "pid").exists():
            raise LeaseLost("this attempt is over")

    started = time.monotonic()
    with pytest.raises(LeaseLost):
        run(folder, beat, mode="sleeps", stubborn=stubborn)
    assert time.monotonic() - started < WAIT_SECONDS
    assert not is_alive(int((folder / "pid").read_text()))


def test_a_process_ends_when_its_worker_is_killed(folder: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)],
    )
    wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text() != "")
    pid = int((folder / "pid").read_text())
    assert is_alive(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not is_alive(pid))


def test_no_thread_and_no_open_file_stays_behind(folder: Path) -> None:
    run(folder, mode="works")
    threads, files = threading.active_count(), open_files()
    for _ in range(3):
        run(folder, mode="works")
    wait_until(lambda: threading.active_count() <= threads)
    assert open_files() <= files


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
