"""Policy bundles as they are proposed over HTTP: checked, tested, compared, rehearsed."""

from collections.abc import Iterator

import pytest

from bailiwick.lifecycle import Platform
from support.api_bodies import model
from support.api_world import World
from support.policy_bundles import (
    SHIPPED,
    activate,
    edited,
    frozen,
    propose,
    stricter,
    team_of,
)


@pytest.fixture(scope="module")
def world(shared_platform: Platform) -> Iterator[World]:
    """An installation for all tests here."""
    world = team_of(shared_platform)
    yield world
    world.client.close()


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


def test_the_same_files_again_are_the_same_bundle(world: World) -> None:
    first = propose(world, stricter("the_same_files_again_are_"), note="one")
    assert propose(world, stricter("the_same_files_again_are_"), note="two") == first


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
