import json
from typing import Any

import pytest
from sqlalchemy import text

from bailiwick.audit.checkpoint import parse_and_verify
from bailiwick.audit.merkle import verify_consistency, verify_inclusion
from support import api_bodies
from support.api_audit import behind_the_triggers, sequenced
from support.api_world import World

HELD = {"role": "engineer", "namespace": "*", "object": None, "group": None}


def test_everybody_may_read_about_themselves_and_the_rules(world: World) -> None:
    world.join("outsider")
    assert world.get("/me", by="outsider").json()["roles"] == []
    me = world.get("/me").json()
    assert (me["name"], me["roles"]) == ("engineer", [HELD])
    policies = world.get("/policies", by="outsider").json()
    assert {"four-eyes", "no-read-up"} <= {policy["id"] for policy in policies["policies"]}
    assert [tier["name"] for tier in policies["risk_tiers"]] == ["low", "standard", "high"]
    assert world.get("/classifications", by="outsider").json()["levels"][-1] == "restricted"


def test_a_principal_is_made_with_roles_and_comes_in_with_a_token(world: World) -> None:
    body = {
        "name": "ann",
        "kind": "person",
        "clearance_level": "confidential",
        "clearance_compartments": ["finance"],
        "roles": [{"role": "engineer", "namespace": "finance"}],
    }
    made = world.post("/principals", body, by="admin")
    assert made.status_code == 201
    assert made.json()["roles"] == [HELD | {"namespace": "finance"}]
    token = world.post("/tokens", {"principal": "ann", "name": "laptop"}, by="admin").json()
    world.tokens["ann"] = token["token"]
    assert world.get("/me", by="ann").json()["name"] == "ann"
    listed = world.get("/tokens", by="admin").text
    assert token["token"] not in listed
    assert token["id"] in listed


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Not A Slug"},
        {"kind": "robot"},
        {"clearance_level": "cosmic"},
        {"clearance_compartments": ["kitchen"]},
        {"roles": [{"role": "king"}]},
        {"roles": [{"role": "engineer", "namespace": "Not A Slug"}]},
        {"roles": [{"role": "engineer", "namespace": "finance", "object": "jobs/x"}]},
    ],
)
def test_a_principal_of_unknown_words_is_refused(world: World, changes: dict[str, Any]) -> None:
    body = {"name": "ann", "kind": "person"} | changes
    assert world.post("/principals", body, by="admin").status_code == 422
    assert world.get("/principals/ann", by="admin").status_code == 404


def test_a_role_taken_away_is_gone_with_the_next_request(world: World) -> None:
    assert world.post("/models", api_bodies.model()).status_code == 201
    gone = world.ask("DELETE", "/principals/engineer/roles/*/engineer", by="admin")
    assert gone.status_code == 204
    assert world.get("/models").json()["items"] == []
    assert world.get("/models/finance/notes").status_code == 404
    again = world.ask("DELETE", "/principals/engineer/roles/*/engineer", by="admin")
    assert again.status_code == 404


def test_a_disabled_principal_is_nobody_until_accepted_again(world: World) -> None:
    world.post("/principals/engineer/disable", by="admin")
    assert world.get("/me").status_code == 401
    told = world.patch("/principals/engineer", {"disabled": False}, by="admin").json()
    assert told["disabled_at"] is None
    assert world.get("/me").status_code == 200
    told = world.patch("/principals/engineer", {"disabled": True}, by="admin").json()
    assert told["disabled_at"] is not None
    assert world.get("/me").status_code == 401


def test_a_clearance_is_changed_by_somebody_else_who_saw_what_they_change(world: World) -> None:
    known = world.get("/principals/engineer", by="admin")
    seen = {"If-Match": known.headers["ETag"]}
    change = {"clearance_level": "public", "clearance_compartments": []}
    done = world.patch("/principals/engineer", change, by="admin", headers=seen)
    assert (done.json()["clearance_level"], done.json()["clearance_compartments"]) == ("public", [])
    assert done.json()["roles"] == [HELD]
    late = world.patch("/principals/engineer", {"disabled": True}, by="admin", headers=seen)
    assert late.status_code == 412
    assert world.get("/principals/engineer", by="admin").json() == done.json()
    odd = world.patch("/principals/engineer", {"clearance_level": "cosmic"}, by="admin")
    assert odd.status_code == 422
    own = world.patch("/principals/admin", {"clearance_level": "public"}, by="admin")
    assert (own.status_code, own.json()["code"]) == (409, "conflict")
    assert "another administrator" in own.json()["detail"]


def test_what_one_may_see_follows_the_clearance_at_once(world: World) -> None:
    world.post("/models", api_bodies.model())
    assert world.get("/models/finance/notes").status_code == 200
    world.patch("/principals/engineer", {"clearance_level": "internal"}, by="admin")
    assert world.get("/models/finance/notes").status_code == 404
    assert world.get("/models").json()["items"] == []


def test_the_last_administrator_stays(world: World) -> None:
    tries = [
        world.ask("DELETE", "/principals/admin/roles/*/admin", by="admin"),
        world.patch("/principals/admin", {"disabled": True}, by="admin"),
        world.post("/principals/admin/disable", by="admin"),
    ]
    assert {(one.status_code, one.json()["code"]) for one in tries} == {(409, "last-admin")}
    assert "somebody else" in tries[0].json()["detail"]
    world.post("/principals/steward/roles", {"role": "admin"}, by="admin")
    assert world.ask("DELETE", "/principals/admin/roles/*/admin", by="admin").status_code == 204
    assert world.get("/principals", by="admin").status_code == 403


