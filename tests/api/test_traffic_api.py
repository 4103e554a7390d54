"""`/deployments/{id}/watching|windows|baselines|incidents`: what watching answers, and to whom."""

import pytest

from support.api_everything import Places, furnish
from support.api_world import World
from support.watched import quiet_week


@pytest.fixture
def places(world: World) -> Places:
    """A watched deployment with an incident that stands."""
    return furnish(world)


def test_where_watching_stands_is_told_with_its_baseline_and_incident(
    world: World, places: Places
) -> None:
    told = world.get(f"/deployments/{places['deployment_id']}/watching").json()
    assert told["monitor_id"] == places["monitor_id"]
    assert told["baseline"]["grade"] == "full"
    assert told["incident"]["id"] == places["incident_id"]


def test_a_deployment_that_nobody_watches_says_so(world: World) -> None:
    bare = world.get(f"/deployments/{world.running().id}/watching")
    assert (bare.status_code, "not watched" in bare.text) == (404, True)


def test_examples_are_for_those_who_may_read_records(world: World, places: Places) -> None:
    path = f"/deployments/{places['deployment_id']}/incidents"
    one = f"{path}/{places['incident_id']}"
    assert "examples" in world.get(one).json()["moves"][0]
    for address in (one, path, f"/deployments/{places['deployment_id']}/watching"):
        answer = world.get(address, by="auditor")
        assert answer.is_success
        assert "examples" not in answer.text


def test_windows_can_be_narrowed_to_alarms(world: World) -> None:
    deployment = world.running()
    body = {"deployment_id": str(deployment.id), "acts_as": "robot"}
    quiet_week(world, world.post("/monitors", body).json()["id"])
    path = f"/deployments/{deployment.id}/windows"
    page = world.get(f"{path}?limit=2").json()
    assert [one["alarm"] for one in page["items"]] == [False, False]
    assert page["next_cursor"]
    assert world.get(f"{path}?alarm=true").json()["items"] == []


def test_a_baseline_is_made_of_days_that_have_traffic(world: World) -> None:
    deployment = world.running()
    body = {"deployment_id": str(deployment.id), "acts_as": "robot"}
    monitor = world.post("/monitors", body).json()["id"]
    path = f"/deployments/{deployment.id}/baselines"
    days = {"first": "2025-12-28T00:00:00Z", "end": "2026-01-04T00:00:00Z", "reason": "quiet"}
    early = world.post(path, days)
    assert (early.status_code, "no traffic is summarised yet" in early.text) == (409, True)
    quiet_week(world, monitor)
    made = world.post(path, days)
    assert (made.status_code, made.json()["origin"]) == (201, "asked")
    assert world.get(path).json()["items"][0]["id"] == made.json()["id"]
    for wrong, said in (
        ({"end": "2025-12-27T00:00:00Z"}, "first must lie before end"),
        ({"first": "2026-01-03T00:00:00Z"}, "too few for a baseline"),
    ):
        refused = world.post(path, days | wrong)
        assert (refused.status_code, said in refused.text) == (422, True), refused.text


def test_a_change_is_accepted_once(world: World, places: Places) -> None:
    path = f"/deployments/{places['deployment_id']}/incidents/{places['incident_id']}/accept"
    told = world.post(path, {"reason": "a new form"}).json()
    assert (told["ended_as"], told["reason"]) == ("accepted", "a new form")
    assert world.post(path, {"reason": "again"}).status_code == 409
    waits = world.get(f"/deployments/{places['deployment_id']}/watching").json()
    assert (waits["baseline"], waits["incident"]) == (None, None)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"zone": "Mars/Olympus"}, "is no time zone"),
        ({"window_hours": 5}, "window_hours"),
        ({"false_alarms_per_year": 0}, "false_alarms_per_year"),
        ({"alarms_by": "luck"}, "alarms_by"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    world: World, setting: dict[str, object], said: str
) -> None:
    body = {"deployment_id": str(world.running().id), "acts_as": "robot"} | setting
    answer = world.post("/monitors", body)
    assert (answer.status_code, said in answer.text) == (422, True), answer.text


def test_the_length_of_windows_can_be_left_to_the_traffic_again(world: World) -> None:
    body = {"deployment_id": str(world.running().id), "acts_as": "robot", "window_hours": 24}
    path = f"/monitors/{world.post('/monitors', body).json()['id']}"
    assert world.patch(path, {"min_rows": 7}).json()["window_hours"] == 24
    assert world.patch(path, {"window_hours": None}).json()["window_hours"] is None
