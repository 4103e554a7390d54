"""A host on another machine: it carries a process out, ends it, and keeps nothing of it."""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from bailiwick.core.processes import is_running
from bailiwick.training.parcels import Parcel, packed
from bailiwick.training.remote import Ended, Host, Order, sweep, versions

MIB = 1024**2
# What is carried out here: it reads its input, and works as its spec says.
MODULE = """
import json, os, sys, time
from pathlib import Path

spec = json.loads(Path(sys.argv[1]).read_text())
work = Path(spec["work_dir"])
print(json.dumps({"stage": "train", "pid": os.getpid(), "rank": os.environ["RANK"]}), flush=True)
if spec["mode"] == "works":
    (work / "artifact").mkdir()
    (work / "artifact" / "model.bin").write_bytes(Path(spec["train"]["path"]).read_bytes() * 2)
    (work / "outcome.json").write_text("{}")
elif spec["mode"] == "complains":
    print(json.dumps({"error": {"code": "invalid", "message": "The rows are unusable."}}))
    sys.stderr.write("its last words")
    sys.exit(2)
elif spec["mode"] == "sleeps":
    time.sleep(600)
elif spec["mode"] == "holds":
    held = b"x" * (200 * 1024**2)
    time.sleep(600)
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hosts keep their files; the module `remote_child` can be started."""
    (tmp_path / "remote_child.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return temporary


def order(folder: Path, mode: str, memory_mib: int = 1_000) -> tuple[Order, Parcel]:
    rows = folder / "train.parquet"
    rows.write_bytes(b"rows")
    spec, parcel = packed({"mode": mode, "train": {"path": str(rows)}})
    wanted = Order(
        module="remote_child",
        spec=spec,
        threads=1,
        memory_bytes=memory_mib * MIB,
        environment={"RANK": "1"},
    )
    return wanted, parcel


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_process_gets_its_inputs_and_what_it_made_comes_back(
    machine: Path, tmp_path: Path
) -> None:
    host = Host()
    ended = host.carry_out(*order(tmp_path, "works"))
    assert ended.status == 0
    assert ended.made.files == {"artifact/model.bin": b"rowsrows", "outcome.json": b"{}"}
    assert [json.loads(line)["rank"] for line in host.said(0)] == ["1"]
    assert host.said(1) == []
    assert list(machine.iterdir()) == []


def test_what_a_process_says_is_wrong_and_its_last_words_come_back_and_no_file(
    machine: Path, tmp_path: Path
) -> None:
    host = Host()
    ended = host.carry_out(*order(tmp_path, "complains"))
    assert (ended.status, ended.errors, ended.made.files) == (2, b"its last words", {})
    assert "The rows are unusable." in host.said(1)[0]
    assert list(machine.iterdir()) == []


def test_a_process_that_holds_too_much_is_ended_with_a_reason(
    machine: Path, tmp_path: Path
) -> None:
    host = Host()
    ended = host.carry_out(*order(tmp_path, "holds", memory_mib=100))
    error = json.loads(host.said(0)[-1])["error"]
    assert (ended.status, error["code"]) == (2, "limit-exceeded")
    assert "used more than 100 MiB of memory on its executor" in error["message"]
    assert "BAILIWICK_JOB_MEMORY_BYTES" in error["message"]
    assert list(machine.iterdir()) == []


def test_a_host_that_is_told_to_stop_ends_its_process_and_keeps_no_file(
    machine: Path, tmp_path: Path
) -> None:
    host, ends = Host(), list[Ended]()
    working = threading.Thread(
        target=lambda: ends.append(host.carry_out(*order(tmp_path, "sleeps")))
    )
    working.start()
    wait_until(lambda: host.said(0))
    pid = json.loads(host.said(0)[0])["pid"]
    host.stop()
    assert not is_running(pid)
    assert list(machine.iterdir()) == []
    working.join()
    assert ends[0].status != 0


def test_files_of_a_host_that_was_killed_are_removed_by_the_next_and_of_no_other(
    machine: Path, tmp_path: Path
) -> None:
    with Popen([sys.executable, "-c", ""]) as dead:
        pass
    with Popen([sys.executable, "-c", "input()"], stdin=-1) as living:
        kept = machine / f"bailiwick-job-{living.pid}-x"
        for folder in (
            machine / f"bailiwick-job-{dead.pid}-x",
            kept,
            machine / "bailiwick-job-x-y",
        ):
            folder.mkdir()
        Host().carry_out(*order(tmp_path, "works"))
        assert sorted(machine.iterdir()) == sorted([kept, machine / "bailiwick-job-x-y"])
        living.communicate(b"\n")
    sweep(machine)
    assert not kept.exists()


def test_a_host_says_where_a_team_can_meet_and_what_is_installed() -> None:
    address, port = Host().place("127.0.0.1")
    assert (address, port > 1023) == ("127.0.0.1", True)
    assert Host().versions() == versions()
