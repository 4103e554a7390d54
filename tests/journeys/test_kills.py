"""kill -9 of a training process and of its worker: the job ends once, nothing is half there."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from bailiwick.audit import verify_log
from bailiwick.core.clock import SystemClock
from bailiwick.lifecycle import JobState, Platform, TrainingOrder
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.tables import Evaluation, Job
from bailiwick.lifecycle.training_plans import order_training
from bailiwick.lineage import Run
from bailiwick.monitoring import Baseline
from bailiwick.registry import AliasMove, ModelVersion
from factories import PURPOSE, Factory
from support.lifecycle_world import told
from support.tiny_training import TINY

pytestmark = pytest.mark.torch

LEASE_SECONDS = 4
WAIT_SECONDS = 240
RESULTS = (ModelVersion, Evaluation, Baseline, AliasMove)
LONG = replace(TINY, pretrain_epochs=0, train_epochs=16, patience_epochs=16)


@pytest.fixture
def live(platform: Platform) -> Platform:
    """The installation on the machine's own clock, as worker processes have it."""
    return replace(platform, clock=SystemClock())


def order(live: Platform) -> UUID:
    """A training job that takes some seconds."""
    with live.database.transaction() as session:
        make = Factory(session, live)
        data = make.dataset_version(make.dataset(), rows=1_500)
        wish = TrainingOrder(
            model_id=make.model().id,
            dataset_version_ids=(data.id,),
            recipe=LONG,
            selection=Selection(holdout_ratio=0.2, max_rows=10_000),
            purpose=PURPOSE,
            risk_tier="standard",
            seed=1,
            from_champion=False,
        )
        actor = make.actor(make.engineer)
        return order_training(session, wish, rules=live.rules, actor=actor, at=make.at).id


def start_worker(live: Platform) -> subprocess.Popen[bytes]:
    settings = live.settings
    return subprocess.Popen(
        [sys.executable, "-m", "bailiwick", "worker"],
        env=os.environ
        | {
            "BAILIWICK_HOME": str(settings.home),
            "BAILIWICK_DATABASE_URL": settings.resolved_database_url,
            "BAILIWICK_LEASE_SECONDS": str(LEASE_SECONDS),
            "BAILIWICK_THREADS": "1",
        },
    )


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"in time: {what}"
        time.sleep(0.05)


def job_now(live: Platform, job_id: UUID) -> Job:
    with live.database.reading() as session:
        return session.get_one(Job, job_id)


def is_training(live: Platform, job_id: UUID, attempt: int) -> bool:
    job = job_now(live, job_id)
    assert job.state in (JobState.QUEUED, JobState.RUNNING), job.error or job.result
    return job.attempt == attempt and job.progress.get("stage") == "train"


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def registered(live: Platform) -> list[int]:
    with live.database.reading() as session:
        counts = [session.scalar(select(func.count()).select_from(kind)) for kind in RESULTS]
        trained = select(func.count()).select_from(Run).where(Run.kind == "train")
        return [count or 0 for count in (*counts, session.scalar(trained))]


def test_a_training_that_is_killed_with_its_worker_is_carried_out_once(live: Platform) -> None:
    job_id = order(live)
    first = start_worker(live)
    wait_until(lambda: is_training(live, job_id, 1), "the first attempt trains")
    (child,) = children_of(first.pid)
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: job_now(live, job_id).state == JobState.QUEUED, "the attempt failed")
    assert registered(live) == [0] * 5

    wait_until(lambda: is_training(live, job_id, 2), "the second attempt trains")
    (child,) = children_of(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    wait_until(lambda: not is_alive(child), "the orphan has ended itself")
    assert registered(live) == [0] * 5
    assert job_now(live, job_id).state == JobState.RUNNING

    second, third = start_worker(live), start_worker(live)
    wait_until(lambda: job_now(live, job_id).state == JobState.SUCCEEDED, "the third attempt ends")
    for worker in (second, third):
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(WAIT_SECONDS) == 0
    job = job_now(live, job_id)
    assert job.attempt == 3
    assert job.result is not None
    assert job.result["version"] == 1
    assert registered(live) == [1] * 5
    with live.database.reading() as session:
        assert told(session, job_id) == [
            *("queued", "started", "attempt-failed"),
            *("started", "taken-over", "succeeded"),
        ]
        report = verify_log(session, live.signer().verifier)
        assert report.ok, json.dumps(report.problem)
        assert report.size > 0
