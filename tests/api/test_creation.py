"""Creation is a permission: a creator gets no rights by having created."""

from typing import Any

from support import api_bodies
from support.api_everything import Places, furnish
from support.api_world import World


def made_by_her(world: World) -> tuple[Places, dict[str, list[str]]]:
    """What `cleo` made while she was an engineer, and where it is found."""
    places = furnish(world)
    world.join("cleo", "engineer", namespace="finance")
    world.post("/models", api_bodies.model("hers"), by="cleo")
    world.post("/datasets", api_bodies.model("hers"), by="cleo")
    upload: dict[str, Any] = {
        "data": api_bodies.SPEC,
        "files": {"file": ("rows.csv", api_bodies.CSV)},
    }
    world.ask("POST", "/datasets/finance/hers/versions", by="cleo", **upload)
    deployment: dict[str, Any] = {
        "namespace": "finance",
        "name": "hers",
        "model": "finance/classifier",
        "environment": "ledger",
        "purpose": "accounting",
        "keeps_text": True,
    }
    deployed = world.post("/deployments", deployment, by="cleo").json()["id"]
    watched = {"deployment_id": deployed, "acts_as": "robot"}
    monitor = world.post("/monitors", watched, by="cleo").json()["id"]
    watched |= {"dataset": "finance/hers"}
    policy = world.post("/retraining-policies", watched, by="cleo").json()["id"]
    order = {
        "model": "finance/classifier",
        "dataset": "finance/purchases",
        "dataset_versions": [1],
        "purpose": "accounting",
    }
    job = world.post("/jobs", order, by="cleo").json()["id"]
    return places, {
        "/models": ["/models/finance/hers", "/models/finance/hers/versions"],
        "/datasets": ["/datasets/finance/hers", "/datasets/finance/hers/versions/1"],
        "/deployments": [f"/deployments/{deployed}", f"/deployments/{deployed}/rollout"],
        "/monitors": [f"/monitors/{monitor}"],
        "/retraining-policies": [f"/retraining-policies/{policy}"],
        "/jobs": [f"/jobs/{job}"],
        "/runs": [],
    }


def test_a_creator_whose_role_is_taken_away_sees_nothing_of_what_they_made(world: World) -> None:
    _, made = made_by_her(world)
    for collection, paths in made.items():
        assert world.get(collection, by="cleo").json()["items"], collection
        assert [world.get(path, by="cleo").status_code for path in paths] == [200] * len(paths)
    gone = world.ask("DELETE", "/principals/cleo/roles/finance/engineer", by="admin")
    assert gone.status_code == 204
    for collection, paths in made.items():
        assert world.get(collection, by="cleo").json()["items"] == [], collection
        assert {world.get(path, by="cleo").status_code for path in paths} <= {404}, collection
    changes = [
        world.patch(made["/models"][0], {"description": "mine"}, by="cleo"),
        world.patch(made["/deployments"][0], {"state": "stopped"}, by="cleo"),
        world.patch(made["/monitors"][0], {"min_rows": 7}, by="cleo"),
        world.patch(made["/retraining-policies"][0], {"cooldown_days": 3}, by="cleo"),
        world.post(f"{made['/jobs'][0]}/cancel", by="cleo"),
        world.post(f"{made['/deployments'][0]}/predict", api_bodies.instances("a"), by="cleo"),
    ]
    assert {change.status_code for change in changes} == {404}
    assert world.get("/models/finance/hers").status_code == 200


def test_a_creator_who_only_reads_now_reads_and_no_more(world: World) -> None:
    _, made = made_by_her(world)
    body = {"role": "auditor", "namespace": "finance"}
    world.post("/principals/cleo/roles", body, by="admin")
    world.ask("DELETE", "/principals/cleo/roles/finance/engineer", by="admin")
    assert world.get(made["/models"][0], by="cleo").status_code == 200
    denied = world.patch(made["/models"][0], {"description": "mine"}, by="cleo")
    assert denied.status_code == 403


def test_whoever_makes_a_principal_or_a_group_is_no_part_of_it(world: World) -> None:
    world.post("/groups", {"name": "team"}, by="admin")
    world.post("/groups/team/roles", {"role": "engineer", "namespace": "finance"}, by="admin")
    me = world.get("/me", by="admin").json()
    assert [(role["role"], role["group"]) for role in me["roles"]] == [("admin", None)]
    assert world.get("/groups/team/members", by="admin").json()["items"] == []
