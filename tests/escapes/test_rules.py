"""Ways to change the rules themselves, alone or unnoticed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bailiwick.lifecycle import Platform
from bailiwick.policy import read_bundle
from support.api_world import World
from support.escapes import denied_by, founded, label_of, made

SHIPPED = {
    name: content.decode()
    for name, content in read_bundle(Path(__file__).parents[2] / "policies").items()
}
READ_ALL = """
@id("everybody-reads")
@reason("Everybody may read what is recorded.")
permit (principal, action in Action::"read", resource);
"""
NO_READ_UP = SHIPPED["classification.cedar"].partition('@id("no-read-up")')[2].partition("\n@id")[0]


def bundle(tag: str, **changed: str) -> dict[str, str]:
    """The shipped files, some of them changed; another bundle for each tag."""
    files = SHIPPED | {name.replace("__", "/"): text for name, text in changed.items()}
    return files | {"duties.cedar": f"// {tag}\n{files['duties.cedar']}"}


def untested(files: dict[str, str]) -> dict[str, str]:
    """The same without the cases that would speak against it."""
    kept = {name: text for name, text in files.items() if not name.startswith("tests/")}
    cast = SHIPPED["tests/cast.yaml"]
    case = """
- it: whoever is signed in may read the rules
  who: guest
  action: policy:read
  what: {type: Platform}
  expect: allow
  by: [signed-in]
