"""`deploy`, `monitor`, `alert`, `retrain`, `approval`, `policy`, `principal`, `token`."""

from pathlib import Path

import pytest

from bailiwick.client import Bailiwick
from cli.conftest import Shell
from client.installation import SENTENCE, Installation

DEPLOY = ("--model", "finance/classifier", "--purpose", "accounting")
POLICY = ("--dataset", "finance/purchases", "--acts-as", "retrainer")
LATER = ("--after", "2026-01-12..2026-01-19")
WEEKS, NO_WEEKS = ("--before", "2026-01-05..2026-01-12", *LATER), ("--before", "May", *LATER)

WRONG: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("deploy", "show", "finance/none"), 1, "finance/none"),
    (("deploy", "show", "cards"), 2, "no NAMESPACE/NAME"),
    (("deploy", "stop", "finance/none"), 1, "finance/none"),
    (("deploy", "start", "finance/none"), 1, "finance/none"),
    (("deploy", "create", "finance/x", *DEPLOY, "--environment", "none"), 1, "none"),
    (("deploy", "predict", "finance/cards"), 2, "give one row"),
    (("deploy", "predict", "finance/cards", "SHELL"), 2, "COLUMN=VALUE"),
    (("deploy", "predict", "finance/cards", "place=x"), 2, "merchant"),
    (("deploy", "predict", "finance/cards", "--file", "none.csv"), 2, "cannot be read"),
    (("deploy", "environment", "show", "none"), 1, "none"),
    (("monitor", "show", "finance/cards"), 1, "has no monitor"),
    (("monitor", "traffic", "compare", "finance/cards", *WEEKS), 2, "0 sampled requests"),
    (("monitor", "traffic", "compare", "finance/cards", *NO_WEEKS), 2, "2026-01-05..2026-01-12"),
    (("monitor", "create", "finance/cards", "--acts-as", "nobody"), 1, "nobody"),
    (("monitor", "checks", "finance/none"), 1, "finance/none"),
    (("alert", "show", "ffffffff"), 1, "ending in ffffffff"),
    (("alert", "acknowledge", "x"), 2, "no id"),
    (("alert", "list", "--state", "asleep"), 2, "asleep"),
    (("retrain", "policy", "show", "finance/cards"), 1, "has no retraining policy"),
    (("retrain", "now", "ffffffff", "--reason", "x"), 1, "ending in ffffffff"),
    (("retrain", "policy", "create", "finance/none", *POLICY), 1, "finance/none"),
    (("approval", "request"), 2, "one of them"),
    (("approval", "request", "finance/classifier@9"), 1, ""),
    (("approval", "approve", "ffffffff"), 1, "ending in ffffffff"),
    (("policy", "explain", "ffffffff"), 1, "ending in ffffffff"),
    (("principal", "show", "engineer"), 1, "may not see it"),
    (("principal", "create", "x", "--kind", "robot"), 2, "robot"),
    (("token", "create", "engineer"), 1, "may not see it"),
    (("token", "revoke", "x"), 2, "no id"),
)


def test_an_environment_and_a_deployment_are_made_and_shown(shell: Shell) -> None:
    place = ("--zone", "eu", "--clearance", "internal")
    shell("deploy", "environment", "create", "lab", *place, who="ada")
    assert "internal" in shell("deploy", "environment", "show", "lab").out
    assert "ledger" in shell("deploy", "environment", "list").out
    refused = shell("deploy", "create", "finance/lab", *DEPLOY, "--environment", "lab", expect=1)
    assert "no-deploy-up" in refused.err
    made = shell(
        "deploy", "create", "finance/pinned", *DEPLOY, "--environment", "ledger", "--version", "1"
    )
    assert "pinned" in made.out
    listed = shell("deploy", "list").out
    assert "finance/classifier@1 (champion)" in listed
    assert all(len(line) <= 80 for line in listed.splitlines())


