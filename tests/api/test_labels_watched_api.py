"""`/deployments/{id}/labels`: accuracy over time, figures, classes, and what it is held to."""

from datetime import timedelta
from typing import Any

import pytest

from bailiwick.core.clock import ReplayClock
from support.api_world import World
from support.watched import labelled_days

COSTS = {"Food": {"Fuel": 3.0, "Travel": 1.0}}


@pytest.fixture
def monitor(world: World) -> dict[str, Any]:
    """Of a deployment with twelve days of labels, 80 % right."""
    body = {"deployment_id": str(world.running().id), "acts_as": "robot", "costs": COSTS}
    made: dict[str, Any] = world.post("/monitors", body).json()
    labelled_days(world, made["id"])
    return made


def test_labels_are_told_over_time_in_figures_and_by_class(
    world: World, monitor: dict[str, Any]
) -> None:
    told = world.get(f"/deployments/{monitor['deployment_id']}/labels").json()
    assert (told["rows"], told["correct"], told["monitor_id"]) == (480, 384, monitor["id"])
    assert [one["rows"] for one in told["periods"]] == [40] * 12
    assert told["periods"][0]["lower"] < 0.8 < told["periods"][0]["upper"]
    figures = {one["name"]: one for one in told["figures"]}
    assert list(figures) == [
        "accuracy",
        "macro F1",
        "weighted F1",
        "expected calibration error",
        "Brier score",
        "cost per request",
    ]
    accuracy = figures["accuracy"]
    assert (accuracy["value"], accuracy["direction"], accuracy["rows"]) == (0.8, "less", 480)
    assert accuracy["threshold"] == pytest.approx(0.75)
    assert "bootstrap" in figures["macro F1"]["method"]
    assert figures["cost per request"]["value"] == pytest.approx((5 * 3 + 3 * 1) * 12 / 480)
    assert {one["label"]: one["support"] for one in told["classes"]} == {
        "Fuel": 252,
        "Travel": 132,
        "Food": 96,
    }
    assert told["reference"]["origin"] == "evaluation"
    assert (told["incident"], told["estimated"]) == (None, None)
    weeks = world.get(f"/deployments/{monitor['deployment_id']}/labels?by=week").json()
    assert sum(one["rows"] for one in weeks["periods"]) == 480
    assert len(weeks["periods"]) < 4


def test_judged_steps_are_listed(world: World, monitor: dict[str, Any]) -> None:
    page = world.get(f"/deployments/{monitor['deployment_id']}/labels/windows").json()
    assert [(one["rows"], one["wrong"], one["alarm"]) for one in page["items"]] == [
        (480, 96, False)
    ]


def test_a_reference_is_declared_with_a_reason(world: World, monitor: dict[str, Any]) -> None:
    path = f"/deployments/{monitor['deployment_id']}/labels/references"
    days = {"first": "2025-12-20T00:00:00Z", "end": "2026-01-05T00:00:00Z", "reason": "quiet"}
    made = world.post(path, days)
    assert (made.status_code, made.json()["origin"]) == (201, "asked"), made.text
    assert made.json()["accuracy"] == pytest.approx(0.8)
    for wrong, said in (
        ({"end": "2027-01-01T00:00:00Z"}, "must lie in the past"),
        ({"first": "2026-01-04T00:00:00Z"}, "too few to know how often"),
    ):
        refused = world.post(path, days | wrong)
        assert (refused.status_code, said in refused.text) == (422, True), refused.text


def test_a_deployment_without_labels_or_monitor_says_so(world: World) -> None:
    deployment = world.running()
    told = world.get(f"/deployments/{deployment.id}/labels").json()
    assert (told["rows"], told["periods"], told["monitor_id"]) == (0, [], None)
    body = {"first": "2025-12-20T00:00:00Z", "end": "2026-01-04T00:00:00Z", "reason": "x"}
    refused = world.post(f"/deployments/{deployment.id}/labels/references", body)
    assert (refused.status_code, "not watched" in refused.text) == (404, True)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"label_alarms_ratio": 1}, "label_alarms_ratio"),
        ({"costs": {}}, "name 1 to 64 true labels"),
        ({"costs": {"Fuel": {"Food": -1}}}, "every cost is a finite number"),
    ],
)
def test_settings_of_labels_that_make_no_sense_are_refused(
    world: World, setting: dict[str, object], said: str
) -> None:
    body = {"deployment_id": str(world.running().id), "acts_as": "robot"} | setting
    answer = world.post("/monitors", body)
    assert (answer.status_code, said in answer.text) == (422, True), answer.text


def test_costs_can_be_changed_and_taken_away(world: World, monitor: dict[str, Any]) -> None:
    path = f"/monitors/{monitor['id']}"
    assert world.patch(path, {"costs": {"Fuel": {"Food": 2}}}).json()["costs"] == {
        "Fuel": {"Food": 2.0}
    }
    assert world.patch(path, {"costs": None}).json()["costs"] is None


def test_a_loss_that_stands_is_told_and_measured(world: World, clock: ReplayClock) -> None:
    deployment = world.running()
    body = {"deployment_id": str(deployment.id), "acts_as": "robot"}
    monitor = world.post("/monitors", body).json()["id"]
    labelled_days(world, monitor, wrong=40)  # one step is never enough to alarm
    clock.advance_to(clock.now() + timedelta(days=2))
    labelled_days(world, monitor, wrong=40, name="more")
    told = world.get(f"/deployments/{deployment.id}/labels").json()
    assert told["incident"]["sentence"].startswith("Accuracy fell from 80.0%")
    assert told["incident"]["found"]["after"]["accuracy"] == 0
    assert told["incidents"] == [told["incident"]]
    assert (
        'bailiwick_label_incidents{severity="page"} 1.0' in world.get("//metrics", by="admin").text
    )
