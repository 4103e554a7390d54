"""Turns: namespaces share the workers, and nobody's queue holds up another's."""

from datetime import timedelta

from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.core.ids import new_id
from bailiwick.lifecycle import JobKind, Platform
from bailiwick.lifecycle.jobs import Lease, cancel, claim, enqueue, fail, succeed
from bailiwick.lifecycle.tables import Job
from bailiwick.policy import intern_label
from factories import CONFIDENTIAL, Factory
from support.lifecycle_world import at_once

LEASE_SECONDS = 7_200


def queue(make: Factory, namespace: str, *, priority: int = 0) -> Job:
    return enqueue(
        make.session,
        JobKind.CHECK,
        namespace=namespace,
        label_id=intern_label(make.session, CONFIDENTIAL),
        subject_id=new_id(),
        acts_as=make.engineer.id,
        payload={},
        actor_id=make.engineer.id,
        at=make.at,
        priority=priority,
    )


def take(make: Factory, limit: int | None = None) -> Lease:
    lease = claim(
        make.session, owner="w", lease_seconds=LEASE_SECONDS, at=make.at, namespace_jobs=limit
    )
    assert lease is not None
    return lease


def namespace(session: Session, lease: Lease) -> str:
    return session.get_one(Job, lease.job_id).namespace


def work(make: Factory, clock: ReplayClock, seconds: float) -> str:
    """Carry out the next job, for so long; whose it was."""
    lease = take(make)
    clock.advance_to(clock.now() + timedelta(seconds=seconds))
    succeed(make.session, lease, {"summary": "done"}, at=make.at)
    return namespace(make.session, lease)


def test_a_full_queue_holds_another_namespace_up_for_one_job_at_most(
    make: Factory, clock: ReplayClock
) -> None:
    for _ in range(40):
        queue(make, "finance", priority=9)
    assert work(make, clock, 10) == "finance"
    for _ in range(3):
        queue(make, "legal")
    assert [work(make, clock, 10) for _ in range(8)] == [
        *("legal", "finance", "legal", "finance", "legal"),
        *("finance", "finance", "finance"),
    ]


def test_time_is_shared_and_not_numbers_of_jobs(make: Factory, clock: ReplayClock) -> None:
    for _ in range(12):
        queue(make, "finance")
        queue(make, "legal")
    seconds = {"finance": 300, "legal": 60}
    used = dict.fromkeys(seconds, 0)
    for _ in range(12):
        lease = take(make)
        whose = namespace(make.session, lease)
        clock.advance_to(clock.now() + timedelta(seconds=seconds[whose]))
        succeed(make.session, lease, {"summary": "done"}, at=make.at)
        used[whose] += seconds[whose]
    assert used == {"finance": 600, "legal": 600}


def test_what_was_used_an_hour_ago_counts_no_more(make: Factory, clock: ReplayClock) -> None:
    queue(make, "finance")
    assert work(make, clock, 3_000) == "finance"
    clock.advance_to(clock.now() + timedelta(hours=1))
    queue(make, "finance")
    queue(make, "legal")
    assert work(make, clock, 10) == "finance"  # the oldest again


def test_a_running_job_counts_before_its_time_is_known(make: Factory, session: Session) -> None:
    for whose in ("finance", "finance", "finance", "legal", "people"):
        queue(make, whose)
    taken = [namespace(session, take(make)) for _ in range(5)]
    assert taken == ["finance", "legal", "people", "finance", "finance"]


def test_attempts_that_failed_and_jobs_that_were_cancelled_count_as_well(
    make: Factory, session: Session, clock: ReplayClock
) -> None:
    job = queue(make, "finance")
    lease = take(make)
    clock.advance_to(clock.now() + timedelta(seconds=40))
    fail(session, lease, "no room", retry=True, at=make.at)
    assert (job.worked_seconds, job.worked_at) == (40, make.at)
    clock.advance_to(clock.now() + timedelta(minutes=5))
    take(make)
    clock.advance_to(clock.now() + timedelta(seconds=2))
    cancel(session, job, actor_id=make.engineer.id, at=make.at)
    assert (job.worked_seconds, job.worked_at) == (42, make.at)


def test_a_namespace_runs_no_more_jobs_at_a_time_than_it_may(
    make: Factory, session: Session, clock: ReplayClock
) -> None:
    for whose in ("finance", "finance", "finance", "legal"):
        queue(make, whose)
    taken = [take(make, limit=1) for _ in range(2)]
    assert [namespace(session, lease) for lease in taken] == ["finance", "legal"]
    assert (
        claim(session, owner="w", lease_seconds=LEASE_SECONDS, at=make.at, namespace_jobs=1) is None
    )
    clock.advance_to(clock.now() + timedelta(seconds=1))
    succeed(session, taken[0], {"summary": "done"}, at=make.at)
    assert namespace(session, take(make, limit=1)) == "finance"


def test_a_job_whose_worker_fell_silent_takes_no_place_of_its_namespace(
    make: Factory, clock: ReplayClock
) -> None:
    silent = queue(make, "finance")
    take(make, limit=1)
    clock.advance_to(clock.now() + timedelta(seconds=LEASE_SECONDS))
    again = take(make, limit=1)
    assert (again.job_id, again.attempt) == (silent.id, 2)
    assert silent.worked_seconds == LEASE_SECONDS


def test_workers_that_ask_at_the_same_moment_share_fairly_and_keep_the_limit(
    platform: Platform, rival: Platform
) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        for whose in ("finance", "finance", "finance", "finance", "legal", "legal"):
            queue(make, whose)

    def ask(mine: Platform) -> str | None:
        with mine.database.transaction() as session:
            lease = claim(
                session,
                owner="w",
                lease_seconds=LEASE_SECONDS,
                at=mine.clock.now(),
                namespace_jobs=2,
            )
            return None if lease is None else namespace(session, lease)

    taken = at_once(*(lambda mine=mine: ask(mine) for mine in (platform, rival) * 3))
    assert sorted(map(str, taken)) == ["None", "None", "finance", "finance", "legal", "legal"]
