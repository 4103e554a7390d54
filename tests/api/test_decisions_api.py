"""Decisions over HTTP: filtered, and explained with names that the caller may know."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from support.api_bodies import LABEL, model
from support.api_world import World
from support.rules_in_force import forbidding, put_in_force


@pytest.fixture(scope="module")
def world(shared_platform: Platform) -> Iterator[World]:
    """An installation for all tests here, with a model above the junior's clearance."""
    world = World(shared_platform)
    for role in ("engineer", "approver", "auditor", "steward", "admin"):
        world.join(role, role)
    world.join("junior", "engineer", clearance="internal")
    world.join("visitor", "engineer", namespace="people")
    assert world.post("/models", model("notes")).status_code == 201
    yield world
    world.client.close()


def denied(world: World, method: str, path: str, json: Any = None, *, by: str) -> dict[str, Any]:
    """The newest decision after a request that was denied, explained to an auditor."""
    answer = world.ask(method, path, by=by, json=json)
    assert answer.status_code in {403, 404}, answer.text
    newest = world.get("/decisions?allowed=false&limit=1", by="auditor").json()["items"][0]
    told: dict[str, Any] = world.get(f"/decisions/{newest['id']}", by="auditor").json()
    return told


def test_a_denial_says_who_asked_for_what_which_policy_and_what_would_change_it(
    world: World,
) -> None:
    told = denied(world, "PATCH", "/models/finance/notes", {"description": "x"}, by="junior")
    assert told["asked"] == "May junior do model:update on Model finance/notes?"
    assert (told["principal"], told["resource"]) == ("junior", "finance/notes")
    (policy,) = told["policies"]
    assert policy["id"] == "no-read-up"
    assert "clearance_level" in policy["text"]
    assert (told["policies_as_of"], told["today"]) == ("then", "deny")
    assert told["would_be_allowed_if"] == [
        {"changes": ["junior were cleared for confidential"], "ask": ["admin"]},
        {"changes": ["a waiver let it count as internal and finance"], "ask": ["steward"]},
    ]


def test_it_is_told_who_asked_for_what(world: World) -> None:
    denied(world, "PATCH", "/models/finance/notes", {"description": "x"}, by="approver")
    newest = world.get("/decisions?allowed=false&limit=1", by="engineer").json()["items"][0]
    told = world.get(f"/decisions/{newest['id']}", by="engineer").json()
    assert (told["principal"], told["resource"]) == ("approver", "finance/notes")
    assert told["asked"].startswith("May approver do ")


def test_a_denial_that_hid_something_explains_nothing_to_whom_it_hid_it(world: World) -> None:
    told = denied(world, "GET", "/models/finance/notes", by="junior")
    assert world.get(f"/decisions/{told['id']}", by="junior").status_code == 404
    assert world.get(f"/decisions/{told['id']}", by="visitor").status_code == 404


def test_what_was_allowed_is_explained_too(world: World) -> None:
    decision = world.get("/decisions?action=model:create&allowed=true").json()["items"][0]
    told = world.get(f"/decisions/{decision['id']}").json()
    assert told["would_be_allowed_if"] == []
    assert (told["today"], [policy["id"] for policy in told["policies"]]) == (
        "allow",
        ["engineer-builds"],
    )


def test_decisions_are_filtered_by_who_what_where_and_when(world: World) -> None:
    clock = world.platform.clock
    assert isinstance(clock, ReplayClock)
    before = clock.now()
    clock.advance_to(before + timedelta(hours=1))
    people = model("other", namespace="people")
    assert world.post("/models", people, by="visitor").status_code == 201
    denied(world, "POST", "/models", model("third"), by="approver")

    def found(**query: Any) -> list[dict[str, Any]]:
        answer = world.ask("GET", "/decisions", by="auditor", params=query | {"limit": 100})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    assert {one["action"] for one in found(principal="visitor")} == {"model:create"}
    assert found(principal="nobody") == []
    assert {one["namespace"] for one in found(namespace="people")} == {"people"}
    assert {one["action"] for one in found(action="model:create")} == {"model:create"}
    assert {one["allowed"] for one in found(allowed=False)} == {False}
    late = found(since=(before + timedelta(minutes=30)).isoformat())
    assert {one["action"] for one in late} == {"model:create"}
    assert [one["allowed"] for one in late] == [False, True]
    assert found(since="2100-01-01T00:00:00Z") == []
    assert world.get("/decisions?since=yesterday", by="auditor").status_code == 422


def test_a_decision_keeps_the_words_of_its_own_rules(world: World) -> None:
    files = forbidding(world.platform, "environment:create")
    digest = put_in_force(world.platform, files)
    body = {"name": "x", "zone": "eu", "clearance_level": "internal"}
    told = denied(world, "POST", "/environments", body, by="admin")
    assert (told["bundle_digest"], told["today"]) == (digest, "deny")
    put_in_force(world.platform, world.platform.rules.files)
    later = world.get(f"/decisions/{told['id']}", by="auditor").json()
    assert [policy["id"] for policy in later["policies"]] == ["closed"]
    assert (later["policies_as_of"], later["today"]) == ("then", "allow")
    assert later["would_be_allowed_if"] == []


def test_what_only_read_is_counted_and_shown_by_the_metrics(world: World) -> None:
    for _ in range(3):
        assert world.get("/models/finance/notes").status_code == 200
    world.platform.rules.tallies.flush(world.platform.database)
    metrics = world.get("//metrics", by="admin").text
    told = 'bailiwick_decisions_last_day{action="model:read",answer="allow"}'
    (line,) = [line for line in metrics.splitlines() if line.startswith(told)]
    assert float(line.rsplit(" ", 1)[1]) >= 3
    assert LABEL["level"] not in metrics
