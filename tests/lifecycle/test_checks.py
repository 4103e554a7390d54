"""Checks: a window is read the same way however its traffic came, and moves one alert."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.db import Database, make_engine
from bailiwick.lifecycle import JobState, Platform, checks, run_next
from bailiwick.lifecycle.tables import Job
from bailiwick.lineage import DatasetVersion
from bailiwick.monitoring import Alert, CheckResult, Monitor, log_inferences, update_monitor
from bailiwick.monitoring.labelled import advance
from bailiwick.registry import RegisteredModel
from support.databases import Databases
from support.lifecycle_children import FakeReports
from support.lifecycle_world import (
    MIN_ROWS,
    World,
    audited,
    bring,
    factory_again,
    found_world,
    order_check,
    requests,
)

DAY = timedelta(days=1)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> FakeReports:
    child = FakeReports()
    monkeypatch.setattr(checks, "run_child", child)
    return child


@pytest.fixture
def twin(platform: Platform, databases: Databases) -> Iterator[World]:
    """Another installation of the same making."""
    database = Database(make_engine(databases.migrated()))
    yield found_world(replace(platform, database=database))
    database.close()


def checked(world: World, due_at: datetime | None = None, **asked: bool) -> CheckResult:
    """The result of a check that fell due then (default: now)."""
    platform = world.platform
    job_id = order_check(world, due_at, **asked)
    assert run_next(platform, owner="worker")
    with platform.database.reading() as session:
        job = session.get_one(Job, job_id)
        assert job.state == JobState.SUCCEEDED, job.error
        assert job.result is not None
        return session.get_one(CheckResult, UUID(job.result["check_id"]))


def alerts(world: World) -> list[Alert]:
    with world.platform.database.reading() as session:
        return list(session.scalars(select(Alert).order_by(Alert.id)))


def test_an_alert_of_accuracy_begins_where_it_fell_within_the_window(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    began, fell = clock.now() - DAY, clock.now() - timedelta(hours=5)
    bring(world, *requests(100, first=began, prefix="right"))
    bring(world, *requests(100, first=fell, wrong=80, prefix="wrong"))
    checked(world)
    (alert,) = alerts(world)
    assert alert.since == fell
    assert reports.runs


def test_accuracy_that_dropped_raises_an_alert_that_says_since_when(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    bring(world, *requests(100, first=clock.now() - DAY, wrong=60))
    check = checked(world)
    assert (check.verdict, check.rows, check.labelled_rows) == ("harm", 100, 100)
    assert check.accuracy == pytest.approx(0.4)
    assert check.sentence.startswith("Accuracy fell from 80.0% to 40.0%")
    (alert,) = alerts(world)
    assert (alert.state, alert.kind, alert.check_id) == ("open", "harm", check.id)
    assert alert.since == check.window_start == clock.now() - 7 * DAY  # wrong from the start
    assert len(reports.current) == 100
    assert set(reports.current[0]) == {
        *("prediction", "confidence", "characters", "words", "unseen_words_ratio"),
    }
    with world.platform.database.reading() as session:
        assert audited(session, alert.id) == ["alert.raised"]
        assert audited(session, world.monitor.id) == ["monitor.created", "check.recorded"]


def test_a_drift_keeps_its_report_and_a_quiet_window_has_none(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    bring(world, *requests(100, first=clock.now() - DAY))
    assert checked(world).report_blob is None
    assert alerts(world) == []
    reports.drifted = True
    check = checked(world)
    assert check.report_blob is not None
    assert world.platform.blobs.read_bytes(check.report_blob) == b"<html></html>"
    assert alerts(world)[0].sentence == check.sentence


def test_first_requests_unlike_the_evaluation_rows_are_skew(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    bring(world, *requests(100, first=clock.now() - DAY))
    checked(world, first_look=True)
    assert alerts(world) == []
    reports.drifted, reports.harmful = True, False
    check = checked(world, first_look=True)
    (alert,) = alerts(world)
    assert (alert.kind, alert.cause, alert.severity) == ("skew", "skew", "warning")
    assert alert.sentence.endswith(f"(training/serving skew): {check.sentence}")


def test_later_checks_keep_the_alert_up_to_date_and_recovery_resolves_it(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    bring(world, *requests(100, first=clock.now() - DAY, wrong=60))
    checked(world)
    first_since = alerts(world)[0].since
    clock.advance_to(clock.now() + 7 * DAY)
    bring(world, *requests(100, first=clock.now() - DAY, wrong=90, prefix="second"))
    second = checked(world)
    (alert,) = alerts(world)
    assert (alert.state, alert.check_id, alert.since) == ("open", second.id, first_since)
    clock.advance_to(clock.now() + 7 * DAY)
    bring(world, *requests(100, first=clock.now() - DAY, prefix="third"))
    assert checked(world).verdict == "none"
    (alert,) = alerts(world)
    assert (alert.state, alert.quiet_checks) == ("open", 1)
    clock.advance_to(clock.now() + 7 * DAY)
    bring(world, *requests(100, first=clock.now() - DAY, prefix="fourth"))
    assert checked(world).verdict == "none"
    (alert,) = alerts(world)
    assert (alert.state, alert.resolved_at) == ("resolved", clock.now())
    with world.platform.database.reading() as session:
        events = ["alert.raised", "alert.updated", "alert.quieted", "alert.resolved"]
        assert audited(session, alert.id) == events
    assert reports.runs == 4


def test_too_few_rows_are_not_measured_and_change_no_alert(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    bring(world, *requests(MIN_ROWS - 1, first=clock.now() - DAY))
    check = checked(world)
    assert (check.verdict, reports.runs, alerts(world)) == ("insufficient", 0, [])
    clock.advance_to(clock.now() + 30 * DAY)
    bring(world, *requests(100, first=clock.now() - DAY, wrong=60, prefix="bad"))
    checked(world)
    before = alerts(world)[0]
    clock.advance_to(clock.now() + 30 * DAY)
    assert checked(world).verdict == "insufficient"
    (after,) = alerts(world)
    assert (after.state, after.check_id, after.revision) == (
        before.state,
        before.check_id,
        before.revision,
    )


def in_order(world: World) -> None:
    bring(world, *requests(60, first=world.platform.clock.now() - DAY, wrong=20))


def twice_and_in_pieces(world: World) -> None:
    inferences, labels = requests(60, first=world.platform.clock.now() - DAY, wrong=20)
    for start in range(0, 60, 20):
        bring(world, inferences[start : start + 30], labels[start : start + 20])
    bring(world, inferences, labels)


def backwards(world: World) -> None:
    inferences, labels = requests(60, first=world.platform.clock.now() - DAY, wrong=20)
    bring(world, inferences[::-1], labels[::-1])


def labels_before_their_requests(world: World) -> None:
    inferences, labels = requests(60, first=world.platform.clock.now() - DAY, wrong=20)
    bring(world, [], labels)
    bring(world, inferences)


@pytest.mark.parametrize("arrive", [twice_and_in_pieces, backwards, labels_before_their_requests])
def test_the_same_traffic_gives_the_same_check_however_it_arrives(
    world: World, twin: World, reports: FakeReports, arrive: Callable[[World], None]
) -> None:
    in_order(world)
    arrive(twin)
    expected = checked(world)
    seen = reports.current
    check = checked(twin)
    assert reports.current == seen
    for name in ("window_digest", "rows", "labelled_rows", "accuracy", "verdict", "sentence"):
        assert getattr(check, name) == getattr(expected, name), name
    assert (check.results, check.details) == (expected.results, expected.details)


def test_another_label_or_another_row_is_another_window(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    inferences, labels = requests(40, first=clock.now() - DAY)
    bring(world, inferences, labels)
    digests = [checked(world).window_digest]
    bring(world, [], [replace(labels[0], label="Travel")])
    digests.append(checked(world).window_digest)
    bring(world, *requests(1, first=clock.now() - DAY, prefix="one more"))
    digests.append(checked(world).window_digest)
    assert len(set(digests)) == 3
    assert reports.runs == 3


def test_the_window_ends_where_the_check_fell_due_not_when_it_was_carried_out(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    due_at = clock.now()
    bring(world, *requests(50, first=due_at - 2 * DAY))
    clock.advance_to(due_at + 2 * DAY)
    bring(world, *requests(30, first=due_at + DAY, prefix="later"))
    check = checked(world, due_at)
    assert (check.window_start, check.window_end) == (due_at - 7 * DAY, due_at)
    assert (check.rows, len(reports.current)) == (50, 50)


def test_after_a_promotion_only_the_new_champions_answers_are_checked(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    bring(world, *requests(50, first=clock.now() - 2 * DAY, wrong=50))
    with world.platform.database.transaction() as session:
        make = factory_again(session, world.platform)
        data = session.scalars(select(DatasetVersion)).one()
        model = session.get_one(RegisteredModel, world.model.id)
        version = make.champion(make.model_version(model, data))
        inferences, _ = requests(40, first=clock.now() - DAY, prefix="new")
        log_inferences(
            session,
            world.deployment.id,
            version.id,
            inferences,
            vault=world.platform.texts,
            at=clock.now(),
        )
    check = checked(world)
    assert (check.version_id, check.rows, check.verdict) == (version.id, 40, "none")
    assert reports.runs == 1


def test_a_check_keeps_its_figures_with_their_methods(
    world: World, reports: FakeReports, clock: ReplayClock
) -> None:
    bring(world, *requests(100, first=clock.now() - DAY, wrong=60))
    told = {one["name"]: one for one in checked(world).details["figures"]}
    assert set(told) >= {"accuracy", "macro F1", "weighted F1"}
    accuracy = told["accuracy"]
    assert (accuracy["value"], accuracy["rows"], accuracy["direction"]) == (0.4, 100, "less")
    assert accuracy["threshold"] == pytest.approx(0.75)
    assert all(one["method"] and one["library"] for one in told.values())
    assert reports.runs == 1


@pytest.mark.parametrize("judged", [True, False])
def test_lost_accuracy_is_a_second_opinion_where_the_test_on_labels_decides(
    world: World, reports: FakeReports, clock: ReplayClock, *, judged: bool
) -> None:
    with world.platform.database.transaction() as session:
        monitor = session.get_one(Monitor, world.monitor.id)
        by: dict[str, Any] = {"actor_id": world.engineer_id, "at": clock.now()}
        update_monitor(session, monitor, {"alarms_by": "windows"}, **by)
        if judged:
            advance(session, monitor, world.champion_id, **by)
    bring(world, *requests(100, first=clock.now() - DAY, wrong=60))
    assert checked(world).verdict == "harm"
    assert len(alerts(world)) == (not judged)
    assert reports.runs == 1
