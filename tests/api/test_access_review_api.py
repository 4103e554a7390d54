"""The access review over HTTP: as of a moment, with use, paged, and as CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

from bailiwick.core.clock import ReplayClock
from bailiwick.core.ids import new_id
from bailiwick.policy.tables import DecisionCount
from support import api_bodies
from support.api_world import World


def review(world: World, **query: Any) -> dict[str, Any]:
    """The report as the auditor reads it."""
    answer = world.get("/access-review", by="auditor", params={"limit": 500} | query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def held(told: dict[str, Any], who: str) -> list[tuple[str, str, str | None, bool]]:
    """What one principal held, in short."""
    return [
        (row["role"], row["namespace"], row["group"], row["disabled"])
        for row in told["items"]
        if row["principal"] == who
    ]


def test_the_report_answers_for_any_moment(world: World, clock: ReplayClock) -> None:
    start = clock.now()

    def day(number: int) -> str:
        return (start + timedelta(days=number)).isoformat()

    def next_day() -> None:
        clock.advance_to(clock.now() + timedelta(days=1))

    world.post("/groups", {"name": "team"}, by="admin")
    world.post("/groups/team/roles", {"role": "steward", "namespace": "finance"}, by="admin")
    next_day()
    world.post("/groups/team/members", {"principal": "engineer"}, by="admin")
    next_day()
    world.ask("DELETE", "/principals/engineer/roles/*/engineer", by="admin")
    world.patch("/principals/engineer", {"clearance_level": "public"}, by="admin")
    next_day()
    world.ask("DELETE", "/groups/team/members/engineer", by="admin")
    world.post("/principals/robot/disable", by="admin")
    next_day()
    world.patch("/principals/robot", {"disabled": False}, by="admin")
    own, through = ("engineer", "*", None, False), ("steward", "finance", "team", False)
    story = {number: held(review(world, at=day(number)), "engineer") for number in range(5)}
    assert story == {0: [own], 1: [own, through], 2: [through], 3: [], 4: []}
    levels = {
        number: {
            row["clearance_level"]
            for row in review(world, at=day(number))["items"]
            if row["principal"] == "engineer"
        }
        for number in (1, 2)
    }
    assert levels == {1: {"restricted"}, 2: {"public"}}
    robot = {n: held(review(world, at=day(n)), "robot")[0][3] for n in (2, 3, 4)}
    assert robot == {2: False, 3: True, 4: False}
    ahead = world.get("/access-review", by="auditor", params={"at": day(9)})
    assert ahead.status_code == 422
    assert review(world, at=(start - timedelta(days=1)).isoformat())["items"] == []


def test_use_is_what_the_policy_allowed_there(world: World, clock: ReplayClock) -> None:
    world.join("finn", "engineer", namespace="finance")
    body = {"role": "engineer", "namespace": "people"}
    world.post("/principals/finn/roles", body, by="admin")
    world.post("/models", api_bodies.model("notes"), by="finn")
    world.post("/models", api_bodies.model("notes", namespace="legal"), by="finn")  # denied
    hour = datetime(2026, 1, 5, 7, tzinfo=UTC)
    with world.platform.database.transaction() as session:
        for number, namespace in enumerate(("finance", "people", "people")):
            session.add(
                DecisionCount(
                    id=new_id(),
                    principal_id=world.principals["finn"].id,
                    action="model:read",
                    resource_type="Model",
                    resource_id=str(number),
                    namespace=namespace,
                    bundle_digest="0" * 64,
                    hour=hour,
                    allowed=10,
                )
            )
    rows = {row["namespace"]: row for row in review(world)["items"] if row["principal"] == "finn"}
    assert {name: row["uses"] for name, row in rows.items()} == {"finance": 11, "people": 20}
    assert rows["finance"]["last_used_at"] == clock.now().isoformat().replace("+00:00", "Z")
    assert rows["people"]["last_used_at"] == "2026-01-05T07:00:00Z"
    assert rows["finance"]["token_last_used_at"] is not None
    assert rows["finance"]["granted_by"] == "root"
    everywhere = [row for row in review(world)["items"] if row["principal"] == "admin"]
    assert [row["uses"] for row in everywhere] == [1]
    before = review(world, at=(hour - timedelta(hours=1)).isoformat())
    assert before["items"] == []


def test_a_namespace_shows_those_who_can_act_there(world: World) -> None:
    world.join("finn", "engineer", namespace="finance").join("pia", "steward", namespace="people")
    there = review(world, namespace="finance")["items"]
    assert {row["namespace"] for row in there} == {"finance", "*"}
    assert {"finn", "admin"} <= {row["principal"] for row in there}
    assert "pia" not in {row["principal"] for row in there}


def test_pages_are_about_one_moment_and_join_to_the_whole(world: World, clock: ReplayClock) -> None:
    whole = review(world)
    first = review(world, limit=2)
    clock.advance_to(clock.now() + timedelta(days=1))
    world.ask("DELETE", "/principals/steward/roles/*/steward", by="admin")
    found, cursor = list(first["items"]), first["next_cursor"]
    while cursor:
        page = review(world, limit=2, cursor=cursor)
        assert page["at"] == first["at"]
        found += page["items"]
        cursor = page["next_cursor"]
    names = [(row["principal"], row["role"]) for row in found]
    assert names == [(row["principal"], row["role"]) for row in whole["items"]]
    assert len(names) == 6
    for wrong in ("x", "AAAA", "!" * 54, "A" * 54):
        answer = world.get("/access-review", by="auditor", params={"cursor": wrong})
        assert answer.status_code in {200, 422}
        assert answer.json().get("items", []) == []


def test_the_whole_report_is_had_as_csv(world: World) -> None:
    rows = review(world)["items"]
    asked = [
        world.get("/access-review", by="auditor", params={"format": "csv", "limit": 1}),
        world.get("/access-review", by="auditor", headers={"Accept": "text/csv"}),
    ]
    for answer in asked:
        assert answer.headers["Content-Type"].startswith("text/csv")
        lines = list(csv.DictReader(io.StringIO(answer.text)))
        assert [line["principal"] for line in lines] == [row["principal"] for row in rows]
        assert set(lines[0]) == set(rows[0])
        assert lines[0]["clearance_compartments"] == "finance"
    as_json = world.get("/access-review?format=json", by="auditor", headers={"Accept": "text/csv"})
    assert as_json.headers["Content-Type"] == "application/json"


def test_the_report_is_for_administrators_and_auditors(world: World) -> None:
    for who in ("engineer", "steward", "approver", "robot"):
        assert world.get("/access-review", by=who).status_code == 403
    assert world.get("/access-review", by="admin").status_code == 200
