"""A role on one object opens that object and what watches it, and nothing beside it."""

from typing import Any

import pytest

from support import api_bodies
from support.api_everything import Places, alerted, furnish
from support.api_world import World


def sibling(world: World, here: Places) -> Places:
    """Another model, dataset and deployment of the namespace, watched as well; their ids."""
    world.post(f"/jobs/{here['job_id']}/cancel")  # the factory's training is the next in line
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        data = make.dataset_version(make.dataset("audits"), seed=9)
        model = make.model("ranker")
        make.champion(make.model_version(model, data))
        place = make.environment("cellar", keeps_text=True)
        running = make.deployment(model, place, name="wires", keeps_text=True)
        deployment_id = str(running.id)
    watched: dict[str, Any] = {"deployment_id": deployment_id, "acts_as": "robot"}
    monitor = world.post("/monitors", watched | {"alarms_by": "checks"}).json()["id"]
    policy = world.post("/retraining-policies", watched | {"dataset": "finance/audits"})
    check, alert = alerted(world, monitor)
    return {
        "deployment_id": deployment_id,
        "monitor_id": monitor,
        "policy_id": policy.json()["id"],
        "check_id": check,
        "alert_id": alert,
    }


def allow(world: World, name: str, *objects: str, role: str = "engineer") -> None:
    """Somebody who holds the role on these objects of `finance`, and nothing else."""
    world.join(name)
    for one in objects:
        body = {"role": role, "namespace": "finance", "object": one}
        assert world.post(f"/principals/{name}/roles", body, by="admin").status_code == 201


def names(world: World, path: str, by: str) -> list[str]:
    """The names in a list, which fits a page of one."""
    answer = world.get(path, by=by, params={"limit": 1}).json()
    assert answer["next_cursor"] is None
    return [item["name"] for item in answer["items"]]


def statuses(world: World, paths: list[str], by: str) -> dict[str, int]:
    """How each of these answers."""
    return {path: world.get(path, by=by).status_code for path in paths}


@pytest.fixture
def here(world: World) -> Places:
    """What roles on objects are about."""
    return furnish(world, champions=2)


@pytest.fixture
def beside(world: World, here: Places) -> Places:
    """What they are not about."""
    return sibling(world, here)


def test_a_role_on_a_model_opens_it_and_its_versions_only(
    world: World, here: Places, beside: Places
) -> None:
    allow(world, "mona", "models/classifier")
    assert names(world, "/models", "mona") == ["classifier"]
    versions = world.get("/models/finance/classifier/versions", by="mona").json()["items"]
    assert [version["number"] for version in versions] == [2, 1]
    first = world.get("/models/finance/classifier/versions?limit=1", by="mona").json()
    assert len(first["items"]) == 1
    assert first["next_cursor"]
    model = "/models/finance/classifier"
    parts = ("", "/versions/1", "/versions/1/files/model.safetensors", "/history")
    opened = [model + part for part in (*parts, "/aliases/champion")]
    assert set(statuses(world, opened, "mona").values()) == {200}
    hidden = [path.replace("classifier", "ranker") for path in opened]
    hidden += [
        "/datasets/finance/purchases",
        "/datasets/finance/purchases/versions/1",
        f"/deployments/{here['deployment_id']}",
        f"/deployments/{beside['deployment_id']}",
        f"/monitors/{here['monitor_id']}",
        f"/runs/{here['run_id']}",
    ]
    assert set(statuses(world, hidden, "mona").values()) == {404}
    for path in ("/datasets", "/deployments", "/monitors", "/alerts", "/runs", "/approvals"):
        assert world.get(path, by="mona").json()["items"] == [], path
    assert world.patch(model, {"description": "new"}, by="mona").status_code == 200
    beside_it = world.patch("/models/finance/ranker", {"description": "new"}, by="mona")
    assert beside_it.status_code == 404
    for name in ("fresh", "classifier-2"):
        assert world.post("/models", api_bodies.model(name), by="mona").status_code == 404
    lineage = world.get("/lineage?node=model:finance/classifier@1", by="mona").json()
    assert {step["source"]["name"] for step in lineage["steps"]} == {None}


