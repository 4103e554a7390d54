"""Watching through the database: hours add up, baselines come when due, windows are judged once."""

import pytest

from bailiwick.core.errors import Conflict, Invalid
from bailiwick.monitoring import Alert, Inference
from bailiwick.monitoring.alert_life import close
from bailiwick.monitoring.hours import Window, WindowLayout, WindowPart, fold
from bailiwick.monitoring.summaries import from_bytes
from bailiwick.monitoring.watching import (
    LATENESS,
    DriftIncident,
    TrafficBaseline,
    WindowCheck,
    accept,
    fix_baseline,
)
from factories import Factory
from support.watched_traffic import DAY, HOUR, MINUTE, START, Traffic


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
    for day in (8, 15, 29, 35):
        traffic.go_on(START + day * DAY + HOUR)
    grades = [(one.grade, one.end - one.first) for one in traffic.every(TrafficBaseline)]
    assert grades == [("provisional", 7 * DAY), ("provisional", 14 * DAY), ("full", 28 * DAY)]
    assert not traffic.every(DriftIncident)
    last = traffic.every(WindowCheck)[-1]
    assert last.start == START + 35 * DAY - HOUR
    assert last.threshold == 8_760 / 0.75  # labels have a quarter of the false alarms


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


def test_a_change_that_goes_away_resolves_its_alert(traffic: Traffic) -> None:
    traffic.send(START, 8 * 24)
    onset = START + 8 * DAY
    traffic.send(onset, 12, words=14.0)
    traffic.send(onset + 12 * HOUR, 60)
    traffic.go_on(onset + 12 * HOUR + 61 * HOUR)
    incidents = traffic.every(DriftIncident)
    assert [one.ended_as for one in incidents] == ["recovered"]
    (alert,) = traffic.every(Alert)
    assert (alert.state, alert.resolution) == ("resolved", "traffic is as it was")
    assert traffic.watch.incident_id is None


def test_resolving_the_alert_ends_the_incident_and_evidence_starts_anew(traffic: Traffic) -> None:
    traffic.send(START, 8 * 24)
    onset = START + 8 * DAY
    traffic.send(onset, 12, words=14.0)
    traffic.go_on(onset + 13 * HOUR)
    (alert,) = traffic.every(Alert)
    session, engineer = traffic.make.session, traffic.make.engineer
    close(session, alert, resolution="the form was fixed", actor_id=engineer.id, at=onset + DAY)
    traffic.send(onset + 12 * HOUR, 12)
    traffic.go_on(onset + 25 * HOUR)
    (incident,) = traffic.every(DriftIncident)
    assert (incident.ended_as, incident.reason) == ("fixed", "the form was fixed")
    assert max(check.evidence for check in traffic.every(WindowCheck)[-5:]) < 100


def test_an_accepted_change_becomes_the_new_baseline(traffic: Traffic) -> None:
    traffic.send(START, 8 * 24)
    onset = START + 8 * DAY
    traffic.send(onset, 24, words=14.0)
    traffic.go_on(onset + DAY + HOUR)
    (incident,) = traffic.every(DriftIncident)
    session, engineer = traffic.make.session, traffic.make.engineer
    said = {"reason": "a new form", "actor_id": engineer.id, "at": onset + DAY + HOUR}
    accept(session, traffic.monitor, incident, **said)
    with pytest.raises(Conflict, match="ended already"):
        accept(session, traffic.monitor, incident, **said)
    traffic.send(onset + DAY, 8 * 24, words=14.0)
    traffic.go_on(onset + 9 * DAY + HOUR)
    baseline = traffic.every(TrafficBaseline)[-1]
    assert (baseline.origin, baseline.reason, baseline.first) == ("accepted", "a new form", onset)
    assert [one.ended_as for one in traffic.every(DriftIncident)] == ["accepted"]
    assert traffic.watch.baseline_id == baseline.id


