"""Ways to be somebody else, or to be still what one no longer is."""

from collections.abc import Iterator
from typing import Any

import pytest

from bailiwick.lifecycle import Platform
from support import api_bodies
from support.api_world import World
from support.escapes import denied_by, founded, label_of, made, rows, uploaded

MODELS = "/models?limit=500"


@pytest.fixture(scope="module")
def town(shared_platform: Platform) -> Iterator[World]:
    """Two namespaces with something in each, and people who come and go."""
    world = founded(shared_platform)
    world.join("admin", "admin").join("mayor", "admin", namespace="finance")
    for namespace in ("finance", "people"):
        made(world, "/models", f"{namespace}/coder")
        made(world, "/models", f"{namespace}/reader")
        uploaded(world, f"{namespace}/rows", csv=rows(namespace))
    yield world
    world.client.close()


def names(world: World, by: str) -> set[str]:
    items = world.get(MODELS, by=by).json()["items"]
    return {f"{item['namespace']}/{item['name']}" for item in items}


def role(world: World, name: str, role: str, **place: str) -> None:
    answer = world.post(f"/principals/{name}/roles", {"role": role} | place, by="admin")
    assert answer.status_code == 201, answer.text


def revoke(world: World, name: str, role: str, namespace: str = "*") -> None:
    path = f"/principals/{name}/roles/{namespace}/{role}"
    assert world.ask("DELETE", path, by="admin").status_code == 204


def test_a_role_that_was_taken_away(town: World) -> None:
    town.join("fired", "engineer")
    assert town.get("/models/finance/coder", by="fired").status_code == 200
    revoke(town, "fired", "engineer")
    assert town.get("/models/finance/coder", by="fired").status_code == 404
    assert names(town, "fired") == set()
    assert town.post("/models", api_bodies.model("late"), by="fired").status_code in {403, 404}


def test_what_one_has_made_after_the_role_is_gone(town: World) -> None:
    town.join("maker", "engineer", "steward")
    made(town, "/models", "finance/child", by="maker")
    uploaded(town, "finance/child", csv=rows("Child"), by="maker")
    revoke(town, "maker", "engineer")
    revoke(town, "maker", "steward")
    for path in ("/models/finance/child", "/datasets/finance/child/versions/1"):
        assert town.get(path, by="maker").status_code == 404
    assert town.patch("/models/finance/child", {"description": "x"}, by="maker").status_code == 404


def test_making_something_gives_no_right_to_it(town: World) -> None:
    """A steward may create datasets, and does not become the engineer of what they created."""
    town.join("keeper", "steward")
    assert denied_by(town.post("/models", api_bodies.model("kept"), by="keeper")) == []
    uploaded(town, "finance/kept", csv=rows("Kept"), by="keeper")
    order = {"model": "finance/coder", "dataset": "finance/kept", "dataset_versions": [1]}
    answer = town.post("/jobs", order | {"purpose": "accounting"}, by="keeper")
    assert answer.status_code == 403


def test_a_role_in_another_namespace(town: World) -> None:
    town.join("neighbour", "engineer", "steward", "approver", namespace="people")
    assert names(town, "neighbour") == {"people/coder", "people/reader"}
    for path in (
        "/models/finance/coder",
        "/datasets/finance/rows",
        "/datasets/finance/rows/versions",
    ):
        assert town.get(path, by="neighbour").status_code == 404
    assert town.post("/models", api_bodies.model("x"), by="neighbour").status_code == 404


@pytest.mark.parametrize("namespace", ["financ", "finance2", "finance-x", "f", "finance.models"])
def test_a_namespace_that_begins_alike(town: World, namespace: str) -> None:
    town.join(f"alike-{namespace}", "engineer", namespace=namespace)
    assert names(town, f"alike-{namespace}") == set()
    assert town.get("/models/finance/coder", by=f"alike-{namespace}").status_code == 404


