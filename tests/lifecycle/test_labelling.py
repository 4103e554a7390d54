"""Asking for labels: none twice, and those of doubtful requests say nothing of accuracy."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.lifecycle.label_watching import watch_all_labels
from bailiwick.lifecycle.labels_asked import ask_within_budget
from bailiwick.lifecycle.retraining_policies import update_retraining_policy
from bailiwick.lifecycle.tables import RetrainingPolicy
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
    skip_item,
    state_of,
)
from bailiwick.policy import load_actor
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
        return ask_within_budget(
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


def budgeted(world: World, labels: int | None, **changes: Any) -> None:
    """The retraining policy allows so many labels a month."""
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        actor, at = load_actor(session, world.engineer_id), world.platform.clock.now()
        settings = {"budget_labels": labels, **changes}
        update_retraining_policy(session, policy, settings, actor=actor, at=at)


def test_no_more_labels_are_asked_for_in_a_month_than_the_policy_allows(
    world: World, start: datetime, clock: ReplayClock
) -> None:
    budgeted(world, 50)
    assert ask(world, start, rows=30).rows == 30
    with pytest.raises(Invalid, match=r"20 of the 50 labels .* this month are left"):
        ask(world, start, rows=21)
    assert ask(world, start, rows=20).rows == 20
    first = (start + timedelta(days=40)).replace(day=1, hour=0)
    assert first.month != clock.now().month
    with pytest.raises(Conflict, match=f"50 were asked for; wait until {first:%Y-%m-%d}"):
        ask(world, start, rows=1)
    clock.advance_to(first)
    assert ask(world, start, rows=50).rows == 50


def test_a_budget_of_none_asks_nobody_and_a_policy_that_is_off_has_no_say(
    world: World, start: datetime
) -> None:
    budgeted(world, 0)
    with pytest.raises(Conflict, match="allows 0 labels a month"):
        ask(world, start, rows=1)
    budgeted(world, 0, enabled=False)
    assert ask(world, start, rows=1).rows == 1
    with pytest.raises(Invalid, match="0 or more"):
        budgeted(world, -1)


def test_of_two_who_ask_at_once_only_one_gets_the_last_labels(
    world: World, start: datetime
) -> None:
    budgeted(world, 400)
    ended = at_once(lambda: ask(world, start, rows=400), lambda: ask(world, start, rows=400))
    (refused,) = [one for one in ended if isinstance(one, Exception)]
    assert "400 were asked for" in str(refused)
    assert len(items(world)) == 400


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
