"""The number of requests, watched where a monitor asks for it."""

import numpy as np
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.watching import DriftIncident, TrafficBaseline, WindowCheck
from factories import Factory
from support.watched_traffic import DAY, HOUR, START, Traffic

QUIET_DAYS = 28


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    """Four weeks with a daily rhythm: many requests by day, few by night."""
    traffic = Traffic(make, smallest_change_requests=0.5)
    send_days(traffic, 0, QUIET_DAYS)
    traffic.go_on(START + QUIET_DAYS * DAY)
    return traffic


def send_days(traffic: Traffic, first: int, days: int, *, times: float = 1.0) -> None:
    for hour in range(first * 24, (first + days) * 24):
        usual = 60 + 30 * np.sin(2 * np.pi * (hour % 24 - 6) / 24)
        rows = int(traffic.random.poisson(usual * times))
        traffic.send(START + hour * HOUR, 1, rows=rows)


def test_twice_as_many_requests_are_told_as_such(traffic: Traffic) -> None:
    send_days(traffic, QUIET_DAYS, 3)
    onset = START + (QUIET_DAYS + 3) * DAY
    send_days(traffic, QUIET_DAYS + 3, 1, times=2.0)
    traffic.go_on(onset + DAY)
    assert "requests" in traffic.every(TrafficBaseline)[-1].watched
    (incident,) = traffic.every(DriftIncident)
    assert (incident.cause, incident.worth_waking) == ("volume", True)
    assert incident.sentence.startswith("The number of requests rose by ")
    assert incident.moves[0]["lower"] < 1.0 < incident.moves[0]["upper"]
    assert abs(incident.since - onset) <= HOUR
    (figure,) = incident.moves[0]["figures"]
    assert figure["name"] == "requests a window"
    assert figure["after"] / figure["before"] == pytest.approx(2.0, abs=0.2)


def test_the_rhythm_of_the_day_is_no_change(traffic: Traffic) -> None:
    send_days(traffic, QUIET_DAYS, 20)
    traffic.go_on(START + (QUIET_DAYS + 20) * DAY)
    assert not traffic.every(DriftIncident)


def test_windows_with_too_few_rows_for_anything_else_are_counted(traffic: Traffic) -> None:
    judged = len(traffic.every(WindowCheck))
    send_days(traffic, QUIET_DAYS, 1, times=0.1)
    traffic.go_on(START + (QUIET_DAYS + 1) * DAY)
    checks = traffic.every(WindowCheck)[judged:]
    assert max(one.rows for one in checks) < 30
    assert {one.hours for one in checks} == {1}
    (incident,) = traffic.every(DriftIncident)
    assert incident.sentence.startswith("The number of requests fell by ")


def test_requests_are_not_counted_unless_somebody_asks(make: Factory) -> None:
    traffic = Traffic(make)
    traffic.send(START, 8 * 24)
    traffic.go_on(START + 8 * DAY)
    assert "requests" not in traffic.every(TrafficBaseline)[-1].watched


def test_a_ratio_that_is_none_is_refused(make: Factory) -> None:
    with pytest.raises(Invalid, match="half as many again"):
        Traffic(make, smallest_change_requests=0.0)
