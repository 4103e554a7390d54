"""Asking for labels: none twice, and those of doubtful requests say nothing of accuracy."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.lifecycle.label_watching import watch_all_labels
from bailiwick.monitoring import (
    Inference,
    Outcome,
    log_feedback,
    log_inferences,
)
from bailiwick.monitoring.confusion import LabelHour
from bailiwick.monitoring.labelling import (
    LabellingItem,
    LabellingRound,
    ask_for_labels,
    skip_item,
    state_of,
)
from support.lifecycle_world import World, at_once, watch_windows

HOUR = timedelta(hours=1)


@pytest.fixture
def start(world: World, clock: ReplayClock) -> datetime:
    """The first of ten days of requests, sampled by the hour by now."""
    start = clock.now()
    for hour in range(240):
        at = start + hour * HOUR
        inferences = [
            Inference(f"{hour}-{row}", at, "Fuel", 0.5 + row / 20, None, 5, None, None)
            for row in range(5)
        ]
        with world.platform.database.transaction() as session:
            log_inferences(session, world.deployment.id, world.champion_id, inferences, at=at)
    clock.advance_to(start + 241 * HOUR)
    watch_windows(world)
    return start


def ask(world: World, start: datetime, rows: int = 20) -> LabellingRound:
    with world.platform.database.transaction() as session:
        return ask_for_labels(
            session,
            world.deployment.id,
            start=start,
            end=start + 240 * HOUR,
            rows=rows,
            random_ratio=0.5,
            actor_id=world.engineer_id,
            at=world.platform.clock.now(),
        )


def items(world: World, state: str = "open") -> list[LabellingItem]:
    with world.platform.database.reading() as session:
        query = select(LabellingItem).where(state_of(state))  # type: ignore[arg-type]  # one of them
        return list(session.scalars(query))


def tell(world: World, record_ids: list[str], label: str = "Travel") -> None:
    with world.platform.database.transaction() as session:
        log_feedback(
            session,
            world.deployment.id,
            [Outcome(one, label) for one in record_ids],
            actor_id=world.engineer_id,
            at=world.platform.clock.now(),
        )


def test_nobody_is_asked_twice_nor_about_what_has_a_label(world: World, start: datetime) -> None:
    tell(world, ["0-0", "0-1"])
    made = ask(world, start, rows=700)
    assert (made.candidates, made.rows, made.random_rows) == (1_198, 700, 350)
    again = ask(world, start, rows=700)
    assert (again.candidates, again.rows) == (498, 498)
    asked = [one.record_id for one in items(world)]
    assert len(set(asked)) == len(asked) == 1_198
    assert not {"0-0", "0-1"} & set(asked)
    with pytest.raises(Invalid, match="nobody was asked about"):
        ask(world, start)


def test_two_who_ask_at_once_get_different_requests(world: World, start: datetime) -> None:
    ended = at_once(lambda: ask(world, start, rows=400), lambda: ask(world, start, rows=400))
    assert not [one for one in ended if isinstance(one, Exception)]
    assert len({one.record_id for one in items(world)}) == 800


def test_labels_of_doubtful_requests_are_not_counted_as_accuracy(
    world: World, start: datetime, clock: ReplayClock
) -> None:
    ask(world, start)
    queue = items(world)
    tell(world, [one.record_id for one in queue])
    clock.advance_to(clock.now() + HOUR)
    watch_all_labels(world.platform)
    with world.platform.database.reading() as session:
        assert session.scalar(select(func.sum(LabelHour.rows))) == 10
    assert not items(world)
    assert len(items(world, "labelled")) == 20


def test_who_cannot_tell_skips_once_and_labels_may_still_come(
    world: World, start: datetime
) -> None:
    ask(world, start)
    first, second, *_ = items(world)
    by: dict[str, Any] = {"actor_id": world.engineer_id, "at": world.platform.clock.now()}
    with world.platform.database.transaction() as session:
        for _ in range(2):
            skip_item(session, session.get_one(LabellingItem, first.id), **by)
    assert [one.id for one in items(world, "skipped")] == [first.id]
    assert len(items(world)) == 19
    tell(world, [first.record_id, second.record_id])
    assert len(items(world, "labelled")) == 2
    with (
        pytest.raises(Conflict, match="has been labelled"),
        world.platform.database.transaction() as session,
    ):
        skip_item(session, session.get_one(LabellingItem, second.id), **by)


@pytest.mark.parametrize(("rows", "said"), [(0, "1 to 5,000"), (5_001, "1 to 5,000")])
def test_so_many_cannot_be_asked_for(world: World, rows: int, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        ask(world, world.platform.clock.now(), rows)
