"""Watching labels through the database: quiet while nothing is wrong, told when accuracy falls."""

import pytest

from bailiwick.core.errors import Conflict, Invalid
from bailiwick.monitoring import Alert
from bailiwick.monitoring.alert_life import close
from bailiwick.monitoring.confusion import LabelHour, counting
from bailiwick.monitoring.labelled import (
    LabelCheck,
    LabelIncident,
    LabelReference,
    course,
    declare_reference,
)
from factories import Factory
from support.labelled_traffic import DAY, HOUR, START, LabelledTraffic

ONSET, NOW = 6, 12  # days


@pytest.fixture
def traffic(make: Factory) -> LabelledTraffic:
    return LabelledTraffic(make)


def fallen(traffic: LabelledTraffic) -> LabelIncident:
    """Six quiet days, then six that are fifteen points worse."""
    traffic.turn(START)
    traffic.days(0, ONSET)
    assert not traffic.every(LabelIncident)
    traffic.days(ONSET, NOW, right=0.65)
    [incident] = traffic.every(LabelIncident)
    assert isinstance(incident, LabelIncident)
    return incident


def test_a_loss_pages_with_how_much_since_when_and_where(traffic: LabelledTraffic) -> None:
    incident = fallen(traffic)
    [alert] = traffic.every(Alert)
    assert (alert.cause, alert.kind, alert.severity) == ("labels", "harm", "page")
    assert alert.label_incident_id == incident.id
    assert abs(incident.since - (START + ONSET * DAY)) <= 2 * DAY
    assert incident.since_earliest <= START + ONSET * DAY <= incident.since_latest + DAY
    found = incident.found
    assert (found["before"]["accuracy"], found["before"]["rows"]) == (0.8, 1_000)
    assert found["after"]["lower"] < 0.65 < found["after"]["upper"] + 0.03
    assert found["size"] > 0.05
    assert found["slices"][0]["name"][0] == {"column": "region", "value": "south"}
    assert "Accuracy fell from 80.0% (77.5% to 82.5%; its evaluation on 1,000 rows)" in (
        incident.sentence
    )
    assert "Worst:" in incident.sentence
    assert "region 'south'" in incident.sentence


def test_each_step_is_judged_once_whatever_is_sent_or_asked_again(
    traffic: LabelledTraffic,
) -> None:
    traffic.turn(START)
    traffic.days(0, 3)
    checks = [(one.start, one.rows) for one in traffic.every(LabelCheck)]
    assert checks == [(START + day * DAY, 200) for day in range(3)]
    traffic.tell({f"1-{row}": "food" for row in range(200)}, at=START + 3 * DAY + HOUR)
    assert traffic.turn(START + 3 * DAY + 2 * HOUR) == 0
    assert traffic.turn(START + 5 * DAY) == 0  # corrections are no arrivals
    assert len(traffic.every(LabelCheck)) == 3


def test_a_loss_that_goes_away_ends_by_itself(traffic: LabelledTraffic) -> None:
    fallen(traffic)
    traffic.days(NOW, 30)
    [incident] = traffic.every(LabelIncident)
    assert (incident.ended_as, incident.reason) == ("recovered", "accuracy is as it was")
    assert [one.state for one in traffic.every(Alert)] == ["resolved"]
    assert traffic.watch.incident_id is None


def test_no_labels_are_no_recovery(traffic: LabelledTraffic) -> None:
    incident = fallen(traffic)
    for day in range(NOW + 1, 40):
        traffic.turn(START + day * DAY)
    assert incident.ended_at is None


def test_resolving_the_alert_ends_it_and_evidence_starts_anew(traffic: LabelledTraffic) -> None:
    incident = fallen(traffic)
    [alert] = traffic.every(Alert)
    session, engineer = traffic.make.session, traffic.make.engineer
    at = START + NOW * DAY + HOUR
    close(session, alert, resolution="the rules were mended", actor_id=engineer.id, at=at)
    traffic.turn(START + (NOW + 1) * DAY)
    assert (incident.ended_as, incident.reason) == ("fixed", "the rules were mended")
    traffic.days(NOW + 1, NOW + 5)
    assert max(one.evidence for one in traffic.every(LabelCheck)[-3:]) < 100


