"""Watching by workers: several at once, beside intake; as whom; what an incident asks for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.access import Principal
from bailiwick.access.principals import disable
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import JobKind, Platform, watching
from bailiwick.lifecycle.schedules import set_schedule
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.watching import REFUSED, watch_all
from bailiwick.monitoring import Alert, Inference, Monitor, log_inferences, update_monitor
from bailiwick.monitoring.hours import Window, WindowPart
from bailiwick.monitoring.watching import DriftIncident, Watch, WindowCheck, advance
from support.lifecycle_world import World, at_once

HOUR = timedelta(hours=1)


@pytest.fixture
def watched(world: World) -> World:
    """Its windows alarm, and the retrainer runs its checks."""
    with world.platform.database.transaction() as session:
        monitor = session.get_one(Monitor, world.monitor.id)
        at = world.platform.clock.now()
        said: dict[str, Any] = {"actor_id": world.engineer_id, "at": at}
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


def send(world: World, hours: range, *, words: float = 8.0, rows: int = 40) -> None:
    """Requests in these hours from now, and the clock after them."""
    random = np.random.default_rng(abs(hours.start))
    start = world.platform.clock.now()
    for hour in hours:
        at = start + hour * HOUR
        inferences = [
            Inference(
                record_id=f"{at}-{row}",
                at=at + row * timedelta(seconds=60),
                prediction="Fuel" if random.random() < 0.6 else "Travel",
                confidence=0.8,
                characters=None,
                words=max(0, round(random.normal(words, 3))),
                unseen_words_ratio=None,
                text=None,
            )
            for row in range(rows)
        ]
        with world.platform.database.transaction() as session:
            log_inferences(session, world.deployment.id, world.champion_id, inferences, at=at)


def counted(platform: Platform) -> Iterator[int]:
    with platform.database.reading() as session:
        yield session.scalars(select(func.coalesce(func.sum(Window.rows), 0))).one()
        yield session.scalars(select(func.count()).select_from(WindowPart)).one()
        checks = session.execute(select(WindowCheck.baseline_id, WindowCheck.start)).all()
        yield len(checks) - len(set(checks))


def test_several_workers_and_intake_at_once_count_every_record_once(
    watched: World, rival: Platform, clock: ReplayClock
) -> None:
    platform = watched.platform
    send(watched, range(8 * 24))
    clock.advance_to(clock.now() + 10 * 24 * HOUR)

    def go_on(mine: Platform) -> int:
        return sum(watch_all(mine) for _ in range(3))

    ended = at_once(
        lambda: go_on(platform),
        lambda: go_on(rival),
        lambda: send(watched, range(-40, -20)) or 0,
        lambda: go_on(rival),
    )
    assert not [one for one in ended if isinstance(one, Exception)]
    clock.advance_to(clock.now() + HOUR)
    watch_all(platform)
    assert list(counted(platform)) == [8 * 24 * 40 + 20 * 40, 0, 0]


def test_an_incident_asks_for_a_second_opinion_once(watched: World, clock: ReplayClock) -> None:
    platform = watched.platform
    send(watched, range(8 * 24))
    send(watched, range(8 * 24, 9 * 24), words=14.0)
    clock.advance_to(clock.now() + (9 * 24 + 1) * HOUR)
    for _ in range(3):
        watch_all(platform)
        clock.advance_to(clock.now() + HOUR)
    with platform.database.reading() as session:
        (incident,) = session.scalars(select(DriftIncident))
        (alert,) = session.scalars(select(Alert))
        _, job = session.scalars(select(Job).where(Job.kind == JobKind.CHECK).order_by(Job.id))
    assert alert.incident_id == incident.id
    assert job.payload == {
        "due_at": incident.opened_at.isoformat(),
        "start": incident.since.isoformat(),
    }
    assert job.acts_as == watched.retrainer_id


def test_the_first_requests_of_a_version_are_held_to_its_evaluation_rows_once(
    watched: World, clock: ReplayClock
) -> None:
    platform, began = watched.platform, clock.now()
    send(watched, range(8))
    for _ in range(3):
        clock.advance_to(clock.now() + 9 * HOUR)
        watch_all(platform)
    with platform.database.reading() as session:
        (job,) = session.scalars(select(Job).where(Job.kind == JobKind.CHECK))
    first = began.replace(minute=0, second=0, microsecond=0)
    assert job.payload == {
        "start": first.isoformat(),
        "due_at": (first + HOUR).isoformat(),  # by then there were enough
        "first_look": True,
    }


def test_a_service_that_may_not_check_watches_nothing_and_it_is_said(
    watched: World, clock: ReplayClock
) -> None:
    platform = watched.platform
    with platform.database.transaction() as session:
        robot = session.get_one(Principal, watched.retrainer_id)
        disable(session, robot, actor_id=watched.engineer_id, at=clock.now())
    send(watched, range(30))
    clock.advance_to(clock.now() + 40 * HOUR)
    assert watch_all(platform) == 0
    with platform.database.reading() as session:
        assert session.get_one(Watch, watched.monitor.id).waits_for == REFUSED
        assert session.scalars(select(func.count()).select_from(Window)).one() == 0


def test_a_monitor_that_alarms_by_checks_is_not_watched(world: World, clock: ReplayClock) -> None:
    send(world, range(30))
    clock.advance_to(clock.now() + 40 * HOUR)
    assert watch_all(world.platform) == 0
    with world.platform.database.reading() as session:
        assert session.scalars(select(func.count()).select_from(Window)).one() == 0


def test_a_deployment_that_cannot_be_watched_hinders_no_other(
    watched: World, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = watched.platform
    real, seen = watching.watched, []

    def twice(session: Session) -> list[tuple[UUID, UUID]]:
        return [*real(session), *real(session)]

    def fails_first(*given: Any, **options: Any) -> int:
        seen.append(given)
        if len(seen) == 1:
            message = "This window's summary is damaged; make it again from its rows."
            raise Invalid(message)
        return advance(*given, **options)

    monkeypatch.setattr(watching, "watched", twice)
    monkeypatch.setattr(watching, "advance", fails_first)
    send(watched, range(10))
    clock.advance_to(clock.now() + 12 * HOUR)
    with pytest.raises(Invalid, match="damaged"):
        watch_all(platform)
    assert len(seen) == 2
    assert next(counted(platform)) == 400
