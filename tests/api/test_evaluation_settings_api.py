"""`/models/{ns}/{name}/evaluation-settings`: who reads it, who changes it, what it says."""

from typing import Any

import pytest

from support import api_bodies
from support.api_world import World

ADDRESS = "/models/finance/classifier/evaluation-settings"
GOLDEN = "finance/purchases@1"
NOTHING = {
    "golden_set": None,
    "golden_version_id": None,
    "segments": [],
    "key_column": None,
    "set_by": None,
    "set_at": None,
}


@pytest.fixture
def models(world: World) -> World:
    """A champion with its data, and a steward."""
    world.running()
    world.join("sam", "steward")
    return world


def put(world: World, body: dict[str, Any], *, by: str = "sam", match: str | None = None) -> Any:
    return world.ask("PUT", ADDRESS, by=by, json=body, headers={"If-Match": match} if match else {})


def test_a_steward_names_a_golden_set_and_everybody_with_a_role_reads_it(models: World) -> None:
    assert models.get(ADDRESS).json() == NOTHING
    told = put(
        models, {"golden_set": GOLDEN, "segments": ["cost_centre"], "key_column": "merchant"}
    )
    assert told.status_code == 200, told.text
    said = told.json()
    assert (said["golden_set"], said["segments"]) == (GOLDEN, ["cost_centre"])
    assert said["set_by"] == str(models.principals["sam"].id)
    assert models.get(ADDRESS, by="engineer").json() == said
    assert put(models, {}).json()["golden_version_id"] is None


def test_who_trains_a_model_does_not_choose_what_it_is_judged_by(models: World) -> None:
    answer = put(models, {}, by="engineer")
    assert answer.status_code == 403
    assert models.get(ADDRESS).json() == NOTHING


def test_a_change_of_what_somebody_else_changed_since_is_refused(models: World) -> None:
    first = put(models, {"segments": ["cost_centre"]})
    put(models, {"segments": []})
    assert put(models, {"segments": ["merchant"]}, match=first.headers["ETag"]).status_code == 412
    assert models.get(ADDRESS).json()["segments"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"golden_set": "finance/purchases"}, 422),
        ({"golden_set": "finance/purchases@x"}, 422),
        ({"golden_set": "finance/purchases@9"}, 404),
        ({"golden_set": "finance/none@1"}, 404),
        ({"segments": ["a", "a"]}, 422),
        ({"segments": [""]}, 422),
        ({"key_column": " "}, 422),
        ({"strange": 1}, 422),
    ],
)
def test_what_cannot_be_meant_is_refused(models: World, body: dict[str, Any], status: int) -> None:
    answer = put(models, body)
    assert answer.status_code == status, answer.text
    assert models.get(ADDRESS).json() == NOTHING


def test_the_name_of_a_golden_set_is_not_shown_to_who_may_not_know_the_dataset(
    models: World,
) -> None:
    models.post("/datasets", api_bodies.model("feed", namespace="people"))
    upload = {"data": api_bodies.SPEC, "files": {"file": ("rows.csv", api_bodies.CSV)}}
    made = models.post("/datasets/people/feed/versions", **upload)
    assert made.status_code == 201, made.text
    assert put(models, {"golden_set": "people/feed@1"}).json()["golden_set"] == "people/feed@1"
    models.join("clerk", "engineer", namespace="finance")
    told = models.get(ADDRESS, by="clerk").json()
    assert told["golden_set"] is None
    assert told["golden_version_id"] is not None


def test_a_version_tells_how_each_further_gate_stands(models: World) -> None:
    evaluation = models.get("/models/finance/classifier/versions/1").json()["evaluation"]
    standing = {one["gate"]: one["standing"] for one in evaluation["standings"]}
    assert standing["golden_set"] == "not required"
    assert standing["robustness"] == standing["membership"] == "passed"
    assert all(one["asks"] and one["figures"] for one in evaluation["standings"])
