"""The Ray executor, on a real cluster of this machine: two processes train together over gloo."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bailiwick.blobs import file_digest
from bailiwick.core.errors import Unavailable
from bailiwick.lifecycle.children import run_child
from bailiwick.lifecycle.executors import OnRay
from bailiwick.lifecycle.jobs import LeaseLost
from bailiwick.lifecycle.limits import Limits
from bailiwick.training.recipes import HeadRecipe
from bailiwick.training.run import run
from support.tiny_training import tiny_spec

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed"),
]
PLENTY = Limits(memory_bytes=4 * 1024**3, time_seconds=600)
WAIT_SECONDS = 60
# Nothing is drawn within a batch, so losses agree with those of one process up to rounding.
HEAD = HeadRecipe(epochs=3, buckets=1 << 10)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of two nodes with a processor each; they have nothing of the test's environment.

    Two processes of one training are thus on two nodes.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        head = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tempfile.mkdtemp(prefix="r")  # short: paths of sockets have at most 107 characters
    first = ("--head", f"--port={head.partition(':')[2]}", f"--temp-dir={folder}")
    first = (*first, "--include-dashboard=false", "--disable-usage-stats")
    log = tmp_path_factory.mktemp("log")
    with node(first, log / "first.log"), node((f"--address={head}",), log / "second.log"):
        yield head
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def node(words: Sequence[str], log: Path) -> Iterator[None]:
    """A node of a cluster that runs."""
    command = [
        *(str(Path(sys.executable).with_name("ray")), "start", "--block", *words),
        *("--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=100000000"),
    ]
    with log.open("wb") as stream, subprocess.Popen(command, stdout=stream, stderr=stream) as ran:
        deadline = time.monotonic() + WAIT_SECONDS
        while b"Ray runtime started" not in log.read_bytes():
            assert ran.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield
        ran.terminate()


def trained(folder: Path, executor: OnRay, **changes: Any) -> dict[str, Any]:
    """What `run_child` returns of a tiny training on the cluster."""
    spec = tiny_spec(folder / "inputs", **changes).to_dict()
    module, placed = executor.placed("bailiwick.training.run", spec, PLENTY)
    work = folder / "work"
    work.mkdir()
    return run_child(module, placed, work, threads=1, beat=lambda _: None, beat_seconds=1)


def test_two_processes_on_two_nodes_train_what_one_trains_here(
    address: str, tmp_path: Path
) -> None:
    pair = OnRay(address=address, processes=2, threads=1)
    outcome = trained(tmp_path / "pair", pair, recipe=HEAD)
    expected = run(tiny_spec(tmp_path / "alone", recipe=HEAD), lambda *_: None)
    assert outcome["losses"] == pytest.approx(expected["losses"], rel=1e-4)
    assert outcome["holdout"]["accuracy"] == expected["holdout"]["accuracy"]
    artifact = tmp_path / "pair" / "work" / "artifact"
    assert {one["path"]: one["sha256"] for one in outcome["files"]} == {
        one["path"]: file_digest(artifact / one["path"]) for one in outcome["files"]
    }


def test_a_cancelled_job_ends_on_the_cluster_and_leaves_no_file_there(
    address: str, tmp_path: Path
) -> None:
    one = OnRay(address=address, processes=1, threads=1)
    spec = tiny_spec(tmp_path / "inputs").to_dict()
    spec["recipe"]["pretrain_epochs"] = 1_000
    module, placed = one.placed("bailiwick.training.run", spec, PLENTY)
    work = tmp_path / "work"
    work.mkdir()
    seen: list[str] = []

    def beat(progress: dict[str, Any] | None) -> None:
        if progress and progress["stage"] == "pretrain":
            seen.extend(processes())
            raise LeaseLost("cancelled")

    with pytest.raises(LeaseLost):
        run_child(module, placed, work, threads=1, beat=beat, beat_seconds=1)
    left = time.monotonic()
    while processes():
        assert time.monotonic() - left < 3
        time.sleep(0.05)
    assert len(seen) == 1
    assert not Path(seen[0]).exists()


def processes() -> list[str]:
    """The folders in which trainings that came through a cluster work."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().split(b"\0")
        except OSError:
            continue
        found += [os.fsdecode(one) for one in arguments if b"/bailiwick-job-" in one]
    return [str(Path(one).parent) for one in found]


def test_a_cluster_that_is_not_there_may_be_there_later(tmp_path: Path) -> None:
    nowhere = OnRay(address="127.0.0.1:1", processes=1, threads=1)
    module, placed = nowhere.placed("bailiwick.training.run", {}, PLENTY)
    with pytest.raises(Unavailable, match="BAILIWICK_RAY_ADDRESS cannot be reached"):
        run_child(module, placed, tmp_path, threads=1, beat=lambda _: None, beat_seconds=1)
