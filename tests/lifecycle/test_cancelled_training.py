"""Cancelling: a training is gone within seconds, however deep it is in its work."""

import threading
import time
from dataclasses import replace
from uuid import UUID

import pytest

from bailiwick.core.clock import ReplayClock
from bailiwick.core.processes import resident_bytes
from bailiwick.lifecycle import JobState, Platform, TrainingOrder, run_next
from bailiwick.lifecycle.jobs import UNFINISHED, cancel, claim
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, order_training
from factories import PURPOSE, Factory
from support.lifecycle_world import World
from support.replayed_history import Past
from support.tiny_training import TINY

WAIT_SECONDS, GONE_SECONDS = 120, 3.0
# Its first epoch takes many seconds, in which the process says nothing.
SLOW = replace(
    TINY, hidden_size=256, layers=8, intermediate_size=1_024, heads=4, pretrain_batch_rows=1
)
TOKENIZED = {"stage": "tokenizer", "step": 1, "steps": 1}  # what it says last before


def order(platform: Platform) -> UUID:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        wanted = TrainingOrder(
            model_id=make.model().id,
            dataset_version_ids=(make.dataset_version(make.dataset()).id,),
            recipe=SLOW,
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier="standard",
            seed=3,
            from_champion=False,
        )
        actor = make.actor(make.engineer)
        return order_training(session, wanted, rules=platform.rules, actor=actor, at=make.at).id


def job_of(platform: Platform, job_id: UUID) -> Job:
    with platform.database.reading() as session:
        return session.get_one(Job, job_id)


@pytest.mark.torch
@pytest.mark.any_database
def test_a_training_in_the_middle_of_an_epoch_is_gone_within_three_seconds(
    platform: Platform,
) -> None:
    job_id = order(platform)
    folder = platform.settings.work_folder / "jobs" / f"{job_id}-1"
    working = threading.Thread(target=run_next, args=(platform,), kwargs={"owner": "w1"})
    working.start()
    deadline = time.monotonic() + WAIT_SECONDS
    while (job := job_of(platform, job_id)).progress != TOKENIZED:
        assert time.monotonic() < deadline
        assert job.state in UNFINISHED, job.error
        time.sleep(0.05)
    assert resident_bytes(folder) > 0
    with platform.database.transaction() as session:
        job = session.get_one(Job, job_id)
        cancel(session, job, actor_id=job.acts_as, at=platform.clock.now())
    cancelled = time.monotonic()
    while resident_bytes(folder):
        assert time.monotonic() - cancelled < GONE_SECONDS
        time.sleep(0.02)
    working.join(WAIT_SECONDS)
    assert not working.is_alive()
    assert not folder.exists()
    assert job_of(platform, job_id).state == JobState.CANCELLED


def test_a_backtest_that_waits_is_never_begun_once_it_is_cancelled(
    world: World, clock: ReplayClock
) -> None:
    past = Past(world, clock, months=3)
    past.live()
    asked = past.backtest(past.order(past.settings("every-period")))
    with world.platform.database.transaction() as session:
        job = session.get_one(Job, asked.job_id)
        cancel(session, job, actor_id=world.engineer_id, at=clock.now())
        assert job.state == JobState.CANCELLED
        assert claim(session, owner="w", lease_seconds=60, at=clock.now()) is None
