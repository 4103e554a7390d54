import base64

import pytest

from support import api_bodies
from support.api_world import World


def names(world: World, path: str) -> tuple[list[str], str | None]:
    page = world.get(path).json()
    return [item["name"] for item in page["items"]], page["next_cursor"]


def test_pages_stay_put_while_rows_are_added(world: World) -> None:
    for number in range(5):
        world.post("/models", api_bodies.model(f"m{number}"))
    first, cursor = names(world, "/models?limit=2")
    world.post("/models", api_bodies.model("newer"))
    second, following = names(world, f"/models?limit=2&cursor={cursor}")
    world.post("/models", api_bodies.model("newest"))
    third, last = names(world, f"/models?limit=2&cursor={following}")
    assert [*first, *second, *third] == ["m4", "m3", "m2", "m1", "m0"]
    assert last is None


def test_a_page_that_is_just_full_is_the_last_one(world: World) -> None:
    for number in range(2):
        world.post("/models", api_bodies.model(f"m{number}"))
    assert names(world, "/models?limit=2") == (["m1", "m0"], None)


@pytest.mark.parametrize(
    "cursor",
    [
        "garbage",
        "",
        "%00",
        "é",
        "AAAA",
        base64.urlsafe_b64encode(b"x" * 17).decode(),
        base64.urlsafe_b64encode(b"x" * 15).decode(),
        "x" * 101,
        "'; DROP TABLE models; --",
    ],
)
def test_a_cursor_that_was_not_given_out_is_refused(world: World, cursor: str) -> None:
    answer = world.get(f"/models?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize("limit", ["0", "-1", "501", "many", "1e3"])
def test_a_limit_out_of_bounds_is_refused(world: World, limit: str) -> None:
    assert world.get(f"/models?limit={limit}").status_code == 422


def test_every_collection_pages(world: World) -> None:
    paths = world.get("//openapi.json").json()["paths"]
    schemas = world.get("//openapi.json").json()["components"]["schemas"]
    collections = []
    for path, operations in paths.items():
        answer = operations.get("get", {}).get("responses", {}).get("200", {})
        content = answer.get("content", {}).get("application/json", {}).get("schema", {})
        name = content.get("$ref", "").rpartition("/")[2]
        fields = schemas.get(name, {}).get("properties", {})
        if any(field.get("type") == "array" for field in fields.values()) and "items" in fields:
            collections.append(path)
            given = {parameter["name"] for parameter in operations["get"]["parameters"]}
            assert {"limit", "cursor"} <= given, path
            assert "next_cursor" in fields, path
    assert len(collections) >= 17
