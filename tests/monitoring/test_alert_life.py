"""The life of alerts: every move is kept, and any history of checks and people makes sense."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bailiwick.core.errors import Conflict
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import Alert, AlertEvent, AlertState, acknowledge, close, signal
from bailiwick.monitoring.alert_life import QUIET_CHECKS, REOPEN_WITHIN, TRANSITIONS
from bailiwick.monitoring.alerts import Signal
from bailiwick.notifications import Severity
from support.alerting import Watch, found, looking

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def deployment_id(shared_platform: Platform) -> UUID:
    """One deployment for all tests here."""
    return found(shared_platform)


@pytest.fixture
def watch(shared_platform: Platform, deployment_id: UUID) -> Iterator[Watch]:
    """It has not been checked yet."""
    with looking(shared_platform, deployment_id) as watch:
        yield watch


def by(watch: Watch) -> dict[str, Any]:
    return {"actor_id": watch.make.engineer.id, "at": watch.at}


def events(watch: Watch, alert: Alert) -> list[AlertEvent]:
    query = select(AlertEvent).where(AlertEvent.alert_id == alert.id).order_by(AlertEvent.number)
    return list(watch.make.session.scalars(query))


def moves(watch: Watch, alert: Alert) -> list[str]:
    return [event.move for event in events(watch, alert)]


def test_every_move_says_who_what_when_and_why(watch: Watch) -> None:
    alert = watch.raised("drift")
    watch.later = HOUR
    watch.raised("harm")
    acknowledge(watch.make.session, alert, **by(watch))
    close(watch.make.session, alert, resolution="a price rise", **by(watch))
    told = [(e.number, e.move, e.old_state, e.new_state) for e in events(watch, alert)]
    assert told == [
        (1, "raised", None, "open"),
        (2, "worsened", "open", "open"),
        (3, "acknowledged", "open", "acknowledged"),
        (4, "resolved", "acknowledged", "resolved"),
    ]
    first, *_, last = events(watch, alert)
    assert (first.severity, first.why, first.actor_id) == (
        "note",
        "something moved",
        watch.make.root.id,
    )
    assert (last.why, last.actor_id, last.at) == ("a price rise", watch.make.engineer.id, watch.at)
    assert last.check_id == alert.check_id


def test_severity_follows_what_is_found(watch: Watch) -> None:
    alert = watch.raised("harm")
    assert alert.severity == "page"
    watch.raised("drift")
    assert (alert.severity, moves(watch, alert)) == ("note", ["raised", "eased"])
    watch.raised("drift")
    assert moves(watch, alert) == ["raised", "eased"]


@pytest.mark.parametrize("resolved_by_itself", [True, False])
def test_a_cause_that_is_back_soon_opens_the_old_alert(
    watch: Watch, *, resolved_by_itself: bool
) -> None:
    alert = watch.raised()
    acknowledge(watch.make.session, alert, **by(watch))
    if resolved_by_itself:
        for _ in range(QUIET_CHECKS):
            watch.check("none")
    else:
        close(watch.make.session, alert, resolution="fixed", **by(watch))
    assert alert.state == "resolved"
    opened = alert.opened_at
    watch.later = REOPEN_WITHIN
    assert watch.raised() is alert
    assert (alert.state, alert.reopened_at, alert.opened_at) == ("open", watch.at, opened)
    assert (alert.acknowledged_by, alert.resolved_at, alert.resolution) == (None, None, None)
    assert moves(watch, alert)[-2:] == ["resolved", "reopened"]


def test_a_cause_that_is_back_late_raises_a_new_alert(watch: Watch) -> None:
    alert = watch.raised()
    close(watch.make.session, alert, resolution="fixed", **by(watch))
    watch.later = REOPEN_WITHIN + timedelta(seconds=1)
    assert watch.raised() is not alert


def test_causes_are_alerts_of_their_own(watch: Watch) -> None:
    first = watch.raised("drift")
    sent = Signal(
        deployment_id=watch.deployment.id,
        source="monitor",
        cause="schema",
        kind="schema",
        severity=Severity.WARNING,
        sentence="a column is gone",
        since=watch.at,
        owner_id=watch.make.engineer.id,
        monitor_id=watch.monitor.id,
        check_id=first.check_id,
    )
    other = signal(watch.make.session, sent, **by(watch))
    assert other.id != first.id
    assert signal(watch.make.session, sent, **by(watch)) is other
    for _ in range(QUIET_CHECKS):
        watch.check("none")
    assert (first.state, other.state) == ("resolved", "open")


@dataclass
class Model:
    """What should become of a deployment's newest alert, told a second time."""

    state: str | None = None
    severity: str = ""
    quiet: int = 0
    resolved_at: datetime | None = None
    alerts: int = 0

    @property
    def stands(self) -> bool:
        """Whether nobody and nothing has resolved it."""
        return self.state in ("open", "acknowledged")

    def resolve(self, at: datetime) -> None:
        """It is over."""
        self.state, self.resolved_at = "resolved", at

    def check(self, verdict: str, at: datetime) -> None:
        """What a check does."""
        if verdict == "none" and self.stands:
            self.quiet += 1
            if self.quiet == QUIET_CHECKS:
                self.resolve(at)
        elif verdict in ("harm", "drift"):
            self.severity, self.quiet = ("page" if verdict == "harm" else "note"), 0
            if not self.stands:
                back = self.resolved_at is not None and at <= self.resolved_at + REOPEN_WITHIN
                self.alerts += 0 if back else 1
                self.state = "open"


