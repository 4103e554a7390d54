"""The life of a policy bundle over HTTP: proposed, checked, approved, in force, rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import Platform, open_platform
from bailiwick.lifecycle.bundle_checks import check_bundle
from bailiwick.policy import Decision, PolicyBundle, read_bundle, standing
from bailiwick.registry import Breach
from support.api_audit import behind_the_triggers
from support.api_bodies import model
from support.api_world import World

SHIPPED = {
    name: content.decode()
    for name, content in read_bundle(Path(__file__).parents[2] / "policies").items()
}


def edited(file: str, old: str, new: str, *, where: dict[str, str] | None = None) -> dict[str, str]:
    """A bundle with one text replaced."""
    files = where or SHIPPED
    assert old in files[file]
    return {**files, file: files[file].replace(old, new, 1)}


FROZEN = """
@id("frozen")
@reason("Nothing new is made in this namespace: use what there is.")
forbid (principal, action == Action::"model:create", resource)
when { resource has namespace && resource.namespace == "frozen" };
"""
ONLY_IN_GERMANY = """
@id("only-in-germany")
@reason("What is confidential runs in Germany: choose an environment there.")
forbid (principal, action == Action::"deployment:serve", resource)
when { context.environment_level == 2 && context.purpose == "accounting" }
unless { context.environment_zones.containsAny(["de", "us"]) };
"""
CASE = """
- it: nothing new is made in a frozen namespace
  who: ada
  action: model:create
  what: {type: Model, namespace: frozen}
  expect: deny
  by: [frozen]