def test_a_deployment_answers_until_it_is_stopped(shell: Shell, tmp_path: Path) -> None:
    row = ("merchant=SHELL", "cost_centre=Fleet")
    assert "87.5%" in shell("deploy", "predict", "finance/cards", *row).out
    file = tmp_path / "rows.csv"
    file.write_text("merchant,cost_centre\nSHELL,Fleet\nBP,Fleet\n", encoding="utf-8")
    both = shell("deploy", "predict", "finance/cards", "--file", str(file), "--json").json
    assert [one["label"] for one in both["predictions"]] == ["Fuel", "Fuel"]
    assert "stopped" in shell("deploy", "stop", "finance/cards").out
    refused = shell("deploy", "predict", "finance/cards", *row, expect=1)
    assert "stopped" in refused.err
    assert "active" in shell("deploy", "start", "finance/cards").out
    assert "active" in shell("deploy", "show", "finance/cards").out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"merchant,cost_centre\n", "no rows"),
        (b"merchant,cost_centre\nSHELL\n", "row 2"),
        (b"merchant,cost_centre\na,b,c\n", "row 2"),
        (b"merchant,cost_centre\n\xff,b\n", "not UTF-8"),
        (b"merchant,place\nSHELL,b\n", "cost_centre"),
    ],
)
def test_a_file_that_cannot_be_predicted_is_refused(
    shell: Shell, tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    assert said in shell("deploy", "predict", "finance/cards", "--file", str(file), expect=2).err


def test_a_monitor_watches_pauses_and_resumes(shell: Shell) -> None:
    made = shell("monitor", "create", "finance/cards", "--acts-as", "retrainer", "--min-rows", "9")
    assert "9 rows" in made.out
    assert "finance/cards" in shell("monitor", "list").out
    assert "off" in shell("monitor", "pause", "finance/cards").out
    assert "off" in shell("monitor", "show", "finance/cards").out
    assert "on" in shell("monitor", "resume", "finance/cards").out
    assert "None that you may see" in shell("monitor", "checks", "finance/cards").out


def test_an_alert_is_seen_acknowledged_and_resolved(
    shell: Shell, installation: Installation
) -> None:
    alert = installation.open_alert()
    listed = shell("alert", "list", "--state", "open", "--deployment", "finance/cards").out
    assert alert[-8:] in listed
    assert alert not in listed
    assert "Fuel" in listed
    assert all(len(line) <= 80 for line in listed.splitlines())
    assert "drift" in shell("monitor", "checks", "finance/cards").out
    assert "open" in shell("alert", "show", alert[-8:]).out
    assert shell("alert", "acknowledge", alert[-8:]).out.startswith("Acknowledged")
    assert shell("alert", "resolve", alert, "--reason", "seasonal").out.startswith("Resolved")
    assert "seasonal" in shell("alert", "show", alert).out
    again = shell("alert", "resolve", alert, "--reason", "twice", expect=1)
    assert again.err


def test_a_retraining_policy_is_made_approved_and_used(shell: Shell) -> None:
    made = shell("retrain", "policy", "create", "finance/cards", *POLICY, "--max-rows", "500")
    assert "not approved" in made.out
    early = shell("retrain", "policy", "approve", "finance/cards", who="approver", expect=1)
    assert "nobody has asked" in early.err
    assert "approval approve" in shell("retrain", "policy", "request", "finance/cards").out
    own = shell("retrain", "policy", "approve", "finance/cards", expect=1)
    assert "four-eyes" in own.err
    approved = shell(
        *("retrain", "policy", "approve", "finance/cards", "--comment", "fine"), who="approver"
    )
    assert "approved" in approved.out
    assert "approved" in shell("retrain", "policy", "list").out
    assert "is queued" in shell("retrain", "now", "finance/cards", "--reason", "by hand").out
    assert "off" in shell("retrain", "policy", "pause", "finance/cards").out
    assert "on" in shell("retrain", "policy", "resume", "finance/cards").out


def test_a_request_is_rejected_by_another_person(shell: Shell) -> None:
    asked = shell("approval", "request", "finance/classifier@1").out
    ending = asked.strip().rpartition(" ")[2]
    assert ending in shell("approval", "list", "--state", "open").out
    rejected = shell("approval", "reject", ending, "--comment", "no", who="approver")
    assert "rejected" in rejected.out
    shown = " ".join(shell("approval", "show", ending).out.split())
    assert "rejected" in shown
    assert "asked by engineer made by engineer" in shown
    assert "with a token that root made no" in shown


def test_a_request_is_approved_by_another_person(shell: Shell) -> None:
    shell("retrain", "policy", "create", "finance/cards", *POLICY)
    asked = shell("approval", "request", "--policy", "finance/cards").out
    ending = asked.strip().rpartition(" ")[2]
    assert "approved" in shell("approval", "approve", ending, who="approver").out


def test_rules_words_and_denials_are_told(shell: Shell) -> None:
    assert "four-eyes" in shell("policy", "show").out
    assert "public < internal" in shell("policy", "words").out
    shell("principal", "list", expect=1)
    denials = shell("policy", "decisions", "--denied").out
    assert "principal:list" in denials


def test_people_are_made_given_roles_and_disabled(shell: Shell) -> None:
    made = shell(
        *("principal", "create", "grace", "--kind", "person", "--role", "engineer"),
        *("--namespace", "finance", "--clearance", "confidential", "--compartment", "finance"),
        who="ada",
    )
    assert "engineer@finance" in made.out
    assert "approver" in shell("principal", "grant", "grace", "approver", who="ada").out
    shell("principal", "revoke", "grace", "approver", who="ada")
    assert "approver" not in shell("principal", "show", "grace", who="ada").out
    assert "disabled" in shell("principal", "disable", "grace", who="ada").out
    assert "disabled" in shell("principal", "list", who="ada").out
    assert "engineer" in shell("principal", "me").out


def test_a_token_is_printed_alone_used_from_a_file_and_revoked(
    shell: Shell, installation: Installation, tmp_path: Path
) -> None:
    made = shell("token", "create", "engineer", "--name", "ci", "--days", "9000", who="ada")
    file = tmp_path / "token"
    file.write_text(made.out, encoding="utf-8")
    with Bailiwick(installation.url, made.out.strip()) as client:
        assert client.me()["name"] == "engineer"
    me = shell("principal", "me", "--token-file", str(file), "--json", who=None).json
    assert me["name"] == "engineer"
    listed = shell("token", "list", who="ada").out
    assert made.out.strip() not in listed
    newest = shell("token", "list", "--json", who="ada").json["items"][0]
    shell("token", "revoke", newest["id"][-8:], who="ada")
    refused = shell("principal", "me", "--token-file", str(file), who=None, expect=4)
    assert made.out.strip() not in refused.err
    assert "--token-file" in refused.err


def test_what_is_wrong_is_one_sentence_and_an_exit_code(
    shell: Shell, subtests: pytest.Subtests
) -> None:
    for words, code, said in WRONG:
        with subtests.test(words=words):
            ran = shell(*words, expect=code)
            assert said in ran.err
            assert ran.err
            assert ran.out == ""


def test_every_reading_command_prints_the_apis_json(
    shell: Shell, installation: Installation
) -> None:
    installation.open_alert()
    with installation.client() as client, installation.client("ada") as ada:
        deployment = client.deployments.id_of("finance/cards")
        policy = client.retraining_policies.create(
            "finance/cards", dataset="finance/purchases", acts_as="retrainer"
        )
        approval = client.approvals.request_policy(policy["id"])
        (alert,), (monitor,) = client.alerts.list(), client.monitors.list()
        shell("principal", "list", expect=1)
        decision = next(client.rules.decisions(allowed=False))
        for words, address in (
            (("deploy", "list"), "/deployments"),
            (("deploy", "show", "finance/cards"), f"/deployments/{deployment}"),
            (("deploy", "environment", "list"), "/environments"),
            (("deploy", "environment", "show", "ledger"), "/environments/ledger"),
            (("monitor", "list"), "/monitors"),
            (("monitor", "show", "finance/cards"), f"/monitors/{monitor['id']}"),
            (("monitor", "checks", "finance/cards"), f"/deployments/{deployment}/checks"),
            (("alert", "list"), "/alerts"),
            (("alert", "show", alert["id"][-8:]), f"/alerts/{alert['id']}"),
            (("retrain", "policy", "list"), "/retraining-policies"),
            (
                ("retrain", "policy", "show", "finance/cards"),
                f"/retraining-policies/{policy['id']}",
            ),
            (("approval", "list"), "/approvals"),
            (("approval", "show", approval["id"]), f"/approvals/{approval['id']}"),
            (("policy", "show"), "/policies"),
            (("policy", "words"), "/classifications"),
            (("policy", "decisions"), "/decisions"),
            (("policy", "explain", decision["id"]), f"/decisions/{decision['id']}"),
            (("principal", "me"), "/me"),
        ):
            assert shell(*words, "--json").json == client._http.get(address), words
        for words, address in (
            (("principal", "list"), "/principals"),
            (("principal", "show", "engineer"), "/principals/engineer"),
            (("token", "list"), "/tokens"),
        ):
            assert shell(*words, "--json", who="ada").json == ada._http.get(address), words
    assert SENTENCE in alert["sentence"]