def test_everybody_may_revoke_their_own_token_and_no_other(world: World) -> None:
    mine = world.post("/tokens", {"principal": "engineer", "name": "x"}, by="admin").json()
    theirs = world.post("/tokens", {"principal": "robot", "name": "x"}, by="admin").json()
    assert world.ask("DELETE", f"/tokens/{theirs['id']}", by="engineer").status_code == 404
    assert world.ask("DELETE", f"/tokens/{mine['id']}", by="engineer").status_code == 204
    world.tokens["old"] = mine["token"]
    assert world.get("/me", by="old").status_code == 401


@pytest.mark.parametrize("by", ["engineer", "steward", "approver", "robot", "auditor"])
def test_only_administrators_make_people_tokens_and_environments(world: World, by: str) -> None:
    place = {"name": "new", "zone": "eu", "clearance_level": "internal"}
    tries = [
        world.post("/principals", {"name": "x", "kind": "person"}, by=by),
        world.post("/principals/engineer/roles", {"role": "admin"}, by=by),
        world.post("/tokens", {"principal": "admin", "name": "x"}, by=by),
        world.post("/environments", place, by=by),
    ]
    assert {answer.status_code for answer in tries} <= {403, 404}
    assert world.get("/principals/engineer", by="admin").json()["roles"] == [HELD]


def test_an_administrator_of_a_namespace_is_none_of_the_platform(world: World) -> None:
    world.join("local", "admin", namespace="finance")
    answer = world.post("/principals", {"name": "x", "kind": "person"}, by="local")
    assert answer.status_code in {403, 404}


@pytest.mark.parametrize("by", ["engineer", "steward", "approver", "robot"])
def test_the_log_is_for_auditors(world: World, by: str) -> None:
    for path in ("events", "checkpoint", "verification", "export"):
        assert world.get(f"/audit/{path}", by=by).status_code == 403


def test_events_are_shown_as_they_are_covered_by_the_tree(world: World) -> None:
    waiting = world.get("/audit/events?limit=1", by="auditor").json()["items"][0]
    assert waiting["index"] is None
    sequenced(world.platform)
    made = world.get("/audit/events?action=principal.created&limit=500", by="auditor").json()
    assert {item["event"]["action"] for item in made["items"]} == {"principal.created"}
    assert all(item["index"] is not None for item in made["items"])
    subject = made["items"][0]["event"]["subject"]["id"]
    about = world.get(f"/audit/events?subject_id={subject}", by="auditor").json()["items"]
    assert {item["event"]["subject"]["id"] for item in about} == {subject}


def test_the_checkpoint_and_its_proofs_verify_without_us(world: World) -> None:
    assert world.get("/audit/checkpoint", by="auditor").status_code == 404
    first = sequenced(world.platform)
    assert first is not None
    world.join("later")
    sequenced(world.platform)
    told = world.get("/audit/checkpoint", by="auditor").json()
    signed = parse_and_verify(told["note"], told["vkey"])
    assert (signed.size, signed.root.hex()) == (told["size"], told["root"])
    query = {"index": 3, "size": signed.size}
    proof = world.get("/audit/proofs/inclusion", by="auditor", params=query).json()
    path = [bytes.fromhex(node) for node in proof["path"]]
    leaf = bytes.fromhex(proof["leaf_hash"])
    verify_inclusion(leaf, 3, signed.size, path, signed.root)
    query = {"old_size": first.size, "size": signed.size}
    grown = world.get("/audit/proofs/consistency", by="auditor", params=query).json()
    path = [bytes.fromhex(node) for node in grown["path"]]
    verify_consistency(first.size, first.root, signed.size, signed.root, path)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("inclusion?index=9999&size=10000", 404),
        ("inclusion?index=5&size=5", 422),
        ("inclusion?index=-1&size=5", 422),
        ("consistency?old_size=3&size=2", 422),
        ("consistency?old_size=0&size=2", 422),
    ],
)
def test_proofs_of_what_is_not_there_are_refused(world: World, path: str, status: int) -> None:
    sequenced(world.platform)
    assert world.get(f"/audit/proofs/{path}", by="auditor").status_code == status


def test_an_export_holds_every_event_and_is_itself_recorded(world: World) -> None:
    answer = world.get("/audit/export", by="auditor")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    told = [json.loads(line) for line in answer.text.splitlines()]
    size = world.get("/audit/checkpoint", by="auditor").json()["size"]
    assert len(told) > size
    decisions = world.get("/decisions", by="auditor").json()["items"]
    assert [d["allowed"] for d in decisions if d["action"] == "audit:export"] == [True]


def test_a_log_that_was_tampered_with_says_so(world: World) -> None:
    sequenced(world.platform)
    assert world.get("/audit/verification", by="auditor").json()["ok"] is True
    with behind_the_triggers(world.platform.database.engine) as connection:
        connection.execute(text("UPDATE audit_events SET subject_id = 'forged'"))
    told = world.get("/audit/verification", by="auditor").json()
    assert told["ok"] is False
    assert "index 0" in told["problem"]
