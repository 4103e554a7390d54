from typing import Any

import pytest

from support.api_everything import Places, furnish
from support.api_world import World


@pytest.fixture
def places(world: World) -> Places:
    """A watched deployment with an alert and a retraining policy."""
    return furnish(world)


def test_a_monitor_is_read_listed_and_changed(world: World, places: Places) -> None:
    path = f"/monitors/{places['monitor_id']}"
    told = world.get(path)
    assert world.get("/monitors").json()["items"] == [told.json()]
    changed = world.patch(path, {"min_rows": 7}, headers={"If-Match": told.headers["ETag"]})
    assert changed.json() == told.json() | {"min_rows": 7}
    stale = world.patch(path, {"min_rows": 8}, headers={"If-Match": told.headers["ETag"]})
    assert stale.status_code == 412


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"acts_as": "nobody"}, 404),
        ({"acts_as": "engineer"}, 404),
        ({"window_days": 0}, 422),
        ({"max_accuracy_drop": 1}, 422),
        ({"statistics": [{"column": "words", "kind": "numeric", "test": "jensenshannon"}]}, 422),
        ({}, 409),
    ],
)
def test_a_monitor_that_makes_no_sense_is_refused(
    world: World, places: Places, changes: dict[str, Any], status: int
) -> None:
    body = {"deployment_id": places["deployment_id"], "acts_as": "robot"} | changes
    answer = world.post("/monitors", body)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("cron", ["every morning", "61 6 * * *", "", "* * *"])
def test_a_schedule_that_is_none_is_refused_and_leaves_no_monitor(world: World, cron: str) -> None:
    body = {"deployment_id": str(world.running().id), "acts_as": "robot", "cron": cron}
    answer = world.post("/monitors", body)
    assert (answer.status_code, "five fields" in answer.json()["detail"]) == (422, True)
    assert world.get("/monitors").json()["items"] == []


def test_checks_and_their_reports_are_read_in_a_sandbox(world: World, places: Places) -> None:
    path = f"/deployments/{places['deployment_id']}/checks"
    (check,) = world.get(path).json()["items"]
    assert check["verdict"] == "drift"
    report = world.get(f"{path}/{check['id']}/report")
    assert report.text == "<html>report</html>"
    assert report.headers["Content-Security-Policy"].startswith("sandbox")
    assert world.get(f"{path}/{places['job_id']}/report").status_code == 404


def test_an_alert_is_acknowledged_and_resolved(world: World, places: Places) -> None:
    path = f"/alerts/{places['alert_id']}"
    tag = world.get(path).headers["ETag"]
    seen = world.post(f"{path}/acknowledge", headers={"If-Match": tag})
    assert (seen.json()["state"], seen.headers["ETag"] != tag) == ("acknowledged", True)
    stale = world.post(f"{path}/resolve", {"resolution": "x"}, headers={"If-Match": tag})
    assert stale.status_code == 412
    done = world.post(f"{path}/resolve", {"resolution": "a price rise"}).json()
    assert (done["state"], done["resolution"]) == ("resolved", "a price rise")
    late = world.post(f"{path}/acknowledge")
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    for state, count in (("open", 0), ("resolved", 1)):
        assert len(world.get(f"/alerts?state={state}").json()["items"]) == count
    assert world.get(f"/alerts?deployment_id={places['job_id']}").json()["items"] == []


def test_a_retraining_policy_acts_once_somebody_else_approved_it(
    world: World, places: Places
) -> None:
    path = f"/retraining-policies/{places['policy_id']}"
    assert world.get(path).json()["approved"] is False
    subject = {"type": "retraining-policy", "id": places["policy_id"]}
    asked = world.post("/approvals", {"subject": subject}).json()
    world.post(f"/approvals/{asked['id']}/decide", {"approve": True}, by="approver")
    assert world.get(path).json()["approved"] is True
    assert world.patch(path, {"enabled": False}).json()["approved"] is True
    assert world.patch(path, {"cooldown_days": 30}).json()["approved"] is False
    assert world.get("/retraining-policies").json()["items"][0]["approved"] is False


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"acts_as": "engineer"}, 404),
        ({"dataset": "finance/nothing"}, 404),
        ({"risk_tier": "odd"}, 422),
        ({"recipe_name": "odd"}, 422),
        ({"recipe": {"odd": 1}}, 422),
        ({"on_alert": []}, 422),
        ({"holdout_ratio": 1.5}, 422),
        ({}, 409),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    world: World, places: Places, changes: dict[str, Any], status: int
) -> None:
    body = {
        "deployment_id": places["deployment_id"],
        "dataset": "finance/purchases",
        "acts_as": "robot",
    }
    answer = world.post("/retraining-policies", body | changes)
    assert answer.status_code == status, answer.text