"""


def stricter(tag: str) -> dict[str, str]:
    """The shipped bundle with a policy more and a case for it; another bundle for each tag."""
    return {
        **SHIPPED,
        "duties.cedar": f"// {tag}\n{SHIPPED['duties.cedar']}{FROZEN}",
        "tests/duties.yaml": SHIPPED["tests/duties.yaml"] + CASE,
    }


def frozen(name: str) -> dict[str, Any]:
    return model(name, namespace="frozen")


@pytest.fixture(scope="module")
def team(shared_platform: Platform) -> Iterator[World]:
    """An installation for all tests here: people with roles everywhere."""
    world = World(shared_platform)
    for role in ("engineer", "approver", "auditor", "steward", "admin"):
        world.join(role, role)
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


def propose(world: World, files: dict[str, str], **more: Any) -> dict[str, Any]:
    answer = world.post("/policies/bundles", {"files": files, **more}, by="steward")
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def approve(world: World, digest: str) -> None:
    asked = world.post(f"/policies/bundles/{digest}/approval", by="steward")
    assert asked.status_code == 201, asked.text
    decided = world.post(
        f"/approvals/{asked.json()['id']}/decide", {"approve": True}, by="approver"
    )
    assert decided.json()["state"] == "approved", decided.text


def activate(world: World, digest: str, *, by: str = "steward") -> Any:
    return world.post(f"/policies/bundles/{digest}/activate", {"reason": "decided"}, by=by)


def put_in_force(world: World, files: dict[str, str]) -> str:
    digest: str = propose(world, files)["digest"]
    approve(world, digest)
    assert activate(world, digest).status_code == 200
    return digest


@contextmanager
def another_process(world: World) -> Iterator[World]:
    """The same installation as another process sees it."""
    opened = open_platform(world.platform.settings, world.platform.clock)
    other = World(opened, tokens=world.tokens, principals=world.principals)
    yield other
    other.client.close()
    opened.close()


def test_a_bundle_that_was_approved_comes_into_force_at_once_and_can_be_rolled_back(
    world: World,
) -> None:
    shipped = world.get("/policies").json()
    digest = put_in_force(world, stricter("life"))
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
    digest = put_in_force(world, stricter("events"))
    world.post("/policies/rollback", {"reason": "back"}, by="admin")
    events = world.get("/audit/events?limit=100", by="auditor").json()["items"]
    told = [one["event"] for one in events if one["event"]["subject"]["type"] == "policy-bundle"]
    back, activated, proposed = told[:3]
    assert (proposed["action"], proposed["details"]["digest"]) == ("bundle.proposed", digest)
    assert activated["action"] == back["action"] == "bundle.activated"
    assert activated["details"]["new"] == back["details"]["old"] == digest
    assert back["details"]["number"] == activated["details"]["number"] + 1


def test_the_report_says_which_recorded_decisions_would_change(world: World) -> None:
    for name in ("one", "two"):
        assert world.post("/models", frozen(f"report-{name}")).status_code == 201
    assert world.post("/models", frozen("report-three"), by="approver").status_code == 403
    report = propose(world, stricter("report"), last=3)["checks"]
    assert (report["faults"], report["failed_tests"]) == ([], [])
    run = report["dry_run"]
    assert (run["asked"], run["now_denied"], run["now_allowed"]) == (3, 2, 0)
    (change,) = run["changes"]
    assert (change["answer"], change["action"], change["count"]) == ("deny", "model:create", 2)
    assert (change["before"], change["after"]) == (["engineer-builds"], ["frozen"])
    decisions = [world.get(f"/decisions/{identifier}").json() for identifier in change["decisions"]]
    told = {decision["resource_id"] for decision in decisions}
    assert told == {"frozen/report-one", "frozen/report-two"}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (edited("roles.cedar", "permit (", "permits ("), "roles.cedar does not fit"),
        (edited("gates.yaml", "approvals: 1", "approvals: one"), "gates.yaml"),
        (
            edited("classification.yaml", "  finance: Ledgers", "  ledgers: Ledgers"),
            "the compartment 'finance' is in use",
        ),
        (
            edited("bailiwick.cedarschema", 'action "search:run", ', "action "),
            "must declare the action search:run",
        ),
        (
            edited("duties.cedar", "unless { context.was_active };", ";"),
            "nobody who is active could undo it",
        ),
    ],
    ids=["syntax", "gates", "words", "actions", "locked out"],
)
def test_a_bundle_that_cannot_be_used_is_kept_with_its_faults_and_never_comes_into_force(
    world: World, files: dict[str, str], says: str
) -> None:
    world.post("/models", model())  # its label uses the compartment
    proposed = propose(world, files)
    assert not proposed["passed"]
    assert any(says in fault for fault in proposed["checks"]["faults"]), proposed["checks"]
    address = f"/policies/bundles/{proposed['digest']}"
    assert world.post(f"{address}/approval", by="steward").status_code == 409
    refused = activate(world, proposed["digest"], by="admin")
    assert refused.status_code == 403
    assert "bundle-needs-checks" in refused.json()["policies"]


def test_a_bundle_whose_own_tests_fail_is_not_put_in_force(world: World) -> None:
    files = edited("duties.cedar", 'principal.kind == "person"', "true")
    proposed = propose(world, files)
    assert proposed["checks"]["faults"] == []
    (failure,) = proposed["checks"]["failed_tests"]
    assert "a service never decides" in failure
    assert activate(world, proposed["digest"]).status_code == 403


def test_an_activation_finds_what_is_out_of_policy_since_and_a_rollback_ends_it(
    platform: Platform,
) -> None:
    world = World(platform)
    for role in ("steward", "admin", "approver"):
        world.join(role, role)
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


def test_the_same_files_again_are_the_same_bundle(world: World) -> None:
    first = propose(world, stricter("the_same_files_again_are_"), note="one")
    assert propose(world, stricter("the_same_files_again_are_"), note="two") == first


def test_activating_what_is_in_force_changes_nothing(world: World) -> None:
    digest = put_in_force(world, stricter("activating_what_is_in_for"))
    again = activate(world, digest)
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "these policies are in force already",
    )


def test_only_what_has_been_in_force_is_brought_back(world: World) -> None:
    put_in_force(world, stricter("brought back"))
    other = propose(world, stricter("never in force"))["digest"]
    refused = world.post("/policies/rollback", {"reason": "x", "digest": other}, by="admin")
    assert refused.json()["policies"] == ["rollback-to-what-was"]
    unknown = world.post("/policies/rollback", {"reason": "x", "digest": "0" * 64}, by="admin")
    assert unknown.json()["policies"] == ["rollback-to-what-was"]


def test_the_difference_names_policies_words_and_tests(world: World) -> None:
    files = edited(
        "classification.yaml",
        "zones:\n",
        "zones:\n  moon:\n",
        where=stricter("the_difference_names_poli"),
    )
    digest = propose(world, files)["digest"]
    told = world.get(f"/policies/bundles/{digest}/diff").json()
    assert list(told["policies"]["added"]) == ["frozen"]
    assert told["policies"]["removed"] == told["policies"]["changed"] == {}
    assert list(told["words"]["zones"]["added"]) == ["moon"]
    assert told["tests"]["added"] == [
        "tests/duties.yaml: nothing new is made in a frozen namespace"
    ]
    other = world.get(f"/policies/bundles/{digest}/diff?against={digest}").json()
    assert other["policies"]["added"] == {}


def test_a_dry_run_keeps_nothing(world: World) -> None:
    assert world.post("/models", frozen("dry")).status_code == 201
    before = world.get("/policies/bundles").json()["items"]
    body = {"files": stricter("dry run"), "last": 1}
    told = world.post("/policies/dry-run", body, by="steward").json()
    assert told["dry_run"]["now_denied"] == 1
    assert list(told["diff"]["policies"]["added"]) == ["frozen"]
    assert world.get("/policies/bundles").json()["items"] == before
    broken = {"files": {"a.cedar": "x"}}
    assert world.post("/policies/dry-run", broken, by="steward").status_code == 422
    assert world.post("/policies/dry-run", body).status_code == 403


@pytest.mark.parametrize("name", ["../a.cedar", "a.py", "tests/deep/a.yaml", ".a.yaml", ""])
def test_a_file_that_no_bundle_has_is_refused(world: World, name: str) -> None:
    body = {"files": {**SHIPPED, name: "x"}}
    assert world.post("/policies/bundles", body, by="steward").status_code == 422


def test_another_process_follows_at_its_next_request(world: World) -> None:
    with another_process(world) as other:
        assert other.post("/models", frozen("first")).status_code == 201
        digest = put_in_force(world, stricter("two processes"))
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
    put_in_force(world, stricter("newer"))

    def of(_: object) -> None:
        raise Invalid("roles.cedar does not fit.")

    with another_process(world) as older, monkeypatch.context() as patched:
        patched.setattr("bailiwick.lifecycle.rulesets.Ruleset.of", of)
        answer = older.get("/me")
        assert world.get("/me").status_code == 200  # had loaded it before
    assert answer.status_code == 503
    assert "cannot be loaded by this version" in answer.json()["detail"]


def test_a_bundle_that_was_changed_behind_our_back_allows_nothing(platform: Platform) -> None:
    world = World(platform)
    for role in ("engineer", "approver", "steward", "admin"):
        world.join(role, role)
    digest = put_in_force(world, stricter("forged"))
    table = PolicyBundle.metadata.tables[PolicyBundle.__tablename__]
    forged = {**stricter("forged"), "duties.cedar": ""}
    with behind_the_triggers(platform.database.engine) as connection:
        connection.execute(table.update().where(table.c.digest == digest).values(files=forged))
    with another_process(world) as other:
        answer = other.get("/me")
    assert answer.status_code == 503
    assert "other contents than were activated" in answer.json()["detail"]
    world.client.close()