def test_a_baseline_of_chosen_days_stands_as_it_is(traffic: Traffic) -> None:
    traffic.send(START, 16 * 24, rows=32)
    traffic.go_on(START + 8 * DAY)
    chosen = {"reason": "the quiet weeks", "actor_id": traffic.make.engineer.id}
    made = fix_baseline(
        traffic.make.session,
        traffic.monitor,
        first=START,
        end=START + 7 * DAY,
        at=START + 9 * DAY,
        **chosen,
    )
    traffic.go_on(START + 16 * DAY + HOUR)
    assert traffic.every(TrafficBaseline)[-1] is made
    with pytest.raises(Invalid, match="too few for a baseline"):
        fix_baseline(
            traffic.make.session,
            traffic.monitor,
            first=START,
            end=START + DAY,
            at=START + 16 * DAY,
            **chosen,
        )


def test_windows_are_the_same_in_any_order_and_twice(traffic: Traffic) -> None:
    settle(traffic)
    summaries = []
    for day in range(3):
        start = START + day * DAY
        moments = [start + number * MINUTE for number in range(120)]
        records = [
            Inference(f"r{at}", at, "fuel", 0.5, 3, at.minute % 9, 0.0, None) for at in moments
        ]
        orders = [records], [records[60:], records[:70], records], [[one] for one in records[::-1]]
        for part in orders[day]:
            traffic.log(part, at=start + 3 * HOUR)
        traffic.go_on(start + 3 * HOUR)
        own = [one for one in traffic.every(Window) if start <= one.start < start + DAY]
        read = [from_bytes(one.summary) for one in sorted(own, key=lambda one: one.start)]
        summaries.append([(one.rows, one.parts["words"].counts) for one in read])  # type: ignore[union-attr]
    assert summaries[0] == summaries[1] == summaries[2]
    assert [rows for rows, _ in summaries[0]] == [60, 60]


def settle(traffic: Traffic) -> None:
    """A layout, made of requests of the day before."""
    traffic.send(START - DAY, 5, rows=40)
    traffic.go_on(START)
    assert traffic.watch.layout_id is not None


def test_records_that_come_late_land_in_their_window_and_are_counted(traffic: Traffic) -> None:
    traffic.send(START, 9 * 24)
    traffic.go_on(START + 9 * DAY)
    judged = len(traffic.every(WindowCheck))
    late = [
        Inference(f"late{number}", START + 8 * DAY, "fuel", 0.5, 3, 1, 0.0, None)
        for number in range(3)
    ]
    traffic.log(late, at=START + 9 * DAY)
    assert traffic.go_on(START + 9 * DAY) == 0
    window = next(one for one in traffic.every(Window) if one.start == START + 8 * DAY)
    assert (window.rows, window.late_rows) == (43, 3)
    assert len(traffic.every(WindowCheck)) == judged
    assert not traffic.every(WindowPart)


def test_thin_traffic_is_judged_by_the_day(traffic: Traffic) -> None:
    traffic.send(START, 40 * 24, rows=2)
    traffic.go_on(START + 40 * DAY + HOUR)
    (baseline,) = traffic.every(TrafficBaseline)
    assert (baseline.window_hours, baseline.grade) == (24, "full")
    assert [check.rows for check in traffic.every(WindowCheck)] == [48] * 12


def test_nothing_is_judged_before_there_is_enough(traffic: Traffic) -> None:
    traffic.send(START, 2, rows=50)
    assert traffic.go_on(START + DAY) == 0
    assert traffic.watch.waits_for == "200 answered requests of the version that is served"
    assert not traffic.every(WindowLayout)


def test_what_was_logged_before_the_layout_counts_as_well(traffic: Traffic) -> None:
    traffic.send(START, 5, rows=50)
    traffic.go_on(START + 6 * HOUR)
    assert [one.rows for one in traffic.every(Window)] == [50] * 5