def test_a_policys_recipe_and_risk_tier_can_be_changed(world: World, places: Places) -> None:
    path = f"/retraining-policies/{places['policy_id']}"
    changed = world.patch(path, {"recipe_name": "cheap-first", "recipe": {"tolerance": 0.02}})
    assert changed.json()["recipe"]["kind"] == "cheap-first"
    again = world.patch(path, {"recipe": {"rungs": ["head-on-base"]}, "risk_tier": "high"}).json()
    assert (again["recipe"]["tolerance"], again["risk_tier"]) == (0.02, "high")
    assert [rung["kind"] for rung in again["recipe"]["rungs"]] == ["head"]
    for wrong in ({"risk_tier": "odd"}, {"recipe_name": "odd"}, {"recipe": {"odd": 1}}):
        assert world.patch(path, wrong).status_code == 422


def test_a_job_is_ordered_read_and_cancelled(world: World, places: Places) -> None:
    path = f"/jobs/{places['job_id']}"
    assert world.get(path).json()["state"] == "queued"
    assert world.get(f"/jobs?state=queued&kind=train&subject_id={places['alert_id']}").json() == {
        "items": [],
        "next_cursor": None,
    }
    assert world.post(f"{path}/cancel").json()["state"] == "cancelled"
    kinds = [item["kind"] for item in world.get(f"{path}/events").json()["items"]]
    assert kinds == ["cancelled", "queued"]
    assert world.post(f"{path}/cancel").status_code == 409


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"purpose": "human-resources"}, 403, "purpose"),
        ({"dataset_versions": [9]}, 404, "no such thing"),
        ({"dataset_versions": []}, 422, "dataset_versions"),
        ({"recipe_name": "odd"}, 422, "small-classifier"),
        ({"recipe": {"layers": "many"}}, 422, "layers"),
        ({"risk_tier": "odd"}, 422, "standard"),
        ({"seed": -1}, 422, "seed"),
        ({"model": "classifier"}, 422, "model"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_where_it_is_given(
    world: World, places: Places, changes: dict[str, Any], status: int, said: str
) -> None:
    order = {
        "model": "finance/classifier",
        "dataset": "finance/purchases",
        "dataset_versions": [1],
        "purpose": "accounting",
    }
    before = world.get("/jobs").json()
    answer = world.post("/jobs", order | changes)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert world.get("/jobs").json() == before
    assert places


def test_budgets_are_set_and_taken_away_again(world: World, places: Places) -> None:
    path = f"/retraining-policies/{places['policy_id']}"
    limited = world.patch(path, {"budget_hours": 2.5, "budget_labels": 4}).json()
    assert (limited["budget_hours"], limited["budget_labels"]) == (2.5, 4)
    asked = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "rows": 5}
    refused = world.post(f"/deployments/{places['deployment_id']}/labelling", asked)
    assert refused.status_code == 409
    assert "has a budget of 4 labels a month" in refused.json()["detail"]
    free = world.patch(path, {"budget_labels": None}).json()
    assert (free["budget_hours"], free["budget_labels"]) == (2.5, None)
    assert free["digest"] != limited["digest"]
    assert world.patch(path, {"budget_labels": 0}).status_code == 422


def test_a_retraining_is_started_by_hand_one_at_a_time(world: World, places: Places) -> None:
    path = f"/retraining-policies/{places['policy_id']}/jobs"
    started = world.post(path, {"reason": "asked to", "max_rows": 100})
    assert (started.status_code, started.json()["kind"]) == (202, "retrain")
    again = world.post(path, {"reason": "asked to"})
    assert (again.status_code, "under way" in again.json()["detail"]) == (409, True)


def test_metrics_are_numbers_for_whoever_holds_a_role(world: World, places: Places) -> None:
    text = world.get("//metrics", by="robot").text
    assert 'bailiwick_jobs{kind="train",state="queued"} 1.0' in text
    assert "bailiwick_alerts_unresolved 1.0" in text
    assert places["deployment_id"] not in text


def test_health_needs_no_token_and_readiness_knows_the_tables(world: World) -> None:
    assert world.get("//healthz", by=None).json() == {"status": "ok"}
    assert world.get("//readyz", by=None).json() == {"status": "ready"}
    with world.platform.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'older'")
    answer = world.get("//readyz", by=None)
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
