"""Jobs: one transition table, one holder, a fence for those whose attempt is over."""

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Conflict
from bailiwick.lifecycle import JobState, Platform
from bailiwick.lifecycle.jobs import (
    BACKOFF,
    MAX_ATTEMPTS,
    MAX_MESSAGE,
    MOST_ATTEMPTS,
    TRANSITIONS,
    Lease,
    LeaseLost,
    _move,
    cancel,
    claim,
    fail,
    heartbeat,
    held_job,
    succeed,
)
from bailiwick.lifecycle.tables import Job, JobEvent
from factories import Factory
from support.lifecycle_world import at_once, audited, queue_job, told

LEASE_SECONDS = 60
ALLOWED = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("running", "running"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
}


def claimed(session: Session, platform: Platform, owner: str = "first") -> Lease:
    lease = claim(session, owner=owner, lease_seconds=LEASE_SECONDS, at=platform.clock.now())
    assert lease is not None
    return lease


@pytest.mark.parametrize(("old", "new"), list(product(JobState, JobState)))
def test_a_job_makes_the_moves_of_the_table_and_no_other(old: JobState, new: JobState) -> None:
    job = Job(state=old)
    if (str(old), str(new)) in ALLOWED:
        _move(job, new)
        assert job.state == new
    else:
        with pytest.raises(Conflict, match=f"this job is {old} and cannot become {new}"):
            _move(job, new)
        assert job.state == old


def test_what_has_ended_stays_as_it_is() -> None:
    ended = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
    assert not any(TRANSITIONS[state] for state in ended)


def test_jobs_are_taken_oldest_first_and_not_before_they_are_due(
    make: Factory, session: Session, platform: Platform, clock: ReplayClock
) -> None:
    later = queue_job(make, wait_seconds=30)
    now = queue_job(make)
    assert claimed(session, platform).job_id == now.id
    assert claim(session, owner="x", lease_seconds=LEASE_SECONDS, at=clock.now()) is None
    clock.advance_to(clock.now() + timedelta(seconds=30))
    assert held_job(session, claimed(session, platform)) is later


def test_two_workers_never_hold_the_same_job(platform: Platform, rival: Platform) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        waiting = {queue_job(make).id for _ in range(12)}

    def take_all(mine: Platform, owner: str) -> list[Lease]:
        taken: list[Lease] = []
        while True:
            with mine.database.transaction() as session:
                lease = claim(
                    session, owner=owner, lease_seconds=LEASE_SECONDS, at=mine.clock.now()
                )
            if lease is None:
                return taken
            taken.append(lease)

    taken = at_once(
        lambda: take_all(platform, "a"),
        lambda: take_all(rival, "b"),
        lambda: take_all(platform, "c"),
        lambda: take_all(rival, "d"),
    )
    leases = [lease for mine in taken if isinstance(mine, list) for lease in mine]
    assert [type(mine) for mine in taken] == [list] * 4
    assert sorted(lease.job_id for lease in leases) == sorted(waiting)
    assert {lease.attempt for lease in leases} == {1}


def test_a_silent_workers_job_is_taken_over_and_its_first_worker_can_write_nothing(
    make: Factory, session: Session, platform: Platform, clock: ReplayClock
) -> None:
    job = queue_job(make)
    first = claimed(session, platform)
    clock.advance_to(clock.now() + timedelta(seconds=LEASE_SECONDS))
    second = claimed(session, platform, owner="second")
    assert (second.job_id, second.attempt) == (job.id, 2)
    lease_ends = job.lease_expires_at
    at = clock.now() + timedelta(seconds=5)
    for write in (
        lambda: heartbeat(session, first, lease_seconds=LEASE_SECONDS, at=at, progress={"step": 9}),
        lambda: held_job(session, first),
        lambda: succeed(session, first, {"summary": "too late"}, at=at),
        lambda: fail(session, first, "too late", retry=True, at=at),
    ):
        with pytest.raises(LeaseLost, match="taken over"):
            write()
    session.flush()
    session.refresh(job)
    assert (job.state, job.attempt, job.lease_owner) == ("running", 2, "second")
    assert (job.progress, job.result, job.lease_expires_at) == ({}, None, lease_ends)
    succeed(session, second, {"summary": "version 2 promoted"}, at=at)
    assert job.result == {"summary": "version 2 promoted"}
    assert told(session, job.id) == ["queued", "started", "taken-over", "succeeded"]


