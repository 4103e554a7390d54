"""Groups over HTTP: made, described, mapped, joined, left; what they give comes and goes."""

from support import api_bodies
from support.api_world import World

HELD = {"role": "engineer", "namespace": "finance", "object": None}


def test_a_group_is_made_read_and_changed(world: World) -> None:
    body = {"name": "team", "description": "Card models", "claim": "Cards"}
    made = world.post("/groups", body, by="admin")
    assert made.status_code == 201
    assert {name: made.json()[name] for name in body} == body
    assert (made.json()["roles"], made.json()["members"]) == ([], 0)
    read = world.get("/groups/team", by="auditor")
    assert read.json() == made.json()
    assert world.get("/groups", by="auditor").json()["items"] == [read.json()]
    seen = {"If-Match": read.headers["ETag"]}
    changed = world.patch("/groups/team", {"claim": None}, by="admin", headers=seen).json()
    assert (changed["claim"], changed["description"]) == (None, "Card models")
    late = world.patch("/groups/team", {"description": ""}, by="admin", headers=seen)
    assert late.status_code == 412
    assert world.post("/groups", {"name": "team"}, by="admin").status_code == 409
    assert world.post("/groups", {"name": "No Slug"}, by="admin").status_code == 422
    assert world.patch("/groups/none", {"claim": "x"}, by="admin").status_code == 404


def test_members_hold_what_the_group_gives_for_as_long_as_they_are_in_it(world: World) -> None:
    world.join("gina")
    world.post("/groups", {"name": "team"}, by="admin")
    joined = world.post("/groups/team/members", {"principal": "gina"}, by="admin")
    assert (joined.status_code, joined.json()["source"]) == (201, "manual")
    assert world.post("/models", api_bodies.model(), by="gina").status_code == 404
    given = world.post("/groups/team/roles", HELD | {"object": None}, by="admin").json()
    assert (given["roles"], given["members"]) == ([HELD], 1)
    assert world.post("/models", api_bodies.model(), by="gina").status_code == 201
    own = world.get("/me", by="gina").json()["roles"]
    assert own == [HELD | {"group": "team"}]
    members = world.get("/groups/team/members", by="auditor").json()["items"]
    assert [(member["principal"], member["source"]) for member in members] == [("gina", "manual")]
    left = world.ask("DELETE", "/groups/team/members/gina", by="admin")
    assert left.status_code == 204
    assert world.get("/models/finance/notes", by="gina").status_code == 404
    assert world.get("/groups/team/members", by="admin").json()["items"] == []
    assert world.ask("DELETE", "/groups/team/members/gina", by="admin").status_code == 404
    assert world.post("/groups/team/members", {"principal": "none"}, by="admin").status_code == 404


def test_groups_are_for_administrators_and_are_seen_by_auditors(world: World) -> None:
    world.post("/groups", {"name": "team"}, by="admin")
    for who in ("engineer", "steward", "approver", "robot", "auditor"):
        tries = [
            world.post("/groups", {"name": "mine"}, by=who),
            world.patch("/groups/team", {"claim": "mine"}, by=who),
            world.post("/groups/team/members", {"principal": who}, by=who),
            world.post("/groups/team/roles", {"role": "admin"}, by=who),
        ]
        assert {answer.status_code for answer in tries} == {403 if who == "auditor" else 404}
        seen = world.get("/groups/team", by=who).status_code
        assert seen == (200 if who == "auditor" else 404)
        assert world.get("/groups", by=who).status_code == (200 if who == "auditor" else 403)
    team = world.get("/groups/team", by="admin").json()
    assert (team["members"], team["roles"], team["claim"]) == (0, [], None)


def test_the_last_administrator_is_not_removed_through_a_group(world: World) -> None:
    world.post("/groups", {"name": "admins"}, by="admin")
    world.post("/groups/admins/roles", {"role": "admin"}, by="admin")
    world.post("/groups/admins/members", {"principal": "steward"}, by="admin")
    assert world.ask("DELETE", "/principals/admin/roles/*/admin", by="admin").status_code == 204
    for path in ("/groups/admins/members/steward", "/groups/admins/roles/*/admin"):
        refused = world.ask("DELETE", path, by="steward")
        assert (refused.status_code, refused.json()["code"]) == (409, "last-admin")
    assert world.get("/groups/admins", by="steward").json()["members"] == 1
