"""`/metrics` of alerts, messages and checks, and the rules in the documentation that use them."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bailiwick.core.clock import ReplayClock
from support.alerting import receiving, send_all
from support.api_bodies import channel
from support.api_everything import Places, alerted, furnish
from support.api_world import SECRET, World

DOCUMENT = (Path(__file__).parents[2] / "docs" / "alerting.md").read_text("utf-8")
PARTS: dict[str, Any] = {
    named: yaml.safe_load(text)
    for named, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", DOCUMENT, re.DOTALL)
}
RULES = PARTS["bailiwick.rules.yml"]["groups"][0]["rules"]
# Names that PromQL itself knows, and labels; what is left are metrics.
PROMQL = {"sum", "absent", "or", "and", "by", "offset", "state", "severity", "job", "up"}
DURATION = re.compile(r"\d+[smhdwy]")


@pytest.fixture
def places(world: World) -> Places:
    """A watched deployment with an alert that is silenced."""
    return furnish(world)


def metrics(world: World, by: str = "admin") -> dict[str, dict[tuple[str, ...], float]]:
    """Value by labels, by metric."""
    text = world.get("//metrics", by=by).text
    return {
        family.name: {tuple(s.labels.values()): s.value for s in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_alerts_and_checks_are_counted(world: World, places: Places) -> None:
    told = metrics(world)
    assert told["bailiwick_alerts"] == {("note", "open"): 1}
    assert told["bailiwick_alerts_unresolved"] == {(): 1}
    assert told["bailiwick_checks_last_day"] == {("drift",): 1}
    world.post(f"/alerts/{places['alert_id']}/resolve", {"resolution": "x"})
    assert metrics(world)["bailiwick_alerts"] == {("note", "resolved"): 1}
    assert metrics(world)["bailiwick_alerts_unresolved"] == {(): 0}


def test_watched_traffic_and_its_incidents_are_counted(world: World, places: Places) -> None:
    path = f"/monitors/{places['monitor_id']}"
    assert metrics(world)["bailiwick_watched_deployments"] == {}
    assert world.patch(path, {"alarms_by": "windows"}).is_success
    told = metrics(world)
    assert told["bailiwick_watched_deployments"] == {("full",): 1}
    assert told["bailiwick_traffic_incidents"] == {("abrupt-change",): 1}
    assert told["bailiwick_label_incidents"] == {}
    world.join("junior", "engineer", clearance="internal")
    told = metrics(world, by="junior")
    assert told["bailiwick_watched_deployments"] == told["bailiwick_traffic_incidents"] == {}


def test_what_was_resolved_or_checked_over_a_day_ago_is_left_out(
    world: World, places: Places, clock: ReplayClock
) -> None:
    world.post(f"/alerts/{places['alert_id']}/resolve", {"resolution": "x"})
    clock.advance_to(clock.now() + timedelta(days=1, seconds=1))
    told = metrics(world)
    assert told["bailiwick_alerts"] == told["bailiwick_checks_last_day"] == {}


def test_a_check_that_nobody_carries_out_lags(
    world: World, places: Places, clock: ReplayClock
) -> None:
    assert metrics(world)["bailiwick_checks_lag_seconds"] == {(): 0}
    # Due at six the next morning.
    clock.advance_to(clock.now() + timedelta(hours=23))
    assert metrics(world)["bailiwick_checks_lag_seconds"] == {(): 3600}
    assert places


def test_messages_are_counted_and_the_oldest_has_an_age(
    world: World, places: Places, clock: ReplayClock
) -> None:
    world.post(f"/silences/{places['silence_id']}/end")
    with receiving() as receiver:
        world.post("/channels", channel("hook", address=receiver.url), by="admin")
        world.patch("/channels/pager", {"enabled": False}, by="admin")
        world.post(f"/alerts/{places['alert_id']}/resolve", {"resolution": "x"})
        alerted(world, places["monitor_id"])
        receiver.status = 500
        send_all(world.platform)
        clock.advance_to(clock.now() + timedelta(minutes=3))
        told = metrics(world)
        assert told["bailiwick_deliveries"] == {("failed",): 1}
        assert told["bailiwick_oldest_undelivered_message_seconds"] == {(): 180}
        receiver.status = 200
        send_all(world.platform)
    told = metrics(world)
    assert told["bailiwick_deliveries"] == {("delivered",): 1}
    assert told["bailiwick_oldest_undelivered_message_seconds"] == {(): 0}


def test_what_one_may_not_see_is_not_counted(world: World) -> None:
    furnish(world, SECRET)
    world.join("junior", "engineer", clearance="internal")
    told = metrics(world, by="junior")
    assert told["bailiwick_alerts"] == told["bailiwick_deliveries"] == {}
    assert told["bailiwick_checks_last_day"] == {}
    assert metrics(world)["bailiwick_alerts"] != {}


def test_every_metric_that_the_documented_rules_name_exists(world: World, places: Places) -> None:
    known = set(metrics(world))
    named = set()
    for rule in RULES:
        expression = DURATION.sub("", re.sub(r'"[^"]*"', "", rule["expr"]))
        named |= set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", expression)) - PROMQL
    assert named <= known
    assert len(named) >= 5
    tabled = set(re.findall(r"^\| `(bailiwick_\w+)", DOCUMENT, re.MULTILINE))
    assert tabled <= known
    assert {name for name in known if "deliver" in name or "check" in name} <= tabled
    assert places


def test_the_labels_and_states_that_the_rules_ask_for_are_ours(
    world: World, places: Places
) -> None:
    text = world.get("//metrics", by="admin").text
    asked = {
        (metric, label, value)
        for rule in RULES
        for metric, inside in re.findall(r"(bailiwick_\w+)\{([^}]*)\}", rule["expr"])
        for label, value in re.findall(r'(\w+)="([^"]*)"', inside)
    }
    values = {
        "state": {"open", "acknowledged", "resolved", "gave-up", "failed"},
        "severity": {"note", "warning", "page"},
    }
    for metric, label, value in asked:
        assert value in values[label]
        if f"{metric}{{" in text:
            assert re.search(rf"{metric}\{{[^}}]*{label}=", text), (metric, label)
    assert len(asked) >= 4
    assert places


def test_the_documented_rules_are_shaped_as_prometheus_reads_them() -> None:
    assert set(PARTS) == {"prometheus.yml", "bailiwick.rules.yml", "alertmanager.yml"}
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert {"alert", "expr", "labels", "annotations"} <= set(rule)
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))
        assert rule["labels"]["severity"] in {"warning", "page"}
        assert rule["annotations"]["summary"][-1] in ".?"
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    receivers = {one["name"] for one in PARTS["alertmanager.yml"]["receivers"]}
    route = PARTS["alertmanager.yml"]["route"]
    assert {route["receiver"], *(sub["receiver"] for sub in route["routes"])} == receivers