def test_a_heartbeat_keeps_the_lease_and_publishes_progress(
    make: Factory, session: Session, platform: Platform, clock: ReplayClock
) -> None:
    job = queue_job(make)
    lease = claimed(session, platform)
    clock.advance_to(clock.now() + timedelta(seconds=LEASE_SECONDS - 1))
    progress = {"stage": "train", "step": 3, "steps": 10}
    heartbeat(session, lease, lease_seconds=LEASE_SECONDS, at=clock.now(), progress=progress)
    clock.advance_to(clock.now() + timedelta(seconds=LEASE_SECONDS - 1))
    assert claim(session, owner="b", lease_seconds=LEASE_SECONDS, at=clock.now()) is None
    heartbeat(session, lease, lease_seconds=LEASE_SECONDS, at=clock.now())
    session.refresh(job)
    assert job.progress == progress
    clock.advance_to(clock.now() + timedelta(seconds=LEASE_SECONDS))
    claimed(session, platform, owner="second")
    assert job.progress == {}


def test_a_job_whose_workers_all_died_fails_and_the_next_one_is_taken(
    make: Factory, session: Session, platform: Platform, clock: ReplayClock
) -> None:
    job = queue_job(make)
    for number in range(MAX_ATTEMPTS):
        assert claimed(session, platform).attempt == number + 1
        clock.advance_to(clock.now() + timedelta(seconds=LEASE_SECONDS))
    after = queue_job(make)
    assert claimed(session, platform).job_id == after.id
    assert job.state == JobState.FAILED
    assert job.error == f"the worker died in each of {MAX_ATTEMPTS} attempts; see its log"
    assert told(session, job.id)[-1] == "failed"
    assert audited(session, job.id) == ["job.queued", "job.failed"]


def test_a_failed_attempt_waits_longer_each_time_and_the_last_one_fails_the_job(
    make: Factory, session: Session, platform: Platform, clock: ReplayClock
) -> None:
    job = queue_job(make)
    for number in range(1, MAX_ATTEMPTS):
        lease = claimed(session, platform)
        fail(session, lease, f"no room {number}", retry=True, at=clock.now())
        assert (job.state, job.lease_owner, job.error) == (JobState.QUEUED, None, None)
        assert job.available_at == clock.now() + number * BACKOFF
        clock.advance_to(job.available_at)
    fail(session, claimed(session, platform), "no room 3", retry=True, at=clock.now())
    assert (job.state, job.error, job.finished_at) == (JobState.FAILED, "no room 3", clock.now())
    attempts = ["started", "attempt-failed"] * MAX_ATTEMPTS
    assert told(session, job.id) == ["queued", *attempts, "failed"]


def test_a_full_disk_is_outlasted_for_two_hours_and_takes_no_attempt_from_other_failures(
    make: Factory, session: Session, platform: Platform, clock: ReplayClock
) -> None:
    job, began = queue_job(make), clock.now()
    for _ in range(5):
        lease = claimed(session, platform)
        fail(session, lease, "no room", retry=True, outlast=True, at=clock.now())
        clock.advance_to(job.available_at)
    for _ in range(MAX_ATTEMPTS - 1):
        fail(session, claimed(session, platform), "it died", retry=True, at=clock.now())
        assert job.state == JobState.QUEUED
        clock.advance_to(job.available_at)
    while job.state == JobState.QUEUED:
        lease = claimed(session, platform)
        fail(session, lease, "no room.", retry=True, outlast=True, at=clock.now())
        clock.advance_to(max(job.available_at, clock.now()))
    assert (job.state, job.attempt, job.error) == (JobState.FAILED, MOST_ATTEMPTS, "no room.")
    assert timedelta(hours=1) < clock.now() - began < timedelta(hours=2)
    said = session.scalars(select(JobEvent.message).where(JobEvent.job_id == job.id))
    assert "no room; it is tried again in 2 min" in list(said)


