"""Limits: a job that takes more memory or time than it may is ended, told why, and not retried."""

import sys
import textwrap
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from bailiwick.core.errors import Invalid
from bailiwick.core.processes import resident_bytes
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import JobKind, JobState, Platform, execution, run_next
from bailiwick.lifecycle.children import run_child
from bailiwick.lifecycle.execution import _Beat
from bailiwick.lifecycle.jobs import Lease
from bailiwick.lifecycle.limits import MIB, Limits, ordered_limits
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_plans import TrainingOrder
from factories import Factory
from support.lifecycle_world import queue_job, told

# A job process that starts another one, which holds memory or sleeps.
CHILD = """
import json, os, subprocess, sys, threading
from pathlib import Path

def end_with_parent():
    while os.read(0, 1024):
        pass
    os._exit(3)

threading.Thread(target=end_with_parent, daemon=True).start()
spec = json.loads(Path(sys.argv[1]).read_text())
(Path(spec["work_dir"]) / "pid").write_text(str(os.getpid()))
held = f"held = b'x' * {spec['bytes']}; input()"
print(json.dumps({"stage": "train", "step": 1, "steps": 2}), flush=True)
subprocess.run([sys.executable, "-c", held], check=False)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are carried out by that process."""
    (tmp_path / "greedy_child.py").write_text(textwrap.dedent(CHILD))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def carry_out(
        platform: Platform, lease: Lease, order: TrainingOrder, folder: Path, beat: _Beat
    ) -> None:
        assert order is not None
        with platform.database.reading() as session:
            spec = dict(session.get_one(Job, lease.job_id).payload)
        seconds = platform.beat_seconds
        run_child("greedy_child", spec, folder, threads=1, beat=beat, beat_seconds=seconds)

    monkeypatch.setattr(execution, "carry_out_training", carry_out)
    monkeypatch.setattr(execution.TrainingOrder, "from_payload", lambda payload: payload)
    monkeypatch.setattr(execution, "PROGRESS_SECONDS", 0.05)


def with_settings(platform: Platform, **settings: Any) -> Platform:
    changed = Settings(home=platform.settings.home, lease_seconds=2, **settings)
    return Platform(**{**vars(platform), "settings": changed})


def order(platform: Platform, held_bytes: int, **limits: int) -> UUID:
    with platform.database.transaction() as session:
        job = queue_job(Factory(session, platform))
        job.kind, job.payload, job.limits = JobKind.TRAIN, {"bytes": held_bytes}, limits
        return job.id


def ended(platform: Platform, job_id: UUID) -> tuple[Job, list[str]]:
    with platform.database.reading() as session:
        return session.scalars(select(Job).where(Job.id == job_id)).one(), told(session, job_id)


@pytest.mark.usefixtures("child")
def test_a_job_whose_processes_hold_too_much_memory_fails_at_once_and_says_which_limit(
    platform: Platform,
) -> None:
    few = with_settings(platform, job_memory_bytes={"train": 150 * MIB})
    job_id = order(few, 200 * MIB)
    assert run_next(few, owner="w")
    job, events = ended(few, job_id)
    assert job.state == JobState.FAILED
    assert events == ["queued", "started", "attempt-failed", "failed"]
    assert job.error == (
        "the job used more than 150 MiB of memory and was ended (BAILIWICK_JOB_MEMORY_BYTES); "
        "give it fewer rows or a smaller recipe, or raise that limit"
    )


@pytest.mark.usefixtures("child")
def test_a_job_that_takes_too_long_fails_at_once_and_says_whose_limit_it_was(
    platform: Platform,
) -> None:
    job_id = order(with_settings(platform), 1, time_seconds=1)
    assert run_next(with_settings(platform), owner="w")
    job, _ = ended(platform, job_id)
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert job.error is not None
    assert job.error.startswith(
        "the job ran for more than 1 s and was ended (the time_seconds that was ordered)"
    )


def test_memory_is_that_of_the_processes_at_work_in_the_folder_and_of_their_children(
    tmp_path: Path,
) -> None:
    work, other = tmp_path / "work", tmp_path / "work-of-another"
    for folder in (work, other):
        folder.mkdir()
    script = "import sys, subprocess; subprocess.run([sys.executable, '-c', sys.argv[2]])"
    held = f"held = b'x' * {64 * MIB}; print('held', flush=True); input()"
    with Popen(
        [sys.executable, "-c", script, str(work / "spec.json"), held], stdin=PIPE, stdout=PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert 64 * MIB < resident_bytes(work) < 200 * MIB
        assert resident_bytes(other) == 0
        process.communicate(b"\n")
    assert resident_bytes(work) == 0


def test_an_order_may_ask_for_less_than_the_installation_allows_and_not_for_more() -> None:
    settings = Settings(job_memory_bytes={"train": 1_000}, job_time_seconds={"train": 60})
    less = ordered_limits(settings, "train", memory_bytes=500, time_seconds=None)
    assert less == {"memory_bytes": 500}
    assert Limits.of(settings, "train", less) == Limits(memory_bytes=500, time_seconds=60)
    with pytest.raises(
        Invalid, match=r"time_seconds of a train job is at most 60 here.*BAILIWICK_JOB_TIME_SECONDS"
    ):
        ordered_limits(settings, "train", memory_bytes=None, time_seconds=61)


def test_a_limit_that_was_lowered_since_counts_for_what_was_ordered_before() -> None:
    settings = Settings(job_time_seconds={"train": 60})
    assert Limits.of(settings, "train", {"time_seconds": 90}).time_seconds == 60


def test_every_kind_of_job_has_limits_whichever_are_named() -> None:
    settings = Settings(job_memory_bytes={"check": 5})
    kinds = set(JobKind)
    assert set(settings.job_memory_bytes) == set(settings.job_time_seconds) == kinds
    assert settings.job_memory_bytes["check"] == 5
