"""Workers: any number beside each other, each thing once, and no fault stops the rest."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from bailiwick.audit import verify_log
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Unavailable
from bailiwick.lifecycle import JobKind, JobState, Platform
from bailiwick.lifecycle.schedules import set_schedule
from bailiwick.lifecycle.tables import Job
from bailiwick.monitoring import CheckResult
from bailiwick.worker import Worker, ticks
from factories import NAMESPACE
from support.lifecycle_world import World, found_world, raise_alert, rival_of

INTERVAL_SECONDS = 0.05
WAIT_SECONDS = 30
SECRET = "zanzibar garage 4711"


@pytest.fixture
def world(platform: Platform) -> World:
    return found_world(platform)


@contextmanager
def at_work(*platforms: Platform) -> Iterator[None]:
    workers = [Worker(each, interval_seconds=INTERVAL_SECONDS) for each in platforms]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def check_results(platform: Platform) -> int:
    with platform.database.reading() as session:
        return session.scalar(select(func.count()).select_from(CheckResult)) or 0


def waiting(platform: Platform) -> int:
    with platform.database.reading() as session:
        report = verify_log(session, platform.signer().verifier)
        assert report.ok, report.problem
        return report.waiting


def schedule_checks(world: World) -> None:
    with world.platform.database.transaction() as session:
        set_schedule(
            session,
            JobKind.CHECK,
            world.monitor.id,
            namespace=NAMESPACE,
            label_id=world.deployment.label_id,
            cron="0 * * * *",
            acts_as=world.retrainer_id,
            actor_id=world.engineer_id,
            at=world.platform.clock.now(),
        )


def test_two_workers_do_each_due_check_once_and_leave_a_log_that_verifies(
    world: World, clock: ReplayClock
) -> None:
    schedule_checks(world)
    with rival_of(world.platform) as rival, at_work(world.platform, rival):
        for number in range(1, 5):
            clock.advance_to(clock.now() + timedelta(hours=1))
            wait_until(lambda number=number: check_results(rival) >= number)  # type: ignore[misc]
        wait_until(lambda: waiting(rival) == 0)
    with world.platform.database.reading() as session:
        jobs = session.scalars(select(Job).where(Job.kind == JobKind.CHECK)).all()
        assert [(job.state, job.attempt) for job in jobs] == [(JobState.SUCCEEDED, 1)] * 4
        assert len({job.due_at for job in jobs}) == 4
        report = verify_log(session, world.platform.signer().verifier)
        assert (report.ok, report.waiting) == (True, 0)
        assert report.checkpoints >= 1
    assert check_results(world.platform) == 4


def test_a_worker_answers_alerts_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "run_next", lambda *_, **__: False)
    raise_alert(world)

    def retraining_jobs() -> int:
        with world.platform.database.reading() as session:
            query = select(func.count()).select_from(Job).where(Job.kind == JobKind.RETRAIN)
            return session.scalar(query) or 0

    with at_work(world.platform):
        wait_until(lambda: retraining_jobs() == 1)
        time.sleep(5 * INTERVAL_SECONDS)
    assert retraining_jobs() == 1


def test_stopping_waits_for_the_job_at_hand_and_begins_no_other(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def endless_work(_: Platform, *, owner: str) -> bool:
        begun.set()
        assert may_end.wait(WAIT_SECONDS)
        time.sleep(0.2)
        ended.append(owner)
        return True

    monkeypatch.setattr(ticks, "run_next", endless_work)
    worker = Worker(platform, interval_seconds=INTERVAL_SECONDS)
    worker.start()
    assert begun.wait(WAIT_SECONDS)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    time.sleep(0.2)
    assert stopping.is_alive()
    may_end.set()
    stopping.join(WAIT_SECONDS)
    assert not stopping.is_alive()
    assert len(ended) == 1


@pytest.mark.parametrize(
    "fault", [RuntimeError(SECRET), Unavailable("the database is busy; try again in a moment")]
)
def test_a_tick_that_fails_stops_no_other_and_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    turns = []

    def broken(*_: object, **__: object) -> int:
        turns.append(1)
        raise fault

    monkeypatch.setattr(ticks, "fire_due", broken)
    with capture_logs() as logs, at_work(world.platform):
        wait_until(lambda: len(turns) >= 3 and waiting(world.platform) == 0)
    told = [entry for entry in logs if entry.get("tick") == "fire_schedules"]
    assert len(told) >= 3
    assert {entry["event"] for entry in told} <= {"tick failed", "tick met a fault"}
    assert SECRET not in str(logs)


def test_a_worker_carries_out_as_many_jobs_at_a_time_as_it_is_told(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: set[str] = set()
    both = threading.Barrier(2, timeout=WAIT_SECONDS)

    def work(_: Platform, *, owner: str) -> bool:
        if owner not in owners:
            owners.add(owner)
            both.wait()
        return False

    monkeypatch.setattr(ticks, "run_next", work)
    settings = platform.settings.model_copy(update={"workers": 2})
    with at_work(replace(platform, settings=settings)):
        wait_until(lambda: len(owners) == 2 and both.n_waiting == 0)
    assert len({owner.rpartition(":")[0] for owner in owners}) == 1
