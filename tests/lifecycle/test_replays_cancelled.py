"""A backtest that is cancelled ends its training processes; the next one goes on from there."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import JobState, run_next
from bailiwick.lifecycle.backtest import Stream, refits
from bailiwick.lifecycle.jobs import cancel
from bailiwick.lifecycle.tables import Job
from bailiwick.training import Recipe
from support.lifecycle_world import World
from support.replayed_history import Past

pytestmark = pytest.mark.torch
WAIT_SECONDS = 60
started: list["Watched"] = []


class Watched(refits._Child):
    """A real training process that the test can look at."""

    def __init__(self, stream: Stream, recipe: Recipe, seed: int, folder: Path) -> None:
        super().__init__(stream, recipe, seed, folder)
        started.append(self)


def test_a_cancelled_backtest_ends_within_seconds_and_the_next_goes_on(
    world: World, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refits, "_Child", Watched)
    started.clear()
    settings = world.platform.settings.model_copy(update={"lease_seconds": 4, "threads": 1})
    past = Past(
        replace(world, platform=replace(world.platform, settings=settings)), clock, months=9
    )
    past.live()
    platform, asked = past.world.platform, past.order(past.settings("every-period"))
    working = threading.Thread(target=run_next, args=(platform,), kwargs={"owner": "w1"})
    working.start()
    cache = settings.work_folder / "backtests"
    deadline = time.monotonic() + WAIT_SECONDS
    while not list(cache.glob("*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with platform.database.transaction() as session:
        job = session.get_one(Job, past.backtest(asked).job_id)
        cancel(session, job, actor_id=world.engineer_id, at=clock.now())
    working.join(WAIT_SECONDS)
    assert not working.is_alive()
    assert [one._process.poll() is not None for one in started if one._process] == [True]
    kept = {path: path.stat().st_mtime_ns for path in cache.glob("*.json")}
    again = past.order(past.settings("every-period"))
    assert run_next(platform, owner="w2")
    with platform.database.reading() as session:
        states = [session.get_one(Job, past.backtest(one).job_id).state for one in (asked, again)]
    assert states == [JobState.CANCELLED, JobState.SUCCEEDED]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # not trained again