@pytest.mark.parametrize(
    "namespace", ["%", "_______", "finance/models", "FINANCE", "**", "finance ", ""]
)
def test_a_namespace_that_is_a_pattern(town: World, namespace: str) -> None:
    if "pattern" not in town.tokens:
        town.join("pattern", "engineer", namespace="nowhere")
    body = {"role": "engineer", "namespace": namespace}
    assert town.post("/principals/pattern/roles", body, by="admin").status_code == 422
    assert names(town, "pattern") == set()


def test_a_role_on_one_object_beyond_that_object(town: World) -> None:
    town.join("guest")
    role(town, "guest", "engineer", namespace="finance", object="models/coder")
    assert names(town, "guest") == {"finance/coder"}
    assert town.get("/models/finance/coder", by="guest").status_code == 200
    for path in (
        "/models/finance/reader",
        "/models/people/coder",  # the same name in another namespace
        "/datasets/finance/rows",
        "/datasets/finance/rows/versions/1",
    ):
        assert town.get(path, by="guest").status_code == 404, path
    assert town.get("/datasets", by="guest").json()["items"] == []
    assert town.post("/models", api_bodies.model("coder2"), by="guest").status_code in {403, 404}


def test_taking_the_name_of_an_object_on_which_others_hold_roles(town: World) -> None:
    """A dataset that is named like the model opens nothing to whoever holds the model."""
    town.join("sharer")
    role(town, "sharer", "engineer", namespace="finance", object="models/reader")
    uploaded(town, "finance/reader", csv=rows("Named"))
    assert town.get("/datasets/finance/reader", by="sharer").status_code == 404
    assert town.get("/models/finance/reader", by="sharer").status_code == 200


def test_administering_the_platform_from_a_namespace(town: World) -> None:
    for method, path, body in (
        ("POST", "/principals", {"name": "mine", "kind": "person", "roles": [{"role": "admin"}]}),
        ("POST", "/principals/mayor/roles", {"role": "admin", "namespace": "*"}),
        ("POST", "/tokens", {"principal": "admin", "name": "x"}),
        ("POST", "/principals/admin/disable", {}),
        ("POST", "/environments", {"name": "mine", "zone": "eu", "clearance_level": "restricted"}),
        ("GET", "/audit/events", None),
        ("GET", "/audit/export", None),
        ("GET", "/principals", None),
        ("GET", "/tokens", None),
        ("POST", "/groups", {"name": "mine"}),
    ):
        answer = town.ask(method, path, by="mayor", json=body)
        assert answer.status_code in {403, 404}, (method, path, answer.text)


def test_giving_oneself_more_clearance(town: World) -> None:
    town.join("climber", "admin", clearance="internal")
    answer = town.patch("/principals/climber", {"clearance_level": "restricted"}, by="climber")
    assert answer.status_code in {403, 409}
    assert town.get("/me", by="climber").json()["clearance_level"] == "internal"


def test_giving_somebody_else_more_clearance_than_one_has(town: World) -> None:
    """A puppet with a token would see what its maker may not."""
    town.join("puppeteer", "admin", clearance="internal")
    body = {"name": "puppet", "kind": "person", "roles": [{"role": "engineer"}]}
    cleared = {"clearance_level": "restricted", "clearance_compartments": ["finance"]}
    answer = town.post("/principals", body | cleared, by="puppeteer")
    assert answer.status_code == 403, answer.text
    town.join("friend", "engineer", clearance="public")
    answer = town.patch("/principals/friend", cleared, by="puppeteer")
    assert answer.status_code == 403, answer.text
    other = {"clearance_level": "internal", "clearance_compartments": ["health"]}
    assert town.patch("/principals/friend", other, by="puppeteer").status_code == 403


def test_a_token_of_somebody_who_may_see_more(town: World) -> None:
    town.join("minter", "admin", clearance="internal")
    answer = town.post("/tokens", {"principal": "engineer", "name": "x"}, by="minter")
    assert answer.status_code == 403, answer.text
    assert "token" not in answer.json()


