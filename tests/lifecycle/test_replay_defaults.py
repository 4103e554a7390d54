"""What a replay goes by where nobody said otherwise: which year, and how late labels come."""

from datetime import timedelta

import pytest

from bailiwick.lifecycle.backtest import Unit
from bailiwick.lifecycle.replays import usual_delay, year_of_requests
from factories import Factory
from support.labelled_traffic import DAY, START, LabelledTraffic

NOW = START + 400 * DAY


@pytest.fixture
def traffic(make: Factory) -> LabelledTraffic:
    """Of a deployment that began on a Monday."""
    return LabelledTraffic(make)


@pytest.mark.parametrize(
    ("late_days", "unit", "periods"),
    [
        (0, Unit.WEEK, 0),
        (30, Unit.WEEK, 5),
        (30, Unit.MONTH, 1),
        (0, Unit.DAY, 0),
        (2, Unit.DAY, 2),
    ],
)
def test_labels_are_as_late_as_nine_of_ten_of_them_were(
    traffic: LabelledTraffic, late_days: int, unit: Unit, periods: int
) -> None:
    for number in range(14):
        traffic.day(number, rows=20, late_days=late_days)
    traffic.day(14, rows=20, late_days=200)  # a few that nobody waits for
    session, identifier = traffic.make.session, traffic.deployment.id
    assert usual_delay(session, identifier, unit, at=NOW) == periods


def test_without_labels_none_is_late(traffic: LabelledTraffic) -> None:
    session, identifier = traffic.make.session, traffic.deployment.id
    assert usual_delay(session, identifier, Unit.WEEK, at=NOW) == 0


def test_the_last_year_is_that_of_the_requests(traffic: LabelledTraffic) -> None:
    session, identifier = traffic.make.session, traffic.deployment.id
    year = timedelta(days=365)
    assert year_of_requests(session, identifier, Unit.WEEK, at=NOW) == (NOW - year, NOW)
    traffic.day(3, rows=20)
    now = START + 5 * DAY
    assert year_of_requests(session, identifier, Unit.WEEK, at=now) == (now - year, now)
    ended = START + 7 * DAY
    assert year_of_requests(session, identifier, Unit.WEEK, at=NOW) == (ended - year, ended)
