"""Tokens over HTTP: narrow, ending, never a way to more than one has."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bailiwick.core.clock import ReplayClock
from support import api_bodies
from support.api_world import World


def make(world: World, *, by: str = "admin", known: str = "made", **body: Any) -> Any:
    """The answer to POST /tokens; whoever `known` is holds the token from now on."""
    answer = world.post("/tokens", {"principal": "engineer", "name": "x"} | body, by=by)
    if answer.is_success:
        world.tokens[known] = answer.json()["token"]
    return answer


def test_a_token_does_what_it_is_for_where_it_is_for(world: World) -> None:
    for namespace in ("finance", "people"):
        world.post("/models", api_bodies.model("notes", namespace=namespace))
    make(world, scopes=["read"], namespaces=["finance"])
    assert [m["namespace"] for m in world.get("/models", by="made").json()["items"]] == ["finance"]
    assert world.get("/models/finance/notes", by="made").status_code == 200
    assert world.get("/models/people/notes", by="made").status_code == 404
    denied = world.patch("/models/finance/notes", {"description": "x"}, by="made")
    assert (denied.status_code, denied.json()["policies"]) == (403, ["token-scope"])
    me = world.get("/me", by="made").json()
    assert (me["token"]["scopes"], me["token"]["namespaces"]) == (["read"], ["finance"])
    assert world.get("/me").json()["token"]["scopes"] is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"scopes": ["fly"]}, "scopes are"),
        ({"scopes": []}, "for nothing"),
        ({"namespaces": ["No Slug"]}, "namespaces"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expired already"),
    ],
)
def test_a_token_for_nothing_sensible_is_refused(
    world: World, asked: dict[str, Any], said: str
) -> None:
    answer = make(world, **asked)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_narrow_token_makes_no_wider_one_for_anybody(world: World) -> None:
    world.join("second", "admin")
    end = (world.platform.clock.now() + timedelta(days=2)).isoformat()
    narrow: dict[str, Any] = {"principal": "admin", "scopes": ["administer"], "expires_at": end}
    assert make(world, known="narrow", **narrow).status_code == 201
    for wider in (
        {},
        {"scopes": ["administer", "read"]},
        {"scopes": ["approve"], "principal": "approver"},
        {"scopes": None, "principal": "second"},
        {"scopes": ["administer"], "expires_at": None},
    ):
        answer = make(world, by="narrow", **({"principal": "admin"} | wider))
        assert (answer.status_code, answer.json()["code"]) == (403, "wider-token"), wider
    again = make(world, by="narrow", known="again", **narrow)
    assert again.status_code == 201
    world.post("/models", api_bodies.model())
    assert world.get("/models", by="again").json()["items"] == []
    assert world.get("/models/finance/notes", by="again").status_code == 404
    assert world.get("/principals", by="again").status_code == 403


def test_a_narrow_token_gives_nobody_a_password(world: World) -> None:
    make(world, known="narrow", principal="admin", scopes=["administer"])
    body = {"new_password": "a long and winding word"}
    for name in ("admin", "approver"):
        answer = world.post(f"/principals/{name}/password", body, by="narrow")
        assert (answer.status_code, answer.json()["code"]) == (403, "wider-token")


def test_a_token_of_one_namespace_administers_nothing(world: World) -> None:
    make(world, known="local", principal="admin", namespaces=["finance"])
    assert make(world, by="local", principal="admin", namespaces=["finance"]).status_code == 404
    assert world.post("/principals", {"name": "x", "kind": "person"}, by="local").status_code == 404


def test_tokens_end_by_themselves_unless_told_otherwise(world: World) -> None:
    now = world.platform.clock.now()
    usual = make(world).json()
    assert usual["expires_at"] == (now + timedelta(days=90)).isoformat().replace("+00:00", "Z")
    assert usual["created_by"] == str(world.principals["admin"].id)
    assert make(world, expires_at=None).json()["expires_at"] is None


def test_an_installation_can_limit_how_long_tokens_live(world: World) -> None:
    settings = world.platform.settings.model_copy(update={"token_max_days": 7})
    world.app.state.platform = replace(world.platform, settings=settings)
    now = world.platform.clock.now()
    for asked in (None, (now + timedelta(days=8)).isoformat()):
        refused = make(world, expires_at=asked)
        assert refused.status_code == 422
        assert "BAILIWICK_TOKEN_MAX_DAYS" in refused.json()["detail"]
    usual = make(world).json()["expires_at"]
    assert usual == (now + timedelta(days=7)).isoformat().replace("+00:00", "Z")


def test_a_token_ends_when_it_is_revoked_or_over_and_the_list_says_so(
    world: World, clock: ReplayClock
) -> None:
    soon = (clock.now() + timedelta(days=1)).isoformat()
    ids = {
        "over": make(world, known="over", expires_at=soon).json()["id"],
        "gone": make(world, known="gone").json()["id"],
        "kept": make(world, known="kept").json()["id"],
    }
    assert world.get("/me", by="gone").status_code == 200
    assert world.ask("DELETE", f"/tokens/{ids['gone']}", by="admin").status_code == 204
    assert world.get("/me", by="gone").status_code == 401
    clock.advance_to(clock.now() + timedelta(days=1))
    assert world.get("/me", by="over").status_code == 401
    assert world.get("/me", by="kept").status_code == 200

    def listed(**query: str) -> set[str]:
        query = {"principal": "engineer"} | query
        items = world.get("/tokens", by="admin", params=query).json()["items"]
        return {item["id"] for item in items} & set(ids.values())

    assert listed(state="revoked") == {ids["gone"]}
    assert listed(state="expired") == {ids["over"]}
    assert listed(state="in-force") == {ids["kept"]}
    assert listed() == set(ids.values())
    assert listed(principal="robot") == set()
    unused = listed(unused_since=(clock.now() - timedelta(hours=1)).isoformat())
    assert unused == {ids["over"], ids["gone"]}