def test_administrators_are_bound_by_clearance(town: World) -> None:
    made(town, "/models", "finance/vaulted", label=label_of("restricted"))
    town.join("boss", "admin", clearance="confidential")
    assert town.get("/models/finance/vaulted", by="boss").status_code == 404
    assert "finance/vaulted" not in names(town, "boss")


def test_a_disabled_person_with_a_token_that_is_still_good(town: World) -> None:
    town.join("leaver", "engineer", "admin")
    assert town.post("/principals/leaver/disable", by="admin").status_code == 200
    for path in ("/me", "/models", "/models/finance/coder", "//metrics", "//console"):
        answer = town.get(path, by="leaver")
        assert answer.status_code in {401, 303}
    made_after = town.post("/tokens", {"principal": "leaver", "name": "again"}, by="admin")
    if made_after.status_code == 201:
        town.tokens["leaver-again"] = made_after.json()["token"]
        assert town.get("/me", by="leaver-again").status_code == 401


def test_the_name_of_somebody_who_has_left(town: World) -> None:
    """Names are never given again: what they did stays theirs."""
    town.join("gone", "engineer")
    town.post("/principals/gone/disable", by="admin")
    body = {"name": "gone", "kind": "person"}
    assert town.post("/principals", body, by="admin").status_code == 409


@pytest.mark.parametrize(
    "name", ["Admin", "ADMIN", "\u0430dmin", "admin\u200b", "admin ", "admin/", "*"]
)
def test_a_name_that_looks_like_another(town: World, name: str) -> None:
    for body in ({"name": name, "kind": "person"}, {"name": name, "kind": "service"}):
        assert town.post("/principals", body, by="admin").status_code == 422


def test_leaving_a_group_takes_its_roles_along(town: World) -> None:
    town.join("member")
    by: Any = "admin"
    assert town.post("/groups", {"name": "crew"}, by=by).status_code == 201
    assert (
        town.post(
            "/groups/crew/roles", {"role": "engineer", "namespace": "finance"}, by=by
        ).status_code
        == 201
    )
    assert town.post("/groups/crew/members", {"principal": "member"}, by=by).status_code == 201
    assert "finance/coder" in names(town, "member")
    assert town.ask("DELETE", "/groups/crew/members/member", by=by).status_code == 204
    assert town.get("/models/finance/coder", by="member").status_code == 404


def test_a_groups_roles_after_they_were_taken_from_it(town: World) -> None:
    town.join("comrade")
    town.post("/groups", {"name": "band"}, by="admin")
    town.post("/groups/band/roles", {"role": "engineer", "namespace": "finance"}, by="admin")
    town.post("/groups/band/members", {"principal": "comrade"}, by="admin")
    assert town.get("/models/finance/coder", by="comrade").status_code == 200
    path = "/groups/band/roles/finance/engineer"
    assert town.ask("DELETE", path, by="admin").status_code == 204
    assert town.get("/models/finance/coder", by="comrade").status_code == 404


def test_joining_a_group_by_oneself(town: World) -> None:
    town.post("/groups", {"name": "elite"}, by="admin")
    town.post("/groups/elite/roles", {"role": "admin"}, by="admin")
    for by in ("engineer", "steward", "approver", "mayor"):
        answer = town.post("/groups/elite/members", {"principal": by}, by=by)
        assert answer.status_code in {403, 404}
        assert town.post("/principals", {"name": "x", "kind": "person"}, by=by).status_code in {
            403,
            404,
        }


def test_a_group_gives_no_clearance(town: World) -> None:
    """The union of two groups' clearances would be one that nobody has granted."""
    made(town, "/models", "finance/deep", label=label_of("restricted"))
    town.join("pupil", clearance="internal")
    for group, given in (("readers", "engineer"), ("keepers", "steward")):
        town.post("/groups", {"name": group}, by="admin")
        town.post(f"/groups/{group}/roles", {"role": given}, by="admin")
        town.post(f"/groups/{group}/members", {"principal": "pupil"}, by="admin")
    assert town.get("/models/finance/deep", by="pupil").status_code == 404
    assert "finance/deep" not in names(town, "pupil")