CHECKS = ("harm", "drift", "none", "insufficient")
DAYS = {"a day": 1, "a week": 7}
ACTS = (*CHECKS, *DAYS, "acknowledge", "resolve")


@given(st.lists(st.sampled_from(ACTS), max_size=25))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_history_makes_sense(watch: Watch, acts: list[str]) -> None:
    session = watch.make.session
    watch.later = timedelta(0)
    with session.begin_nested() as undone:
        model = Model()
        for act in acts:
            if act in DAYS:
                watch.later += timedelta(days=DAYS[act])
            elif act in CHECKS:
                watch.check(act)
                model.check(act, watch.at)
            else:
                by_hand(watch, act, model)
            agrees(the_newest(watch), model)
        every = session.scalars(select(Alert)).all()
        assert len(every) == model.alerts
        assert sum(alert.state != "resolved" for alert in every) <= 1
        for alert in every:
            makes_sense(watch, alert)
        undone.rollback()
    session.expire_all()


def agrees(alert: Alert | None, model: Model) -> None:
    if alert is None:
        assert model.state is None
        return
    assert (alert.state, alert.severity) == (model.state, model.severity)
    assert not model.stands or alert.quiet_checks == model.quiet


def by_hand(watch: Watch, act: str, model: Model) -> None:
    alert = the_newest(watch)
    if alert is None:
        return
    if not model.stands:
        with pytest.raises(Conflict, match="cannot become"):
            move(watch, act, alert)
    else:
        move(watch, act, alert)
        if act == "acknowledge":
            model.state = "acknowledged"
        else:
            model.resolve(watch.at)


def move(watch: Watch, act: str, alert: Alert) -> None:
    if act == "acknowledge":
        acknowledge(watch.make.session, alert, **by(watch))
    else:
        close(watch.make.session, alert, resolution="seen", **by(watch))


def the_newest(watch: Watch) -> Alert | None:
    return watch.make.session.scalars(select(Alert).order_by(Alert.id.desc())).first()


def makes_sense(watch: Watch, alert: Alert) -> None:
    """Its events are numbered without gaps, hang together, and end where it stands."""
    chain = events(watch, alert)
    assert [event.number for event in chain] == list(range(1, alert.moves + 1))
    assert (chain[0].move, chain[0].old_state) == ("raised", None)
    assert (chain[-1].new_state, chain[-1].severity) == (alert.state, alert.severity)
    for before, after in pairwise(chain):
        assert after.old_state == before.new_state
        assert before.at <= after.at
        if after.old_state != after.new_state:
            assert AlertState(after.new_state) in TRANSITIONS[AlertState(after.old_state or "")]