def test_a_role_on_a_dataset_opens_it_and_its_versions_only(
    world: World, here: Places, beside: Places
) -> None:
    allow(world, "dana", "datasets/purchases")
    assert names(world, "/datasets", "dana") == ["purchases"]
    data = "/datasets/finance/purchases"
    opened = [data, f"{data}/versions", f"{data}/versions/1"]
    assert set(statuses(world, opened, "dana").values()) == {200}
    assert len(world.get(f"{data}/versions", by="dana").json()["items"]) == 1
    hidden = [path.replace("purchases", "audits") for path in opened]
    hidden += [
        "/models/finance/classifier",
        "/lineage?node=model:finance/classifier@1",
        f"/deployments/{here['deployment_id']}",
        f"/retraining-policies/{beside['policy_id']}",
    ]
    assert set(statuses(world, hidden, "dana").values()) == {404}
    for path in ("/models", "/deployments", "/jobs", "/retraining-policies"):
        assert world.get(path, by="dana").json()["items"] == [], path
    files = {"file": ("rows.csv", api_bodies.CSV)}
    upload: dict[str, Any] = {"data": api_bodies.SPEC, "files": files}
    more = world.ask("POST", f"{data}/versions", by="dana", **upload)
    assert (more.status_code, more.json()["number"]) == (201, 2)
    beside_it = world.ask("POST", "/datasets/finance/audits/versions", by="dana", **upload)
    assert beside_it.status_code == 404
    assert world.post("/datasets", api_bodies.model("fresh"), by="dana").status_code == 404


def test_a_role_on_a_deployment_opens_it_and_what_watches_it_only(
    world: World, here: Places, beside: Places
) -> None:
    allow(world, "dora", "deployments/cards")
    assert names(world, "/deployments", "dora") == ["cards"]

    def parts(of: Places) -> list[str]:
        deployment = f"/deployments/{of['deployment_id']}"
        return [
            deployment,
            f"{deployment}/rollout",
            f"{deployment}/checks",
            f"{deployment}/checks/{of['check_id']}/report",
            f"{deployment}/accuracy?start=2025-01-01T00:00:00Z&end=2027-01-01T00:00:00Z",
            f"/monitors/{of['monitor_id']}",
            f"/alerts/{of['alert_id']}",
            f"/retraining-policies/{of['policy_id']}",
        ]

    assert set(statuses(world, parts(here), "dora").values()) == {200}
    assert set(statuses(world, parts(beside), "dora").values()) == {404}
    for path, own in (
        ("/monitors", here["monitor_id"]),
        ("/alerts", here["alert_id"]),
        ("/retraining-policies", here["policy_id"]),
    ):
        answer = world.get(path, by="dora", params={"limit": 1}).json()
        assert ([item["id"] for item in answer["items"]], answer["next_cursor"]) == ([own], None)
    told = world.get("//metrics", by="dora").text
    assert "bailiwick_alerts_unresolved 1.0" in told
    for place, wanted in ((here, True), (beside, False)):
        deployment = f"/deployments/{place['deployment_id']}"
        acts = [
            world.post(f"{deployment}/predict", api_bodies.instances("a"), by="dora"),
            world.post(
                f"{deployment}/feedback",
                {"feedback": [{"record_id": "a", "label": "Fuel"}]},
                by="dora",
            ),
            world.patch(f"/monitors/{place['monitor_id']}", {"min_rows": 7}, by="dora"),
            world.post(f"/alerts/{place['alert_id']}/acknowledge", by="dora"),
            world.patch(
                f"/retraining-policies/{place['policy_id']}", {"cooldown_days": 3}, by="dora"
            ),
            world.patch(deployment, {"state": "stopped"}, by="dora"),
        ]
        assert [act.is_success for act in acts] == [wanted] * len(acts)
        if not wanted:
            assert {act.status_code for act in acts} == {404}
    for path in ("/models", "/datasets"):
        assert world.get(path, by="dora").json()["items"] == []
    another = {
        "namespace": "finance",
        "name": "fresh",
        "model": "finance/classifier",
        "environment": "ledger",
        "purpose": "accounting",
    }
    assert world.post("/deployments", another, by="dora").status_code == 404


