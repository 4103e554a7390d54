"""Labels over HTTP: explained, raised, tried out; breaches; and predictions meanwhile."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle.compliance import stop_due
from bailiwick.lineage import Run
from bailiwick.registry import Deployment
from factories import CONFIDENTIAL
from support.api_bodies import instances
from support.api_world import World

HIGHER = CONFIDENTIAL.to_dict() | {"level": "restricted"}
RESEARCH = replace(CONFIDENTIAL, purposes=frozenset({"accounting", "research"}))


@pytest.fixture
def deployment(world: World) -> Deployment:
    return world.running()


def relabel(world: World, label: dict[str, Any] = HIGHER, *, by: str = "steward") -> Any:
    body = {"label": label, "reason": "it holds customers"}
    return world.post("/datasets/finance/purchases/label", body, by=by)


def parts(answer: Any) -> dict[tuple[str, tuple[str, ...]], dict[str, Any]]:
    return {(one["part"], tuple(one["names"])): one for one in answer.json()["parts"]}


def test_a_relabelling_answers_what_it_moved_and_broke(
    world: World, deployment: Deployment
) -> None:
    tried = world.get("/lineage/what-if?dataset=finance/purchases&level=restricted").json()
    assert world.get("/breaches").json()["items"] == []
    done = relabel(world)
    assert done.status_code == 200
    told = done.json()
    assert (told["new"]["level"], told["sealed"], told["unseen_breaches"]) == ("restricted", 0, 0)
    assert told["moved"]["model-version"] == told["moved"]["deployment"] == 1
    (breach,) = told["breaches"]
    assert (breach["deployment"], breach["state"], breach["policy_ids"]) == (
        "finance/cards",
        "found",
        ["no-deploy-up"],
    )
    assert [one["policy_ids"] for one in tried["out_of_policy"]] == [["no-deploy-up"]]
    assert {one["type"] for one in tried["rises"]} == {
        "dataset",
        "dataset-version",
        "run",
        "model-version",
        "model",
        "deployment",
    }
    assert {(one["old"]["level"], one["new"]["level"]) for one in tried["rises"]} == {
        ("confidential", "restricted")
    }
    shown = world.get(f"/deployments/{deployment.id}").json()
    assert (shown["breach"]["id"], shown["label"]["level"]) == (breach["id"], "restricted")


def test_a_lower_label_is_refused_with_the_way_out(world: World, deployment: Deployment) -> None:
    refused = relabel(world, CONFIDENTIAL.to_dict() | {"level": "internal"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert "ask for a waiver" in refused.json()["detail"]
    tried = world.get("/lineage/what-if?dataset=finance/purchases&level=public")
    assert tried.status_code == 422
    assert relabel(world, by="engineer").status_code == 403
    assert world.get(f"/deployments/{deployment.id}").json()["label"] == CONFIDENTIAL.to_dict()


@pytest.mark.parametrize("text", ["purchases", "finance/purchases@", "finance/purchases@x", "/x@1"])
def test_what_is_no_dataset_is_refused(world: World, text: str) -> None:
    answer = world.get(f"/lineage/what-if?dataset={text}&level=restricted")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_each_label_says_who_set_each_part_and_the_way_from_there(
    world: World, deployment: Deployment
) -> None:
    with world.platform.database.reading() as session:
        run = session.scalars(select(Run.id).where(Run.kind == "train")).one()
    relabel(world)
    paths = {
        "/datasets/finance/purchases": [],
        "/datasets/finance/purchases/versions/1": ["finance/purchases@1"],
        f"/runs/{run}": ["finance/purchases@1"],
        "/models/finance/classifier/versions/1": ["finance/purchases@1", "finance/classifier@1"],
        f"/deployments/{deployment.id}": ["finance/purchases@1", "finance/classifier@1"],
    }
    steward, owner = (str(world.principals[name].id) for name in ("steward", "engineer"))
    for path, way in paths.items():
        answer = world.get(f"{path}/label")
        assert answer.json()["label"] == HIGHER
        found = parts(answer)
        level = found["level", ("restricted",)]
        assert level["source"] == {
            "dataset": "finance/purchases",
            "version": None,
            "by": steward,
            "at": "2026-01-05T08:00:00Z",
            "reason": "it holds customers",
        }
        compartment = found["compartment", ("finance",)]
        assert (compartment["source"]["by"], compartment["source"]["reason"]) == (owner, None)
        assert found["residency", ("uk", "us", "world")]["source"]["by"] == owner
        assert {tuple(one["path"]) for one in found.values()} == {tuple(way)}
        assert {one["unseen"] for one in found.values()} == {0}
        (move,) = answer.json()["moves"]
        assert (move["old"]["level"], move["new"]["level"]) == ("confidential", "restricted")


def test_what_one_may_not_see_is_counted_and_not_named(world: World) -> None:
    world.running()
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        make.principal("analyst", "engineer", clearance="restricted", namespace="elsewhere")
        person = make.principal("visitor")
        world.know(make, person)
        from_model = {"namespace": "finance", "role": "engineer", "object": "models/classifier"}
    assert world.post("/principals/visitor/roles", from_model, by="admin").status_code < 300
    answer = world.get("/models/finance/classifier/versions/1/label", by="visitor")
    assert answer.status_code == 200
    assert "purchases" not in answer.text
    for part in answer.json()["parts"]:
        assert (part["source"], part["path"], part["unseen"]) == (None, ["finance/classifier@1"], 1)
    relabel(world)
    again = world.get("/models/finance/classifier/versions/1/label", by="visitor")
    assert "it holds customers" not in again.text
    assert [move["reason"] for move in again.json()["moves"]] == [
        "it follows what it was made from, or what it is about"
    ]


def test_a_relabelling_hides_what_the_steward_may_not_see(
    world: World, deployment: Deployment
) -> None:
    with world.platform.database.transaction() as session:
        world.know(world.factory(session), world.factory(session).principal("carla"))
    narrow = {"namespace": "finance", "role": "steward", "object": "datasets/purchases"}
    world.post("/principals/carla/roles", narrow, by="admin")
    path = "/lineage/what-if?dataset=finance/purchases&level=restricted"
    tried = world.get(path, by="carla").json()
    assert {one["type"] for one in tried["rises"]} == {"dataset", "dataset-version"}
    assert (tried["unseen_rises"], tried["unseen_out_of_policy"]) == (5, 1)
    done = relabel(world, by="carla").json()
    assert (done["breaches"], done["unseen_breaches"]) == ([], 1)
    assert str(deployment.id) not in str([tried, done])


def test_breaches_are_listed_as_their_deployments_are(world: World, deployment: Deployment) -> None:
    relabel(world)
    (breach,) = world.get("/breaches?open=true&namespace=finance").json()["items"]
    assert breach["deployment_id"] == str(deployment.id)
    assert world.get(f"/breaches/{breach['id']}").json() == breach
    assert world.get("/breaches?open=false").json()["items"] == []
    assert world.get("/breaches?namespace=people").json()["items"] == []
    world.join("low", "engineer", "steward", clearance="confidential")
    assert world.get("/breaches", by="low").json()["items"] == []
    assert world.get(f"/breaches/{breach['id']}", by="low").status_code == 404
    world.patch(f"/deployments/{deployment.id}", {"state": "stopped"})
    (over,) = world.get("/breaches?open=false").json()["items"]
    assert (over["state"], over["resolution"]) == ("resolved", "the deployment was stopped")
    assert world.get(f"/deployments/{deployment.id}").json()["breach"] is None


def test_an_alert_of_the_policies_is_one_like_any_other(
    world: World, deployment: Deployment
) -> None:
    relabel(world)
    (alert,) = world.get("/alerts").json()["items"]
    assert (alert["source"], alert["kind"], alert["monitor_id"], alert["check_id"]) == (
        "policy",
        "out-of-policy",
        None,
        None,
    )
    assert alert["owner_id"] == str(deployment.created_by)
    assert world.post(f"/alerts/{alert['id']}/acknowledge").json()["state"] == "acknowledged"


def test_it_goes_on_answering_until_its_grace_time_is_over(
    world: World, clock: ReplayClock
) -> None:
    deployment = world.running(label=RESEARCH)
    path = f"/deployments/{deployment.id}/predict"
    relabel(world, RESEARCH.to_dict() | {"purposes": ["research"]})
    assert world.get(f"/deployments/{deployment.id}").json()["breach"]["policy_ids"] == ["purpose"]
    assert world.post(path, instances("a"), by="robot").status_code == 200
    clock.advance_to(clock.now() + timedelta(hours=24))
    late = world.post(path, instances("b"), by="robot")
    assert (late.status_code, late.json()["policies"]) == (403, ["purpose"])
    with world.platform.database.transaction() as session:
        assert stop_due(session, rules=world.platform.rules, at=clock.now()) == 1
    shown = world.get(f"/deployments/{deployment.id}").json()
    assert (shown["state"], shown["breach"]["state"]) == ("stopped", "stopped")
    refused = world.patch(f"/deployments/{deployment.id}", {"state": "active"})
    assert (refused.status_code, refused.json()["policies"]) == (403, ["purpose"])


def test_nobody_below_the_risen_label_is_tolerated(world: World) -> None:
    deployment = world.running()
    world.join("app", "service", kind="service", clearance="confidential")
    path = f"/deployments/{deployment.id}/predict"
    assert world.post(path, instances("a"), by="app").status_code == 200
    relabel(world)
    assert world.post(path, instances("b"), by="app").status_code == 404
    assert world.post(path, instances("c"), by="robot").status_code == 200


def test_answers_of_a_version_above_the_deployment_cannot_be_logged_for_it(world: World) -> None:
    above = replace(CONFIDENTIAL, level="restricted")
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        model = make.model(label=above)
        make.champion(make.model_version(model, make.dataset_version(make.dataset())))
        deployment = make.deployment(model, make.environment())
        secret = make.dataset_version(make.dataset("secret", label=above), seed=1)
        version_id = str(make.model_version(model, secret).id)
    record = {
        "record_id": "r",
        "at": "2026-01-01T00:00:00Z",
        "prediction": "Fuel",
        "confidence": 0.5,
        "characters": 1,
        "words": 1,
        "unseen_words_ratio": 0.0,
    }
    body = {"records": [record], "version_id": version_id}
    refused = world.post(f"/deployments/{deployment.id}/inferences", body, by="robot")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert world.get(f"/deployments/{deployment.id}").json()["label"] == CONFIDENTIAL.to_dict()


def test_a_steward_changes_what_is_said_of_a_dataset(world: World, deployment: Deployment) -> None:
    assert deployment.id
    known = world.get("/datasets/finance/purchases", by="steward")
    assert known.json()["retention_days"] is None
    seen = {"If-Match": known.headers["ETag"]}
    path, change = "/datasets/finance/purchases", {"retention_days": 30}
    done = world.patch(path, change, by="steward", headers=seen)
    assert (done.status_code, done.json()["retention_days"]) == (200, 30)
    assert done.json()["description"] == known.json()["description"]
    assert world.patch(path, change, by="steward", headers=seen).status_code == 412
    assert world.patch(path, {"retention_days": 0}, by="steward").status_code == 422
    assert world.patch(path, {"description": "x"}, by="engineer").status_code == 403
    freed = {"retention_days": None, "description": "Card payments."}
    freed_answer = world.patch(path, freed, by="steward").json()
    assert (freed_answer["retention_days"], freed_answer["description"]) == (None, "Card payments.")
