"""Labels watched by workers: several at once beside feedback, as whom, counted in any case."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bailiwick.access import Principal
from bailiwick.access.principals import disable
from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import JobKind, Platform
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.label_watching import watch_all_labels
from bailiwick.lifecycle.schedules import set_schedule
from bailiwick.monitoring import (
    Alert,
    Inference,
    Monitor,
    Outcome,
    log_feedback,
    log_inferences,
    update_monitor,
)
from bailiwick.monitoring.confusion import LabelArrival, LabelChange, LabelHour
from bailiwick.monitoring.labelled import LabelCheck
from support.lifecycle_world import World, at_once

DAY = timedelta(days=1)


@pytest.fixture
def watched(world: World) -> World:
    """Its windows alarm, and the retrainer runs its checks."""
    with world.platform.database.transaction() as session:
        monitor = session.get_one(Monitor, world.monitor.id)
        said: dict[str, Any] = {"actor_id": world.engineer_id, "at": world.platform.clock.now()}
        update_monitor(session, monitor, {"alarms_by": "windows"}, **said)
        set_schedule(
            session,
            JobKind.CHECK,
            monitor.id,
            namespace=world.deployment.namespace,
            label_id=world.deployment.label_id,
            cron="0 6 * * *",
            acts_as=world.retrainer_id,
            **said,
        )
    return world


def ask(world: World, name: str, rows: int = 200) -> None:
    """Requests of this moment."""
    at = world.platform.clock.now()
    said = [
        Inference(f"{name}-{row}", at, "Fuel", 0.8, None, None, None, None) for row in range(rows)
    ]
    with world.platform.database.transaction() as session:
        log_inferences(session, world.deployment.id, world.champion_id, said, at=at)


def tell(world: World, name: str, label: str | None = "Fuel", rows: int = 200) -> None:
    at = world.platform.clock.now()
    said = [Outcome(f"{name}-{row}", label) for row in range(rows)]
    with world.platform.database.transaction() as session:
        log_feedback(session, world.deployment.id, said, actor_id=world.engineer_id, at=at)


def rows_of(platform: Platform, column: Any) -> int:
    with platform.database.reading() as session:
        return session.scalars(select(func.coalesce(func.sum(column), 0))).one()


def test_several_workers_beside_feedback_count_every_label_once(
    watched: World, rival: Platform, clock: ReplayClock
) -> None:
    platform = watched.platform
    ask(watched, "early")
    tell(watched, "early")  # before anybody counts
    clock.advance_to(clock.now() + DAY)

    def go_on(mine: Platform) -> int:
        return sum(watch_all_labels(mine) for _ in range(3))

    ended = at_once(
        lambda: go_on(platform),
        lambda: go_on(rival),
        lambda: tell(watched, "late") or 0,
        lambda: ask(watched, "late") or 0,
        lambda: tell(watched, "early", "Travel", rows=50) or 0,
        lambda: go_on(rival),
    )
    assert not [one for one in ended if isinstance(one, Exception)]
    clock.advance_to(clock.now() + 3 * DAY)
    watch_all_labels(platform)
    watch_all_labels(rival)
    assert rows_of(platform, LabelHour.rows) == 400
    assert rows_of(platform, LabelHour.correct) == 350
    assert rows_of(platform, LabelArrival.rows) == 400
    with platform.database.reading() as session:
        assert session.scalars(select(LabelChange)).all() == []
        steps = session.execute(select(LabelCheck.reference_id, LabelCheck.start)).all()
    assert len(steps) == len(set(steps)) > 0


@pytest.mark.parametrize("unwatched", ["its service is disabled", "it is off", "by checks"])
def test_labels_are_counted_where_they_are_not_watched(
    watched: World, clock: ReplayClock, unwatched: str
) -> None:
    platform = watched.platform
    said: dict[str, Any] = {"actor_id": watched.engineer_id, "at": clock.now()}
    with platform.database.transaction() as session:
        monitor = session.get_one(Monitor, watched.monitor.id)
        if unwatched == "its service is disabled":
            disable(session, session.get_one(Principal, watched.retrainer_id), **said)
        elif unwatched == "it is off":
            update_monitor(session, monitor, {"enabled": False}, **said)
        else:
            update_monitor(session, monitor, {"alarms_by": "checks"}, **said)
    ask(watched, "a")
    tell(watched, "a")
    clock.advance_to(clock.now() + 2 * DAY)
    assert watch_all_labels(platform) == 0
    assert rows_of(platform, LabelHour.rows) == 200
    assert rows_of(platform, LabelCheck.rows) == 0


def test_a_loss_pages_and_starts_its_retraining_once(watched: World, clock: ReplayClock) -> None:
    platform = watched.platform
    for day in range(4):
        ask(watched, f"day {day}")
        tell(watched, f"day {day}", "Travel")
        clock.advance_to(clock.now() + DAY)
        watch_all_labels(platform)
    started = []
    for _ in range(2):
        with platform.database.transaction() as session:
            (alert,) = session.scalars(select(Alert))
            assert (alert.cause, alert.kind, alert.severity) == ("labels", "harm", "page")
            started.append(start_due(session, at=clock.now()))
    assert started == [1, 0]
