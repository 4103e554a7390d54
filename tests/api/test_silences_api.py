"""Alerts, silences and what was told, from outside."""

from datetime import timedelta
from typing import Any

import pytest

from bailiwick.core.clock import ReplayClock
from support.alerting import receiving, send_all
from support.api_bodies import channel, silence
from support.api_everything import Places, alerted, furnish
from support.api_world import SECRET, World

CLEARED = {"clearance_level": "confidential", "clearance_compartments": ["finance"]}


@pytest.fixture
def places(world: World) -> Places:
    """A watched deployment with an alert, and a silence of it."""
    return furnish(world)


def test_a_silence_is_seen_on_the_alert_and_in_lists(
    world: World, places: Places, clock: ReplayClock
) -> None:
    path = f"/alerts/{places['alert_id']}"
    (listed,) = world.get("/alerts").json()["items"]
    for told in (world.get(path).json(), listed):
        assert told["silence_id"] == places["silence_id"]
        assert told["silenced_until"] == "2026-01-15T00:00:00Z"
    ended = world.post(f"/silences/{places['silence_id']}/end").json()
    assert (ended["state"], ended["ended_at"] is not None) == ("over", True)
    assert world.get(path).json()["silenced_until"] is None
    again = world.post("/silences", silence(places["deployment_id"])).json()
    assert (again["state"], again["namespace"]) == ("acting", "finance")
    clock.advance_to(clock.now() + timedelta(days=10))
    assert world.get(path).json()["silenced_until"] is None
    assert world.get(f"/silences/{again['id']}").json()["state"] == "over"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"ends_at": "2026-01-05T07:00:00Z"}, 422, "ends after it begins"),
        ({"ends_at": "2026-02-05T08:00:00Z"}, 422, "at most 30 days"),
        ({"ends_at": "2026-01-15T00:00:00"}, 422, "ends_at"),
        (
            {"starts_at": "2026-06-01T00:00:00Z", "ends_at": "2026-06-02T00:00:00Z"},
            422,
            "90 days from now",
        ),
        ({"reason": " "}, 422, "say why"),
        ({"deployment_id": None}, 422, "what is to be silent"),
        ({"namespace": "people"}, 422, "another namespace"),
        ({"deployment_id": "00000000-0000-0000-0000-000000000000"}, 404, "no such thing"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(
    world: World, places: Places, changes: dict[str, Any], status: int, said: str
) -> None:
    answer = world.post("/silences", silence(places["deployment_id"], **changes))
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


def test_a_weekly_silence_rests_between_its_hours(
    world: World, places: Places, clock: ReplayClock
) -> None:
    weekly = {"weekdays": ["monday"], "begins": "10:00", "ends": "12:00", "zone": "Europe/London"}
    body = silence(places["deployment_id"], weekly=weekly, ends_at="2026-12-01T00:00:00Z")
    made = world.post("/silences", body).json()
    assert (made["state"], made["weekly"]) == ("resting", weekly)
    clock.advance_to(clock.now() + timedelta(hours=2))  # Monday, 10:00
    assert world.get(f"/silences/{made['id']}").json()["state"] == "acting"
    wrong = silence(places["deployment_id"], weekly=weekly | {"zone": "Mars/Olympus"})
    answer = world.post("/silences", wrong)
    assert (answer.status_code, "Europe/London" in answer.json()["detail"]) == (422, True)


def test_silences_are_seen_where_one_holds_a_role_and_what_is_silent_may_be_seen(
    world: World,
) -> None:
    places = furnish(world, SECRET)
    world.join("junior", "engineer", clearance="internal")
    world.join("stranger", "engineer", namespace="people")
    whole = {"namespace": "finance", "reason": "move", "ends_at": "2026-01-06T00:00:00Z"}
    made = world.post("/silences", whole, by="junior")
    assert made.status_code == 201
    seen = world.get("/silences", by="junior").json()["items"]
    assert [one["id"] for one in seen] == [made.json()["id"]]
    assert world.get("/silences", by="stranger").json()["items"] == []
    assert len(world.get("/silences").json()["items"]) == 2
    for path in (f"/silences/{places['silence_id']}", f"/silences/{places['silence_id']}/end"):
        method = "POST" if path.endswith("end") else "GET"
        assert world.ask(method, path, by="junior").status_code == 404
    assert world.post("/silences", whole, by="stranger").status_code == 404
    assert world.post("/silences", whole | {"namespace": "*"}, by="stranger").status_code == 404
    assert world.post("/silences", whole | {"namespace": "*"}, by="engineer").status_code == 201


def test_the_story_of_an_alert_is_told_from_outside(world: World, clock: ReplayClock) -> None:
    with receiving() as receiver:
        body = channel("pager", address=receiver.url, **CLEARED)
        assert world.post("/channels", body, by="admin").status_code == 201
        deployment = world.running()
        monitor = {"deployment_id": str(deployment.id), "acts_as": "robot", "alarms_by": "checks"}
        identifier = world.post("/monitors", monitor).json()["id"]
        _, alert = alerted(world, identifier)
        send_all(world.platform)
        clock.advance_to(clock.now() + timedelta(minutes=5))
        assert world.post(f"/alerts/{alert}/acknowledge").is_success
        resolution = {"resolution": "zanzibar garage 4711 was closed"}
        assert world.post(f"/alerts/{alert}/resolve", resolution).is_success
        send_all(world.platform)
        assert [told["type"] for told in receiver.bodies] == ["alert.raised", "alert.resolved"]
        assert "zanzibar" not in str(receiver.arrived)
        messages = world.get(f"/alerts/{alert}/deliveries").json()["items"]
        assert [(m["channel"], m["state"]) for m in messages] == [("pager", "delivered")] * 2
        assert {m["id"] for m in messages} == set(receiver.ids)
    events = world.get(f"/alerts/{alert}/events").json()["items"]
    assert [event["move"] for event in events] == ["resolved", "acknowledged", "raised"]
    assert events[0]["why"] == resolution["resolution"]
    assert events[0]["actor_id"] == str(world.principals["engineer"].id)


def test_alerts_are_filtered_by_severity_and_cause(world: World, places: Places) -> None:
    for query, count in (
        ("severity=note", 1),
        ("severity=page", 0),
        ("cause=monitor", 1),
        ("cause=schema", 0),
    ):
        assert len(world.get(f"/alerts?{query}").json()["items"]) == count
    assert places
