"""`bailiwick policy`: bundles tested, compared, proposed, activated; decisions explained."""

from pathlib import Path

import pytest

from bailiwick.core.resources import bundled
from bailiwick.policy import read_bundle
from cli.conftest import Shell

FROZEN = """
@id("frozen")
@reason("Nothing new is made in this namespace: use what there is.")
forbid (principal, action == Action::"model:create", resource)
when { resource has namespace && resource.namespace == "frozen" };
"""


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """The shipped bundle with a policy more, in a folder."""
    folder = tmp_path / "stricter"
    (folder / "tests").mkdir(parents=True)
    for name, content in read_bundle(bundled("policies")).items():
        (folder / name).write_bytes(content)
    with (folder / "duties.cedar").open("a") as file:
        file.write(FROZEN)
    return folder


def words(shown: str) -> str:
    """What was shown, whatever the width of the terminal."""
    return " ".join(shown.split())


def test_a_bundle_is_tested_without_a_server(run: Shell, stricter: Path) -> None:
    assert "All of the bundle's tests passed." in run("policy", "test", who=None).out
    assert run("policy", "test", str(stricter), "--json", who=None).json == {"failures": []}
    (stricter / "roles.cedar").write_text("permit (")
    failed = run("policy", "test", str(stricter), who=None, expect=1)
    assert "roles.cedar does not fit" in failed.out
    assert "1 failed." in failed.out
    nothing = run("policy", "test", str(stricter / "nowhere"), who=None, expect=2)
    assert "cannot be read" in nothing.err


def test_two_folders_are_compared_without_a_server(run: Shell, stricter: Path) -> None:
    shipped = str(bundled("policies"))
    shown = run("policy", "diff", shipped, str(stricter), who=None).out
    assert "frozen" in shown
    told = run("policy", "diff", shipped, str(stricter), "--json", who=None).json
    assert list(told["policies"]["added"]) == ["frozen"]
    assert "Nothing differs." in run("policy", "diff", shipped, shipped, who=None).out


def test_a_bundle_goes_its_way_from_proposal_to_rollback(shell: Shell, stricter: Path) -> None:
    compared = shell("policy", "diff", str(stricter), who="ada").out
    assert "frozen" in compared
    assert "0 would be denied" in compared
    proposed = shell(
        "policy", "propose", str(stricter), "--note", "freeze", "--json", who="ada"
    ).json
    digest, approval = proposed["bundle"]["digest"], proposed["approval"]["id"]
    again = shell("policy", "propose", str(stricter), who="ada").out
    assert "passed its checks" in words(again)
    assert approval in again
    early = shell("policy", "activate", digest[:8], "--reason", "x", who="ada", expect=1)
    assert "approved by another person" in early.err
    shell("approval", "approve", approval, who="approver")
    done = shell("policy", "activate", digest[:8], "--reason", "decided", who="ada").out
    assert f"Bundle {digest[:12]} is in force" in done
    assert "in force" in shell("policy", "list").out
    assert "frozen" in shell("policy", "explain", "frozen").out
    both = shell("policy", "diff", digest[:8], digest[:8], who="ada").out
    assert "Nothing differs." in both
    back = shell("policy", "rollback", "--reason", "too strict", who="ada").out
    assert f"in place of {digest[:12]}" in back
    assert "frozen" in shell("policy", "diff", digest[:8], who="ada").out
    unknown = shell("policy", "activate", "0" * 64, "--reason", "x", who="ada", expect=1)
    assert "no bundle's digest begins with" in unknown.err
    shell("policy", "activate", "00", "--reason", "x", who="ada", expect=2)


def test_a_broken_bundle_is_told_with_its_faults(shell: Shell, stricter: Path) -> None:
    (stricter / "roles.cedar").write_text("permit (")
    told = words(shell("policy", "propose", str(stricter), who="ada").out)
    assert "failed its checks" in told
    assert "roles.cedar does not fit" in told


def test_a_denial_is_explained_with_what_would_change_it_and_whom_to_ask(shell: Shell) -> None:
    refused = shell("principal", "list", expect=1)
    decision = refused.err.rsplit("explain ", 1)[1].strip(" `)\n")
    told = words(shell("policy", "explain", decision).out)
    assert "May engineer do principal:list on Platform platform?" in told
    assert "engineer held the role admin in every namespace" in told
    assert "ada" in told
    same = shell("policy", "explain", decision, "--json").json
    assert same["would_be_allowed_if"] == [
        {"changes": ["engineer held the role admin in every namespace"], "ask": ["ada"]}
    ]
    assert same["principal"] == "engineer"
