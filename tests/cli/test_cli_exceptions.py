"""`waiver`, `delegation`, and what is said about approvals."""

import pytest

from cli.conftest import Shell
from client.installation import Installation

LOWER = ("--level", "internal", "--residency", "eu", "--purpose", "accounting")
WHY = ("--reason", "no names", "--evidence", "scanned", "--until", "2026-02-01")
DATASET = "dataset:finance/purchases"


@pytest.fixture
def approval(shell: Shell) -> str:
    """The request that a waiver of the dataset waits for."""
    asked = shell("waiver", "label", DATASET, *LOWER, *WHY, "--json").json
    return str(asked["approval_id"])


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (DATASET, "finance/purchases"),
        ("dataset:finance/purchases@1", "finance/purchases@1"),
        ("model:finance/classifier@1", "finance/classifier@1"),
        ("deployment:finance/cards", "finance/cards"),
    ],
)
def test_a_lower_label_is_asked_for_approved_shown_and_ended(
    shell: Shell, subject: str, shown: str
) -> None:
    asked = shell("waiver", "label", subject, *LOWER, *WHY).out
    approval, waiver = asked.split()[-1], asked.split()[3].rstrip(":")
    assert "as internal / eu / accounting" in asked
    assert "approved" in shell("approval", "approve", approval, who="approver").out
    listed = shell("waiver", "list", "--state", "active").out
    assert waiver in listed
    assert shown in " ".join(listed.split())
    told = shell("waiver", "show", waiver).out
    assert "no names" in told
    assert "scanned" in told
    kind, _, named = subject.partition(":")
    show = "deploy" if kind == "deployment" else kind
    about = shell(show, "show", named).out
    assert f"(waiver {waiver})" in " ".join(about.split())
    ended = shell("waiver", "end", waiver, "--reason", "names were found", who="approver").out
    assert "ended" in ended
    assert "names were found" in shell("waiver", "show", waiver).out
    assert waiver not in shell(show, "show", named).out


def test_a_gate_that_was_passed_is_not_waived(shell: Shell) -> None:
    words = ("waiver", "gate", "finance/classifier@1", "min_accuracy", *WHY)
    assert "passed the gate min_accuracy" in shell(*words, expect=1).err


@pytest.mark.parametrize("subject", ["run:1", "model:finance/classifier", "finance/classifier@1"])
def test_what_is_no_subject_is_refused_before_asking(shell: Shell, subject: str) -> None:
    assert shell("waiver", "label", subject, *LOWER, *WHY, expect=2).err


def test_a_request_is_discussed_and_taken_back(shell: Shell, approval: str) -> None:
    assert "Nobody has said" in shell("approval", "comments", approval).out
    assert "Said" in shell("approval", "comment", approval, "which columns?", who="approver").out
    assert "which columns?" in shell("approval", "comments", approval).out
    assert "withdrawn" in shell("approval", "withdraw", approval).out
    assert approval[-8:] in shell("approval", "list", "--state", "withdrawn").out


def test_a_voice_is_lent_used_and_taken_back(
    shell: Shell, installation: Installation, approval: str
) -> None:
    lend = ("delegation", "lend", "ada", "--namespace", "finance", "--reason", "on leave")
    told = shell(*lend, "--until", "2026-01-20", who="approver").out
    assert "Lent until 2026-01-20" in told
    with installation.client("approver") as client:
        (lent,) = client.delegations.list()
    assert lent["from_id"] in told.replace("\n", "")
    assert "standing" in shell("delegation", "list", who="approver").out
    words = ("approval", "approve", approval, "--voice", lent["from_id"])
    assert "approved" in shell(*words, who="ada").out
    shown = " ".join(shell("approval", "show", approval).out.split())
    assert "ada approved" in shown
    assert "with the voice of approver" in shown
    assert "Taken back" in shell("delegation", "revoke", lent["id"][-8:], who="approver").out
    assert "revoked" in shell("delegation", "list", who="approver").out


def test_reading_commands_print_the_apis_own_json(
    shell: Shell, installation: Installation, approval: str
) -> None:
    with installation.client() as client:
        (waiver,) = client.waivers.list()
        for words, address in (
            (("waiver", "list"), "/waivers"),
            (("waiver", "show", waiver["id"]), f"/waivers/{waiver['id']}"),
            (("delegation", "list"), "/delegations"),
        ):
            assert shell(*words, "--json").json == client._http.get(address), words
        assert shell("approval", "comments", approval, "--json").json == []


def test_the_deadline_is_given_as_a_day(shell: Shell) -> None:
    words = ("approval", "request", "finance/classifier@1", "--by", "2026-01-09", "--json")
    assert shell(*words).json["expires_at"] == "2026-01-09T00:00:00Z"