def test_a_fault_that_no_attempt_can_mend_fails_at_once_with_a_message_that_fits(
    make: Factory, session: Session, platform: Platform
) -> None:
    job = queue_job(make)
    message = "x" * (2 * MAX_MESSAGE)
    fail(session, claimed(session, platform), message, retry=False, at=make.at)
    session.flush()
    assert (job.state, job.error) == (JobState.FAILED, "x" * MAX_MESSAGE)
    assert job.attempt == 1


def test_cancelling_ends_a_waiting_job_at_once_and_a_running_one_at_its_next_heartbeat(
    make: Factory, session: Session, platform: Platform
) -> None:
    running = queue_job(make)
    lease = claimed(session, platform)
    waiting = queue_job(make)
    for job in (running, waiting):
        cancel(session, job, actor_id=make.engineer.id, at=make.at)
        assert (job.state, job.finished_at) == (JobState.CANCELLED, make.at)
        assert told(session, job.id)[-1] == "cancelled"
        assert audited(session, job.id) == ["job.queued", "job.cancelled"]
        with pytest.raises(Conflict, match="cancelled"):
            cancel(session, job, actor_id=make.engineer.id, at=make.at)
    with pytest.raises(LeaseLost, match="cancelled"):
        heartbeat(session, lease, lease_seconds=LEASE_SECONDS, at=make.at)
    assert claim(session, owner="b", lease_seconds=LEASE_SECONDS, at=make.at) is None


def test_a_job_that_has_just_succeeded_is_not_cancelled_by_who_saw_it_running(
    platform: Platform, rival: Platform
) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        job, somebody = queue_job(make), make.engineer.id
        lease = claimed(session, platform)
    with rival.database.reading() as session:
        seen = session.get_one(Job, job.id)
    with platform.database.transaction() as session:
        succeed(session, lease, {"summary": "done"}, at=platform.clock.now())
    with rival.database.transaction() as session:
        session.add(seen)
        with pytest.raises(Conflict, match="this job is succeeded"):
            cancel(session, seen, actor_id=somebody, at=rival.clock.now())
    with platform.database.reading() as session:
        assert session.get_one(Job, job.id).state == JobState.SUCCEEDED


def test_one_reason_gives_one_job(make: Factory, session: Session) -> None:
    first = queue_job(make, dedupe_key="alert 1")
    assert queue_job(make, dedupe_key="alert 1") is first
    assert queue_job(make, dedupe_key="alert 2") is not first
    assert audited(session, first.id) == ["job.queued"]


def test_one_reason_gives_one_job_to_two_processes(platform: Platform, rival: Platform) -> None:
    with platform.database.transaction() as session:
        somebody = Factory(session, platform).engineer.id

    def ask(mine: Platform) -> None:
        with mine.database.transaction() as session:
            queue_job(Factory(session, mine), acts_as=somebody, dedupe_key="alert 1")

    answers = at_once(lambda: ask(platform), lambda: ask(rival))
    assert all(answer is None or isinstance(answer, Conflict) for answer in answers)
    with platform.database.reading() as session:
        assert len(session.scalars(select(Job)).all()) == 1


def test_a_finished_job_is_audited_in_the_name_it_acted_under(
    make: Factory, session: Session, platform: Platform
) -> None:
    job = queue_job(make)
    lease = claimed(session, platform)
    assert lease.acts_as == make.engineer.id
    succeed(session, lease, {"summary": "done"}, at=make.at)
    assert audited(session, job.id) == ["job.queued", "job.succeeded"]
    assert (job.lease_owner, job.lease_expires_at) == (None, None)