def test_another_version_begins_anew(traffic: Traffic) -> None:
    traffic.send(START, 8 * 24)
    onset = START + 8 * DAY
    traffic.send(onset, 12, words=14.0)
    traffic.go_on(onset + 13 * HOUR)
    make = traffic.make
    newer = make.model_version(traffic.deployment.model, make.dataset_version(make.dataset("more")))
    traffic.version_id = newer.id
    traffic.send(onset + 12 * HOUR, 12, words=14.0)
    traffic.go_on(onset + 25 * HOUR)
    (incident,) = traffic.every(DriftIncident)
    assert incident.ended_as == "replaced"
    assert traffic.watch.baseline_id is None
    assert traffic.watch.waits_for.startswith("seven days of traffic")


def promoted(traffic: Traffic) -> None:
    """Another version answers from now on."""
    make = traffic.make
    newer = make.model_version(traffic.deployment.model, make.dataset_version(make.dataset("more")))
    traffic.version_id = newer.id


def test_what_is_asked_stays_watched_over_a_promotion(traffic: Traffic) -> None:
    traffic.send(START, 30 * 24, rows=32)
    traffic.go_on(START + 30 * DAY + HOUR)
    (full,) = traffic.every(TrafficBaseline)
    promoted(traffic)
    onset = START + 32 * DAY
    traffic.send(START + 30 * DAY, 48, fuel=0.2)  # the new version answers otherwise
    traffic.send(onset, 24, words=11.0, fuel=0.2)  # and then it is asked something else
    traffic.go_on(onset + DAY + HOUR)
    _, carried = traffic.every(TrafficBaseline)
    assert (carried.origin, carried.carried_from, carried.grade) == ("carried", full.id, "full")
    assert (carried.watched, carried.unwatched) == (
        ["words"],
        ["confidence", "unseen_words_ratio", "prediction"],
    )
    (incident,) = traffic.every(DriftIncident)
    assert incident.sentence.startswith("Mean number of words rose")
    assert abs(incident.since - onset) <= 2 * HOUR


def test_a_carried_baseline_gives_way_to_the_first_days_of_the_version(traffic: Traffic) -> None:
    traffic.send(START, 30 * 24, rows=32)
    traffic.go_on(START + 30 * DAY + HOUR)
    promoted(traffic)
    traffic.send(START + 30 * DAY, 8 * 24, rows=32, fuel=0.2)
    traffic.go_on(START + 38 * DAY + HOUR)
    own = traffic.every(TrafficBaseline)[-1]
    assert (own.origin, own.grade, own.first) == ("traffic", "provisional", START + 30 * DAY)
    assert own.carried_from is None
    assert "prediction" in own.watched
    assert not traffic.every(DriftIncident)


def test_what_a_standing_incident_is_about_is_not_carried(traffic: Traffic) -> None:
    traffic.send(START, 8 * 24)
    onset = START + 8 * DAY
    traffic.send(onset, 24, words=14.0)
    traffic.go_on(onset + DAY + HOUR)
    promoted(traffic)
    traffic.send(onset + DAY, 24, words=14.0)
    traffic.go_on(onset + 2 * DAY + HOUR)
    assert [one.ended_as for one in traffic.every(DriftIncident)] == ["replaced"]
    assert traffic.watch.baseline_id is None


def test_nights_of_a_carried_baseline_are_no_silence(traffic: Traffic) -> None:
    for day in range(30):
        traffic.send(START + day * DAY + 8 * HOUR, 10, rows=32)
    traffic.go_on(START + 30 * DAY)
    promoted(traffic)
    traffic.send(START + 30 * DAY + 8 * HOUR, 10, rows=32)
    traffic.go_on(START + 31 * DAY + 7 * HOUR)
    assert traffic.every(TrafficBaseline)[-1].origin == "carried"
    assert not traffic.every(DriftIncident)


