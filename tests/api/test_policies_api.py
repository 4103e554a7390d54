"""The life of a policy bundle over HTTP: approved, in force, followed, rolled back."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.bundle_checks import check_bundle
from bailiwick.policy import Decision, PolicyBundle, standing
from bailiwick.registry import Breach
from support.api_audit import behind_the_triggers
from support.api_world import World
from support.policy_bundles import (
    ONLY_IN_GERMANY,
    SHIPPED,
    activate,
    another_process,
    approve,
    bring_into_force,
    edited,
    frozen,
    propose,
    stricter,
    team_of,
)


@pytest.fixture(scope="module")
def team(shared_platform: Platform) -> Iterator[World]:
    """An installation for all tests here: people with roles everywhere."""
    world = team_of(shared_platform)
    yield world
    world.client.close()


@pytest.fixture
def world(team: World) -> Iterator[World]:
    """The same; afterwards the shipped rules are in force again."""
    yield team
    shipped = team.platform.rulesets.shipped.rules.digest
    if team.get("/policies").json()["digest"] != shipped:
        body = {"reason": "the test is over", "digest": shipped}
        assert team.post("/policies/rollback", body, by="admin").status_code == 200


def test_a_bundle_that_was_approved_comes_into_force_at_once_and_can_be_rolled_back(
    world: World,
) -> None:
    shipped = world.get("/policies").json()
    digest = bring_into_force(world, stricter("life"))
    refused = world.post("/models", frozen("second"))
    assert (refused.status_code, refused.json()["policies"]) == (403, ["frozen"])
    decision = world.get(f"/decisions/{refused.json()['decision']}").json()
    assert decision["bundle_digest"] == digest
    in_force = world.get("/policies").json()
    assert (in_force["digest"], in_force["since"]) == (digest, decision["at"])
    back = world.post("/policies/rollback", {"reason": "too strict"}, by="admin")
    assert back.json()["new_digest"] == shipped["digest"]
    assert world.post("/models", frozen("second")).status_code == 201
    listed = world.get("/policies/bundles").json()["items"]
    states = {one["digest"]: one["state"] for one in listed}
    assert (states[digest], states[shipped["digest"]]) == ("was in force", "in force")


def test_each_step_leaves_its_event(world: World) -> None:
    digest = bring_into_force(world, stricter("events"))
    world.post("/policies/rollback", {"reason": "back"}, by="admin")
    events = world.get("/audit/events?limit=100", by="auditor").json()["items"]
    told = [one["event"] for one in events if one["event"]["subject"]["type"] == "policy-bundle"]
    back, activated, proposed = told[:3]
    assert (proposed["action"], proposed["details"]["digest"]) == ("bundle.proposed", digest)
    assert activated["action"] == back["action"] == "bundle.activated"
    assert activated["details"]["new"] == back["details"]["old"] == digest
    assert back["details"]["number"] == activated["details"]["number"] + 1


def test_an_activation_finds_what_is_out_of_policy_since_and_a_rollback_ends_it(
    platform: Platform,
) -> None:
    world = team_of(platform)
    deployment = world.running()
    files = {**SHIPPED, "duties.cedar": SHIPPED["duties.cedar"] + ONLY_IN_GERMANY}
    digest = propose(world, files)["digest"]
    approve(world, digest)
    answer = activate(world, digest)
    assert answer.status_code == 200, answer.text

    def breaches() -> list[tuple[Any, list[str], bool]]:
        with platform.database.reading() as session:
            return [
                (breach.deployment_id, breach.policy_ids, breach.resolved_at is None)
                for breach in session.scalars(select(Breach))
            ]

    assert breaches() == [(deployment.id, ["only-in-germany"], True)]
    assert world.post("/policies/rollback", {"reason": "x"}, by="admin").status_code == 200
    assert breaches() == [(deployment.id, ["only-in-germany"], False)]
    world.client.close()


def test_nobody_activates_what_nobody_else_has_approved(world: World) -> None:
    digest = propose(world, stricter("nobody_activates_what_nob"))["digest"]
    refused = activate(world, digest)
    assert refused.status_code == 403
    assert refused.json()["policies"] == ["bundle-needs-approvals"]


def test_who_proposed_it_does_not_approve_it_whoever_asked(world: World) -> None:
    world.join("both", "steward", "approver")
    answer = world.post(
        "/policies/bundles", {"files": stricter("who_proposed_it_does_not_")}, by="both"
    )
    digest = answer.json()["digest"]
    asked = world.post(f"/policies/bundles/{digest}/approval", by="steward").json()
    refused = world.post(f"/approvals/{asked['id']}/decide", {"approve": True}, by="both")
    assert refused.status_code == 403
    assert refused.json()["policies"] == ["four-eyes"]


def test_a_word_that_came_into_use_since_the_checks_stops_the_activation(world: World) -> None:
    fewer = edited("classification.yaml", "  legal: Privileged", "  law: Privileged")
    digest = propose(world, fewer)["digest"]
    approve(world, digest)
    world.join("lawyer", "engineer")
    with world.platform.database.transaction() as session:
        lawyer = session.merge(world.principals["lawyer"])
        lawyer.clearance_compartments = ["finance", "legal"]
    refused = activate(world, digest)
    assert refused.status_code == 403
    assert refused.json()["policies"] == ["bundle-needs-checks"]


def test_activating_what_is_in_force_changes_nothing(world: World) -> None:
    digest = bring_into_force(world, stricter("activating_what_is_in_for"))
    again = activate(world, digest)
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "these policies are in force already",
    )


def test_only_what_has_been_in_force_is_brought_back(world: World) -> None:
    bring_into_force(world, stricter("brought back"))
    other = propose(world, stricter("never in force"))["digest"]
    refused = world.post("/policies/rollback", {"reason": "x", "digest": other}, by="admin")
    assert refused.json()["policies"] == ["rollback-to-what-was"]
    unknown = world.post("/policies/rollback", {"reason": "x", "digest": "0" * 64}, by="admin")
    assert unknown.json()["policies"] == ["rollback-to-what-was"]


def test_another_process_follows_at_its_next_request(world: World) -> None:
    with another_process(world) as other:
        assert other.post("/models", frozen("first")).status_code == 201
        digest = bring_into_force(world, stricter("two processes"))
        assert other.post("/models", frozen("third")).json()["policies"] == ["frozen"]
        assert other.get("/policies").json()["digest"] == digest
        other.post("/policies/rollback", {"reason": "back"}, by="admin")
        assert world.post("/models", frozen("third")).status_code == 201


def test_nothing_is_brought_back_before_anything_was_activated(platform: Platform) -> None:
    fresh = World(platform).join("admin", "admin")
    answer = fresh.post("/policies/rollback", {"reason": "x"}, by="admin")
    assert answer.status_code == 409
    assert "nothing to go back to" in answer.json()["detail"]
    fresh.client.close()


def test_a_request_ends_under_the_rules_with_which_it_began(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other rules come into force while a request reads its checks' answers."""
    began = world.get("/policies").json()["digest"]
    digest = propose(world, stricter("a_request_ends_under_the_"))["digest"]
    approve(world, digest)
    really = check_bundle

    def meanwhile(*given: Any, **named: Any) -> Any:
        assert activate(world, digest, by="admin").status_code == 200
        return really(*given, **named)

    monkeypatch.setattr("bailiwick.api.policies.check_bundle", meanwhile)
    propose(world, edited("roles.cedar", "Engineers define", "They define"))
    with world.platform.database.reading() as session:
        proposals = select(Decision).where(Decision.action == "bundle:propose")
        newest = session.scalars(proposals.order_by(Decision.id.desc())).first()
        now = standing(session)
    assert now is not None
    assert newest is not None
    assert (now.digest, newest.bundle_digest) == (digest, began)


def test_a_bundle_that_this_version_cannot_load_allows_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_into_force(world, stricter("newer"))

    def of(_: object) -> None:
        raise Invalid("roles.cedar does not fit.")

    with another_process(world) as older, monkeypatch.context() as patched:
        patched.setattr("bailiwick.lifecycle.rulesets.Ruleset.of", of)
        answer = older.get("/me")
        assert world.get("/me").status_code == 200  # had loaded it before
    assert answer.status_code == 503
    assert "cannot be loaded by this version" in answer.json()["detail"]


def test_a_bundle_that_was_changed_behind_our_back_allows_nothing(platform: Platform) -> None:
    world = team_of(platform)
    digest = bring_into_force(world, stricter("forged"))
    table = PolicyBundle.metadata.tables[PolicyBundle.__tablename__]
    forged = {**stricter("forged"), "duties.cedar": ""}
    with behind_the_triggers(platform.database.engine) as connection:
        connection.execute(table.update().where(table.c.digest == digest).values(files=forged))
    with another_process(world) as other:
        answer = other.get("/me")
    assert answer.status_code == 503
    assert "other contents than were activated" in answer.json()["detail"]
    world.client.close()
