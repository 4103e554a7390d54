from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict
from bailiwick.core.ids import new_id
from bailiwick.lineage import DatasetVersion
from bailiwick.monitoring import (
    Alert,
    AlertState,
    CheckResult,
    Monitor,
    acknowledge,
    alert_resource,
    close,
    create_monitor,
    evaluate,
)
from bailiwick.monitoring.alert_life import QUIET_CHECKS, RECOVERED, TRANSITIONS, reopen
from bailiwick.policy import load_label
from bailiwick.registry import Deployment, RegisteredModel, served_version
from factories import Factory


class Watch:
    """A monitored deployment whose checks find what a test says."""

    def __init__(self, make: Factory, deployment: Deployment) -> None:
        self.make = make
        self.deployment = deployment
        self.version = served_version(make.session, deployment)
        self.monitor: Monitor = create_monitor(
            make.session,
            deployment,
            max_accuracy_drop=0.05,
            min_rows=1,
            window_days=1,
            alarms_by="checks",
            actor_id=make.engineer.id,
            at=make.at,
        )
        self.windows = 0

    def check(self, verdict: str, *columns: str) -> Alert | None:
        """The alert after the next window's check."""
        self.windows += 1
        check = CheckResult(
            id=new_id(),
            monitor_id=self.monitor.id,
            job_id=new_id(),
            version_id=self.version.id,
            window_start=self.start(self.windows),
            window_end=self.start(self.windows + 1),
            window_digest="0" * 64,
            rows=5,
            labelled_rows=0,
            accuracy=None,
            verdict=verdict,
            sentence=f"window {self.windows}: {verdict}",
            results=[{"column": column, "drifted": True} for column in columns],
            details={"accuracy": {"dropped": False}},
            report_blob=None,
            at=self.start(self.windows + 1),
        )
        self.make.session.add(check)
        self.make.session.flush()
        return evaluate(
            self.make.session, self.monitor, check, actor_id=self.make.root.id, at=check.at
        )

    def start(self, window: int) -> datetime:
        """When that window began."""
        return self.make.at + timedelta(days=window)

    def events(self) -> list[str]:
        """What the log says about alerts."""
        self.make.session.flush()
        query = select(AuditEvent.action).order_by(AuditEvent.id)
        return list(self.make.session.scalars(query.where(AuditEvent.subject_type == "alert")))


@pytest.fixture
def watch(make: Factory) -> Watch:
    """A deployment that has not been checked yet."""
    return Watch(make, make.running())


def raised(watch: Watch, verdict: str = "drift", *columns: str) -> Alert:
    alert = watch.check(verdict, *(columns or ("prediction",)))
    assert alert is not None
    return alert


def test_a_finding_raises_an_alert_that_says_what_and_since_when(watch: Watch) -> None:
    alert = raised(watch)
    assert (alert.kind, alert.state, alert.sentence) == ("drift", "open", "window 1: drift")
    assert alert.since == watch.start(1)
    assert watch.events() == ["alert.raised"]


def test_nothing_found_raises_none(watch: Watch) -> None:
    assert watch.check("none") is None
    assert watch.events() == []


def test_a_worsening_is_the_same_alert(watch: Watch) -> None:
    first = raised(watch)
    worse = raised(watch, "harm", "prediction")
    assert worse is first
    assert (worse.kind, worse.sentence, worse.state) == ("harm", "window 2: harm", "open")
    assert worse.since == watch.start(1)
    assert watch.events() == ["alert.raised", "alert.updated"]


def test_an_acknowledged_alert_stays_acknowledged_while_it_worsens(watch: Watch) -> None:
    alert = raised(watch)
    acknowledge(watch.make.session, alert, actor_id=watch.make.engineer.id, at=watch.make.at)
    assert raised(watch, "harm").state == "acknowledged"


def test_too_few_rows_change_nothing(watch: Watch) -> None:
    assert watch.check("insufficient") is None
    alert = raised(watch)
    assert watch.check("insufficient") is alert
    assert (alert.state, alert.sentence) == ("open", "window 2: drift")


def test_recovery_resolves_after_enough_quiet_checks(watch: Watch) -> None:
    alert = raised(watch)
    for quiet in range(1, QUIET_CHECKS):
        assert watch.check("none") is alert
        assert (alert.state, alert.quiet_checks) == ("open", quiet)
    assert watch.check("none") is None
    assert (alert.state, alert.resolution) == ("resolved", RECOVERED)
    assert watch.events() == ["alert.raised", "alert.quieted", "alert.resolved"]