"""
    needed = {name: SHIPPED[name] for name in ("tests/fitting.yaml", "tests/roles.yaml")}
    return kept | needed | {"tests/cast.yaml": cast, "tests/duties.yaml": case}


def without_no_read_up() -> dict[str, str]:
    """The lattice with its first rule cut out."""
    text = SHIPPED["classification.cedar"].replace(f'@id("no-read-up"){NO_READ_UP}', "")
    assert "no-read-up" not in text
    return {"classification.cedar": text}


@pytest.fixture(scope="module")
def harmless(council: World) -> str:
    """A bundle that passes its checks and that somebody has approved."""
    digest: str = proposed(council, bundle("harmless"))["digest"]
    asked = council.post(f"/policies/bundles/{digest}/approval", by="steward").json()
    council.post(f"/approvals/{asked['id']}/decide", {"approve": True}, by="approver")
    return digest


@pytest.fixture(scope="module")
def own(council: World) -> str:
    """A bundle that passes its checks, proposed by somebody who also approves."""
    digest: str = proposed(council, bundle("own"), by="both")["digest"]
    return digest


@pytest.fixture(scope="module")
def council(shared_platform: Platform) -> Iterator[World]:
    """Stewards of everything and of one namespace, and something that a junior may not see."""
    world = founded(shared_platform)
    world.join("admin", "admin").join("both", "steward", "approver")
    world.join("local", "steward", "approver", namespace="finance")
    world.join("junior", "engineer", clearance="internal")
    made(world, "/models", "finance/secret", label=label_of("restricted"))
    yield world
    shipped = world.platform.rulesets.shipped.rules.digest
    if world.get("/policies").json()["digest"] != shipped:
        world.post("/policies/rollback", {"reason": "over", "digest": shipped}, by="admin")
    world.client.close()


def proposed(world: World, files: dict[str, str], *, by: str = "steward") -> Any:
    answer = world.post("/policies/bundles", {"files": files}, by=by)
    assert answer.status_code == 201, answer.text
    return answer.json()


def activate(world: World, digest: str, *, by: str = "steward") -> Any:
    return world.post(f"/policies/bundles/{digest}/activate", {"reason": "x"}, by=by)


def in_force(world: World) -> str:
    digest: str = world.get("/policies").json()["digest"]
    return digest


def test_putting_rules_in_force_that_nobody_has_approved(council: World, own: str) -> None:
    before = in_force(council)
    for by in ("steward", "admin", "both"):
        assert denied_by(activate(council, own, by=by)) == ["bundle-needs-approvals"]
    assert in_force(council) == before


def test_approving_rules_that_one_has_proposed(council: World, own: str) -> None:
    for asking in ("both", "steward"):
        asked = council.post(f"/policies/bundles/{own}/approval", by=asking).json()
        path = f"/approvals/{asked['id']}/decide"
        assert denied_by(council.post(path, {"approve": True}, by="both")) == ["four-eyes"]
    assert denied_by(activate(council, own, by="both")) == ["bundle-needs-approvals"]


def test_an_approval_of_other_rules(council: World, harmless: str, own: str) -> None:
    assert harmless != own
    assert denied_by(activate(council, own)) == ["bundle-needs-approvals"]


def test_changing_the_rules_from_a_namespace(council: World, harmless: str, own: str) -> None:
    answer = council.post("/policies/bundles", {"files": bundle("local")}, by="local")
    assert answer.status_code in {403, 404}
    asked = council.post(f"/policies/bundles/{own}/approval", by="steward").json()
    path = f"/approvals/{asked['id']}/decide"
    assert council.post(path, {"approve": True}, by="local").status_code in {403, 404}
    assert activate(council, harmless, by="local").status_code in {403, 404}


def test_rules_that_contradict_their_own_tests(council: World) -> None:
    told = proposed(council, bundle("cut", **without_no_read_up()))
    assert told["passed"] is False
    asked = council.post(f"/policies/bundles/{told['digest']}/approval", by="steward")
    assert asked.status_code == 409
    assert "bundle-needs-checks" in denied_by(activate(council, told["digest"]))


def test_a_missing_rule_whose_tests_are_missing_too(council: World) -> None:
    """Nothing in the bundle speaks against it; what was denied before does."""
    assert council.get("/models/finance/secret", by="junior").status_code == 404
    told = proposed(council, untested(bundle("quiet", **without_no_read_up())))
    run = told["checks"]["dry_run"]
    assert run["now_allowed"] > 0
    opened = [change for change in run["changes"] if change["answer"] == "allow"]
    assert any("no-read-up" in change["before"] for change in opened)
    diff = council.get(f"/policies/bundles/{told['digest']}/diff").json()
    assert "no-read-up" in str(diff)


def test_a_rule_that_lets_everybody_read_everything(council: World, own: str) -> None:
    """Even in force, and approved: what the lattice and the duties forbid stays forbidden."""
    roles = SHIPPED["roles.cedar"] + READ_ALL
    told = proposed(council, untested(bundle("all", **{"roles.cedar": roles})))
    assert told["passed"], told["checks"]
    digest = told["digest"]
    asked = council.post(f"/policies/bundles/{digest}/approval", by="steward").json()
    council.post(f"/approvals/{asked['id']}/decide", {"approve": True}, by="approver")
    activated = activate(council, digest)
    assert activated.status_code == 200, activated.text
    assert in_force(council) == digest
    assert council.get("/models/finance/secret", by="junior").status_code == 404
    assert council.get("/models", by="junior").json()["items"] == []
    assert denied_by(activate(council, own, by="junior")) == ["bundle-needs-approvals"]
    back = council.post("/policies/rollback", {"reason": "found out"}, by="steward")
    assert back.status_code == 200


def test_rolling_back_to_what_has_never_been_in_force(council: World, own: str) -> None:
    for target in (own, "0" * 64):
        answer = council.post("/policies/rollback", {"reason": "x", "digest": target}, by="steward")
        assert answer.status_code in {403, 404}
    if council.post("/policies/rollback", {"reason": "x"}, by="junior").status_code < 300:
        pytest.fail("an engineer is no steward")


@pytest.mark.parametrize(
    "text",
    [
        "permit (principal, action, resource);",
        '@id("x")\npermit (principal, action, resource);',
        '@id("no-read-up")\n@reason("Twice.")\npermit (principal, action, resource);',
        '@id("x")\n@reason("T.")\npermit (principal == ?principal, action, resource);',
        '@id("x")\n@reason("E.")\nforbid (principal, action, resource) when { context.nothing };',
    ],
    ids=["no-id", "no-reason", "an-id-twice", "a-template", "an-unknown-attribute"],
)
def test_a_rule_that_could_not_be_told_of_or_would_be_skipped(council: World, text: str) -> None:
    told = proposed(council, bundle(text, **{"roles.cedar": SHIPPED["roles.cedar"] + "\n" + text}))
    assert told["passed"] is False
    assert told["checks"]["faults"]


@pytest.mark.parametrize("name", ["../roles.cedar", "/etc/passwd", "roles.cedar/../x", "x.py", ""])
def test_a_file_that_belongs_to_no_bundle(council: World, name: str) -> None:
    answer = council.post("/policies/bundles", {"files": SHIPPED | {name: "x"}}, by="steward")
    assert answer.status_code == 422