def test_jobs_belong_to_the_object_that_they_are_about(
    world: World, here: Places, beside: Places
) -> None:
    allow(world, "mona", "models/classifier", "datasets/purchases")
    allow(world, "dora", "deployments/cards")
    order = {
        "model": "finance/classifier",
        "dataset": "finance/purchases",
        "dataset_versions": [1],
        "purpose": "accounting",
    }
    job = world.post("/jobs", order, by="mona")
    assert job.status_code == 202
    foreign = world.post("/jobs", order | {"model": "finance/ranker"}, by="mona")
    assert foreign.status_code == 404
    assert world.get(f"/jobs/{job.json()['id']}", by="mona").status_code == 200
    own = world.get("/jobs", by="mona").json()["items"]
    model_id = world.get("/models/finance/classifier", by="mona").json()["id"]
    assert {item["subject_id"] for item in own} == {model_id}
    others = [item for item in world.get("/jobs").json()["items"] if item not in own]
    assert {item["subject_id"] for item in others} - {model_id}
    assert set(statuses(world, [f"/jobs/{o['id']}" for o in others], "mona").values()) == {404}
    of_hers = world.get("/jobs", by="dora").json()["items"]
    assert {item["subject_id"] for item in of_hers} == {here["deployment_id"]}
    assert beside["policy_id"] != here["policy_id"]


def test_places_of_the_same_name_elsewhere_are_other_places(world: World, here: Places) -> None:
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        make.dataset_version(make.dataset("audits"), seed=9)
    world.post("/models", api_bodies.model("classifier", namespace="people"))
    world.post("/datasets", api_bodies.model("purchases", namespace="people"))
    world.join("peter", "engineer", "steward", namespace="people")
    world.join("petra")
    for one in ("models/classifier", "datasets/purchases", "deployments/cards"):
        body = {"role": "engineer", "namespace": "people", "object": one}
        world.post("/principals/petra/roles", body, by="admin")
    for who in ("peter", "petra"):
        assert [m["namespace"] for m in world.get("/models", by=who).json()["items"]] == ["people"]
        found = [d["namespace"] for d in world.get("/datasets", by=who).json()["items"]]
        assert found == ["people"]
        assert world.get("/deployments", by=who).json()["items"] == []
        hidden = [
            "/models/finance/classifier",
            "/datasets/finance/purchases",
            f"/deployments/{here['deployment_id']}",
            f"/alerts/{here['alert_id']}",
            f"/jobs/{here['job_id']}",
        ]
        assert set(statuses(world, hidden, who).values()) == {404}
        assert statuses(world, ["/models/people/classifier"], who) == {
            "/models/people/classifier": 200
        }
    fresh = {"model": api_bodies.model("x", namespace="finance")}
    assert world.post("/models", fresh["model"], by="peter").status_code == 404
    assert world.post("/models", fresh["model"] | {"namespace": "people"}, by="peter").is_success


def test_the_role_on_an_object_counts_there_and_not_the_one_beside_it(
    world: World, here: Places
) -> None:
    """An auditor of the namespace who engineers one model changes neither."""
    assert here
    world.join("olga", "auditor", namespace="finance")
    body = {"role": "engineer", "namespace": "finance", "object": "models/classifier"}
    world.post("/principals/olga/roles", body, by="admin")
    changed = world.patch("/models/finance/classifier", {"description": "x"}, by="olga")
    assert (changed.status_code, changed.json()["policies"]) == (403, ["auditors-only-read"])
    world.join("otto", "approver", namespace="finance")
    world.post("/principals/otto/roles", body, by="admin")
    assert world.patch("/models/finance/classifier", {"description": "x"}, by="otto").is_success
    assert world.post("/models", api_bodies.model("fresh"), by="otto").status_code == 403


def test_a_role_on_an_object_can_come_through_a_group_and_ends_with_it(
    world: World, here: Places
) -> None:
    assert here
    world.join("gina")
    body = {"role": "engineer", "namespace": "finance", "object": "models/classifier"}
    world.post("/groups", {"name": "modellers"}, by="admin")
    assert world.post("/groups/modellers/roles", body, by="admin").json()["roles"] == [body]
    world.post("/groups/modellers/members", {"principal": "gina"}, by="admin")
    assert names(world, "/models", "gina") == ["classifier"]
    path = "/groups/modellers/roles/finance/engineer"
    assert world.ask("DELETE", path, by="admin").status_code == 404
    gone = world.ask("DELETE", path, by="admin", params={"object": "models/classifier"})
    assert gone.status_code == 204
    assert names(world, "/models", "gina") == []