def test_a_finding_between_quiet_checks_begins_the_count_anew(watch: Watch) -> None:
    alert = raised(watch)
    watch.check("none")
    assert raised(watch) is alert
    assert alert.quiet_checks == 0
    assert watch.check("none") is alert


def test_since_when_looks_back_over_quiet_reports_of_the_same_columns(watch: Watch) -> None:
    alert = raised(watch, "drift", "words")
    close(
        watch.make.session,
        alert,
        resolution="seen",
        actor_id=watch.make.engineer.id,
        at=watch.make.at,
    )
    watch.check("insufficient")
    again = raised(watch, "drift", "words", "confidence")
    assert again.since == watch.start(1)


def test_a_column_that_moves_anew_is_new(watch: Watch) -> None:
    alert = raised(watch, "drift", "words")
    close(
        watch.make.session,
        alert,
        resolution="seen",
        actor_id=watch.make.engineer.id,
        at=watch.make.at,
    )
    assert raised(watch, "drift", "confidence").since == watch.start(2)


def test_what_moved_beside_another_version_s_reference_says_nothing_of_since_when(
    watch: Watch,
) -> None:
    alert = raised(watch, "drift", "words")
    close(
        watch.make.session,
        alert,
        resolution="retrained",
        actor_id=watch.make.engineer.id,
        at=watch.make.at,
    )
    data = watch.make.session.scalars(select(DatasetVersion)).one()
    model = watch.make.session.scalars(select(RegisteredModel)).one()
    watch.version = watch.make.model_version(model, data)
    assert raised(watch, "drift", "words").since == watch.start(2)


def move(watch: Watch, alert: Alert, state: AlertState) -> Any:
    common: Any = {"actor_id": watch.make.engineer.id, "at": watch.make.at}
    if state is AlertState.OPEN:
        return reopen(watch.make.session, alert, **common)
    if state is AlertState.ACKNOWLEDGED:
        return acknowledge(watch.make.session, alert, **common)
    return close(watch.make.session, alert, resolution="over", **common)


@pytest.mark.parametrize(("old", "new"), list(product(AlertState, AlertState)))
def test_only_the_moves_of_the_table_are_made(
    watch: Watch, old: AlertState, new: AlertState
) -> None:
    alert = raised(watch)
    if old is not AlertState.OPEN:
        move(watch, alert, old)
    before = len(watch.events())
    if new in TRANSITIONS[old]:
        move(watch, alert, new)
        assert alert.state == new
        assert len(watch.events()) == before + 1
    elif old is new is AlertState.ACKNOWLEDGED:
        move(watch, alert, new)
        assert len(watch.events()) == before
    else:
        with pytest.raises(Conflict, match=f"is {old} and cannot become {new}"):
            move(watch, alert, new)
        assert (alert.state, len(watch.events())) == (old, before)


def test_who_acknowledged_and_who_resolved_is_kept(watch: Watch) -> None:
    alert = raised(watch)
    move(watch, alert, AlertState.ACKNOWLEDGED)
    move(watch, alert, AlertState.RESOLVED)
    engineer = watch.make.engineer.id
    assert (alert.acknowledged_by, alert.resolved_by) == (engineer, engineer)
    assert alert.resolution == "over"


def test_the_database_takes_one_unresolved_alert_a_deployment(watch: Watch) -> None:
    first = raised(watch)
    with pytest.raises(IntegrityError), watch.make.session.begin_nested():
        watch.make.session.add(
            Alert(
                deployment_id=first.deployment_id,
                source=first.source,
                owner_id=first.owner_id,
                cause=first.cause,
                monitor_id=first.monitor_id,
                check_id=first.check_id,
                kind="drift",
                state="acknowledged",
                sentence="second",
                since=first.since,
                opened_at=first.opened_at,
            )
        )


def test_the_database_knows_the_states(watch: Watch) -> None:
    alert = raised(watch)
    with pytest.raises(IntegrityError), watch.make.session.begin_nested():
        alert.state = "ignored"


def test_an_alert_is_labelled_like_its_deployment(watch: Watch) -> None:
    resource = alert_resource(watch.make.session, raised(watch))
    assert resource.namespace == watch.deployment.namespace
    assert resource.label == load_label(watch.make.session, watch.deployment.label_id)
