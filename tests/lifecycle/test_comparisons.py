"""Comparing two spans on demand: from the order to what the job says."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from bailiwick.access.principals import disable
from bailiwick.access.tables import Principal
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import JobKind, JobState, Platform, run_next
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.traffic_comparisons import order_comparison
from bailiwick.monitoring import Inference, log_inferences
from bailiwick.monitoring.comparisons import Span
from bailiwick.registry import Deployment
from support.lifecycle_world import World, watch_windows

HOUR = timedelta(hours=1)
WEEK = 7 * 24 * HOUR


@pytest.fixture
def start(world: World, clock: ReplayClock) -> datetime:
    """The first of two weeks of requests, by now summed up by the hour; the later ones longer."""
    start = clock.now()
    random = np.random.default_rng(11)
    for hour in range(14 * 24):
        at = start + hour * HOUR
        inferences = [
            Inference(
                record_id=f"{hour}-{row}",
                at=at + row * timedelta(seconds=60),
                prediction="Fuel",
                confidence=random.random(),
                characters=None,
                words=int(random.poisson(6 if hour < 7 * 24 else 9)),
                unseen_words_ratio=None,
                text=f"{'bought' if hour < 7 * 24 else 'sold'} no {row}",
            )
            for row in range(4)
        ]
        with world.platform.database.transaction() as session:
            log_inferences(
                session,
                world.deployment.id,
                world.champion_id,
                inferences,
                vault=world.platform.texts,
                at=at,
            )
    clock.advance_to(start + 2 * WEEK + HOUR)
    watch_windows(world)
    return start


def order(world: World, before: Span, after: Span, *, with_texts: bool = False) -> Job:
    with world.platform.database.transaction() as session:
        return order_comparison(
            session,
            session.get_one(Deployment, world.deployment.id),
            before,
            after,
            with_texts=with_texts,
            actor_id=world.engineer_id,
            at=world.platform.clock.now(),
        )


def done(platform: Platform) -> Job:
    assert run_next(platform, owner="worker")
    with platform.database.reading() as session:
        return session.scalars(select(Job).where(Job.kind == JobKind.COMPARE)).one()


def test_a_job_says_how_well_the_spans_are_told_apart_and_by_what(
    world: World, start: datetime
) -> None:
    middle = start + WEEK
    order(world, Span.of(start, middle), Span.of(middle, middle + WEEK), with_texts=True)
    job = done(world.platform)
    assert job.state == JobState.SUCCEEDED, job.error
    assert job.result is not None
    assert job.result["lower"] > 0.7
    assert job.result["features"][0]["feature"] == "words"
    assert job.result["texts"]["area"] > 0.99
    assert job.result["hours"] == {"before": 168, "after": 168}
    assert "tell the spans apart" in job.result["summary"]
    assert "sold" not in str(job.result)


def test_whoever_may_no_longer_look_learns_nothing(world: World, start: datetime) -> None:
    middle = start + WEEK
    order(world, Span.of(start, middle), Span.of(middle, middle + WEEK))
    with world.platform.database.transaction() as session:
        engineer = session.get_one(Principal, world.engineer_id)
        disable(session, engineer, actor_id=world.retrainer_id, at=world.platform.clock.now())
    job = done(world.platform)
    assert job.state == JobState.FAILED
    assert job.result is None


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        (lambda one: (Span(one, one + WEEK), Span(one + 6 * 24 * HOUR, one + 2 * WEEK)), "before"),
        (lambda one: (Span(one, one + 10 * HOUR), Span(one + WEEK, one + 2 * WEEK)), "at least"),
        (lambda one: (Span(one - WEEK, one), Span(one, one + WEEK)), "there are 0 sampled"),
    ],
    ids=["they overlap", "too little", "nothing"],
)
def test_what_cannot_be_compared_is_refused_where_it_is_asked(
    world: World,
    start: datetime,
    spans: Callable[[datetime], tuple[Span, Span]],
    said: str,
) -> None:
    with pytest.raises(Invalid, match=said):
        order(world, *spans(start))


def test_a_span_has_an_end_after_its_start() -> None:
    moment: dict[str, Any] = {"hour": 5, "minute": 59}
    one = datetime(2026, 1, 5).astimezone().replace(**moment)
    with pytest.raises(Invalid, match="ends after it starts"):
        Span.of(one, one)