def test_a_baseline_is_made_anew_on_a_schedule_that_was_asked_for(make: Factory) -> None:
    traffic = Traffic(make, baseline_days=14)
    traffic.send(START, 45 * 24, rows=32)
    traffic.go_on(START + 45 * DAY)
    made = [(one.origin, one.first, one.end) for one in traffic.every(TrafficBaseline)]
    assert made == [
        ("traffic", START, START + 42 * DAY),
    ]
    traffic.send(START + 45 * DAY, 13 * 24, rows=32)
    traffic.go_on(START + 58 * DAY)
    newest = traffic.every(TrafficBaseline)[-1]
    assert (newest.origin, newest.end) == ("scheduled", START + 56 * DAY)
    assert newest.first == START + 14 * DAY
    assert newest.reason == "made anew every 14 days"


def test_a_schedule_does_not_learn_what_alarmed(make: Factory) -> None:
    traffic = Traffic(make, baseline_days=7)
    traffic.send(START, 28 * 24, rows=32)
    traffic.go_on(START + 28 * DAY + HOUR)
    traffic.send(START + 28 * DAY, 12, rows=32, words=14.0)
    traffic.send(START + 28 * DAY + 12 * HOUR, 12 * 24, rows=32)
    traffic.go_on(START + 40 * DAY)
    (incident,) = traffic.every(DriftIncident)
    assert incident.ended_as == "recovered"
    assert {one.origin for one in traffic.every(TrafficBaseline)} == {"traffic"}


def test_a_part_is_folded_once_even_if_watching_was_interrupted(traffic: Traffic) -> None:
    settle(traffic)
    traffic.send(START, 1)
    layout_id = traffic.watch.layout_id
    session = traffic.make.session
    with session.begin_nested() as interrupted:
        assert fold(session, layout_id, judged_before=None, at=START) == 1
        interrupted.rollback()
    traffic.go_on(START + 2 * HOUR)
    assert [one.rows for one in traffic.every(Window) if one.start == START] == [40]


def test_an_import_that_is_under_way_is_judged_as_far_as_it_has_come(traffic: Traffic) -> None:
    long_after = START + 400 * DAY
    traffic.send(START, 20 * 24 + 3)
    traffic.turn(long_after)
    assert traffic.watch.next_start == START + 20 * DAY + 2 * HOUR
    traffic.send(START + 20 * DAY + 3 * HOUR, 5)
    traffic.turn(long_after)
    assert not [one for one in traffic.every(Window) if one.late_rows]
    traffic.turn(long_after + LATENESS)
    assert traffic.watch.next_start == START + 20 * DAY + 8 * HOUR


def test_while_nothing_comes_in_nothing_is_judged(traffic: Traffic) -> None:
    traffic.send(START, 8 * 24)
    traffic.go_on(START + 12 * DAY)
    assert traffic.watch.next_start == START + 8 * DAY
    traffic.send(START + 11 * DAY, 24)
    traffic.go_on(START + 12 * DAY + HOUR)
    assert traffic.watch.next_start == START + 12 * DAY


def test_requests_that_stay_away_are_told_once_and_until_they_are_back(traffic: Traffic) -> None:
    traffic.send(START, 8 * 24)
    for hours, incidents in ((1, 0), (5, 0), (8, 1), (20, 1)):
        traffic.go_on(START + 8 * DAY + hours * HOUR)
        assert len(traffic.every(DriftIncident)) == incidents
    (incident,) = traffic.every(DriftIncident)
    assert incident.cause == "no-traffic"
    assert incident.sentence.startswith("No requests since 2026-03-10 00:50 UTC; the longest pause")
    traffic.send(START + 9 * DAY, 3)
    traffic.go_on(START + 9 * DAY + 4 * HOUR)
    (alert,) = traffic.every(Alert)
    assert (alert.state, alert.resolution) == ("resolved", "requests come in again")
    assert (incident.ended_as, traffic.watch.incident_id) == ("recovered", None)


def test_a_pause_like_those_of_the_baseline_is_none(traffic: Traffic) -> None:
    for day in range(8):
        traffic.send(START + day * DAY, 10)  # nobody asks at night
    for hours in (0, 12):
        traffic.go_on(START + 8 * DAY + hours * HOUR)
    assert not traffic.every(DriftIncident)
