"""Watching through the database: hours add up, baselines come when due, windows are judged once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from bailiwick.monitoring import Alert, Inference, Monitor, create_monitor
from bailiwick.monitoring.intake import log_inferences
from bailiwick.monitoring.watching import (
    DriftIncident,
    TrafficBaseline,
    Watch,
    WindowCheck,
    advance,
)
from bailiwick.registry import Deployment, served_version
from factories import Factory

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Traffic:
    """A watched deployment and requests to it, seeded."""

    def __init__(self, make: Factory, **settings: Any) -> None:
        self.make = make
        self.deployment: Deployment = make.running()
        self.version_id = served_version(make.session, self.deployment).id
        self.random = np.random.default_rng(7)
        self.monitor: Monitor = create_monitor(
            make.session,
            self.deployment,
            max_accuracy_drop=0.05,
            min_rows=1_000,
            window_days=7,
            actor_id=make.engineer.id,
            at=make.at,
            **settings,
        )

    def send(
        self, start: datetime, hours: int, *, rows: int = 40, words: float = 8.0, fuel: float = 0.6
    ) -> None:
        """So many requests in each of the hours: words about `words`, a share of them fuel."""
        inferences = [
            Inference(
                record_id=f"{start:%Y%m%d%H}-{hour}-{row}",
                at=start + hour * HOUR + row * timedelta(seconds=30),
                prediction="fuel" if self.random.random() < fuel else "food",
                confidence=float(np.clip(self.random.normal(0.8, 0.1), 0, 1)),
                characters=None,
                words=max(0, round(self.random.normal(words, 3.0))),
                unseen_words_ratio=0.0,
                text=None,
            )
            for hour in range(hours)
            for row in range(rows)
        ]
        self.log(inferences, at=start + hours * HOUR)

    def log(self, inferences: Iterable[Inference], *, at: datetime) -> None:
        log_inferences(
            self.make.session, self.deployment.id, self.version_id, list(inferences), at=at
        )

    def go_on(self, at: datetime) -> int:
        """What the worker does then."""
        return advance(
            self.make.session,
            self.monitor,
            self.version_id,
            actor_id=self.make.engineer.id,
            at=at,
        )

    @property
    def watch(self) -> Watch:
        return self.make.session.get_one(Watch, self.monitor.id)

    def every(self, table: type[Any]) -> list[Any]:
        return list(self.make.session.scalars(select(table).order_by(table.id)))


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    return Traffic(make)


def test_a_week_of_quiet_traffic_makes_a_provisional_baseline(traffic: Traffic) -> None:
    traffic.send(START, 7 * 24)
    assert traffic.go_on(START + 7 * DAY) == 0  # the last hour may still get records
    assert traffic.watch.waits_for == "seven days of traffic; the first one is 2026-03-02"
    traffic.go_on(START + 7 * DAY + HOUR)
    (baseline,) = traffic.every(TrafficBaseline)
    assert (baseline.grade, baseline.origin, baseline.window_hours) == ("provisional", "traffic", 1)
    assert baseline.rows == 7 * 24 * 40
    assert baseline.watched == ["confidence", "prediction", "unseen_words_ratio", "words"]
    assert traffic.watch.next_start == START + 7 * DAY


def test_more_weeks_make_it_full_and_then_it_stands(traffic: Traffic) -> None:
    traffic.send(START, 35 * 24, rows=32)
    for day in (8, 15, 29, 36):
        traffic.go_on(START + day * DAY)
    grades = [(one.grade, one.end - one.first) for one in traffic.every(TrafficBaseline)]
    assert grades == [("provisional", 7 * DAY), ("provisional", 14 * DAY), ("full", 28 * DAY)]
    assert not traffic.every(DriftIncident)
    last = traffic.every(WindowCheck)[-1]
    assert (last.start, last.threshold) == (START + 35 * DAY - HOUR, 8_760.0)


def test_a_change_is_told_with_what_since_when_and_how_much(traffic: Traffic) -> None:
    traffic.send(START, 7 * 24)
    traffic.send(START + 7 * DAY, 24)
    onset = START + 8 * DAY
    traffic.send(onset, 24, words=11.0)
    traffic.go_on(onset + DAY + HOUR)
    (incident,) = traffic.every(DriftIncident)
    (alert,) = traffic.every(Alert)
    assert incident.sentence.startswith("Mean number of words rose by 0.9")
    assert "since 2026-03-10" in incident.sentence
    assert abs(incident.since - onset) <= 2 * HOUR
    assert (alert.cause, alert.kind, alert.severity) == ("abrupt-change", "drift", "warning")
    assert alert.incident_id == incident.id