def test_a_declared_reference_accepts_the_loss(traffic: LabelledTraffic) -> None:
    incident = fallen(traffic)
    later = NOW + 2
    traffic.days(NOW, later, right=0.65)
    by = {"reason": "a harder ledger", "actor_id": traffic.make.engineer.id}
    at = START + later * DAY
    with pytest.raises(Invalid, match="too few to know how often"):
        declare_reference(
            traffic.make.session, traffic.monitor, first=at - DAY, end=at, at=at, **by
        )
    first = START + ONSET * DAY
    row = declare_reference(traffic.make.session, traffic.monitor, first=first, end=at, at=at, **by)
    assert (incident.ended_as, row.origin) == ("accepted", "accepted")
    assert abs(row.accuracy - 0.65) < 0.05
    traffic.days(later, 20, right=0.65)
    assert len(traffic.every(LabelIncident)) == 1
    assert [one.origin for one in traffic.every(LabelReference)] == ["evaluation", "accepted"]


def test_late_labels_tell_of_when_their_requests_were(traffic: LabelledTraffic) -> None:
    traffic.turn(START)
    for number in range(15):
        traffic.day(number, 0.8 if number < ONSET else 0.6, late_days=10)
    for number in range(27):
        traffic.turn(START + number * DAY)
    [incident] = traffic.every(LabelIncident)
    assert abs(incident.since - (START + ONSET * DAY)) <= 2 * DAY
    assert incident.opened_at >= START + (ONSET + 10) * DAY
    first, last = incident.found["first"], incident.found["last"]
    assert f"Labels of requests from {first[:10]} to {last[:10]} tell so." in incident.sentence
    assert last < incident.confirmed_at.isoformat()


def test_another_version_begins_anew(traffic: LabelledTraffic) -> None:
    incident = fallen(traffic)
    traffic.serve_another(evaluated=True)
    traffic.turn(START + (NOW + 1) * DAY)
    assert (incident.ended_as, traffic.watch.version_id) == ("replaced", traffic.version_id)
    assert traffic.every(LabelReference)[-1].version_id == traffic.version_id
    traffic.days(NOW + 1, NOW + 4)
    assert len(traffic.every(LabelIncident)) == 1


def test_nothing_is_judged_while_labels_wait_to_be_counted(
    traffic: LabelledTraffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "AT_ONCE", 10)
    monkeypatch.setattr(course, "COUNTED_AT_ONCE", 2)
    traffic.turn(START)
    for number in range(30):
        traffic.day(number, rows=20)
    assert traffic.turn(START + 30 * DAY) == 0
    assert not traffic.every(LabelCheck)
    assert traffic.turn(START + 30 * DAY) == 30


def test_a_version_without_evaluation_waits_for_a_reference(make: Factory) -> None:
    traffic = LabelledTraffic(make)
    traffic.serve_another(evaluated=False)
    by = {"reason": "quiet", "actor_id": make.engineer.id, "at": START + 12 * DAY}
    days = {"first": START, "end": START + 9 * DAY}
    with pytest.raises(Conflict, match="not watched yet"):
        declare_reference(make.session, traffic.monitor, **days, **by)
    traffic.turn(START)
    traffic.days(0, 9)
    assert traffic.watch.waits_for is not None
    assert "an evaluation of the version" in traffic.watch.waits_for
    declare_reference(make.session, traffic.monitor, **days, **by)
    traffic.days(9, 12)
    assert traffic.watch.waits_for is None
    assert len(traffic.every(LabelCheck)) > 8


def test_without_a_share_of_the_false_alarms_labels_are_counted_only(make: Factory) -> None:
    traffic = LabelledTraffic(make, label_alarms_ratio=0.0)
    traffic.turn(START)
    traffic.days(0, 2)
    assert traffic.watch.version_id is None
    assert not traffic.every(LabelCheck)
    assert sum(one.rows for one in traffic.every(LabelHour)) == 400
