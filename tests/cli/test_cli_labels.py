"""`dataset label|relabel|impact|update` and `breaches`, and the client behind them."""

import json

from cli.conftest import Shell
from client.installation import Installation

HIGHER = ("--level", "restricted")


def test_a_label_is_explained_tried_raised_and_what_broke_is_listed(
    shell: Shell, installation: Installation
) -> None:
    before = shell("dataset", "label", "finance/purchases").out
    assert "confidential / finance / eu / accounting" in before
    assert "not in uk, us, world" in before
    tried = shell("dataset", "impact", "finance/purchases", *HIGHER, who="ada").out
    assert "finance/cards" in tried
    assert "no-deploy-up" in tried
    assert shell("breaches", "list").out.strip() == "None that you may see."
    reason = ("--reason", "it holds customers")
    done = shell("dataset", "relabel", "finance/purchases", *HIGHER, *reason, who="ada").out
    assert "It is restricted / finance / eu / accounting now." in done
    assert "1 deployment" in done
    after = shell("dataset", "label", "finance/purchases@1").out
    assert "level restricted" in after
    assert "finance/purchases, 2026-01-05 08:00: it holds customers" in after
    (breach,) = shell("breaches", "list", "--json").json["items"]
    assert breach["policy_ids"] == ["no-deploy-up"]
    shown = shell("breaches", "show", breach["id"][-8:]).out
    assert "finance/cards" in shown
    assert "2026-01-06 08:00" in shown
    assert "out-of-policy" in shell("alert", "list").out
    assert shell("breaches", "list", "--resolved").out.strip() == "None that you may see."
    again = shell("dataset", "relabel", "finance/purchases", *HIGHER, *reason, who="ada").out
    assert "already: nothing changed" in again
    with installation.client() as client:
        deployment = client.labels.of_deployment("finance/cards")
        version = client.labels.of_model_version("finance/classifier@1")
        (run,) = client.lineage.runs(kind="train")
        assert client.labels.of_run(run["id"])["label"] == version["label"]
        assert deployment["label"]["level"] == version["label"]["level"] == "restricted"
        assert [part["path"] for part in version["parts"]] == [
            ["finance/purchases@1", "finance/classifier@1"]
        ] * len(version["parts"])
        assert [one["id"] for one in client.breaches.list(open=True)] == [breach["id"]]


def test_a_label_cannot_be_lowered_or_raised_by_everybody(shell: Shell) -> None:
    lower = ("dataset", "relabel", "finance/purchases", "--level", "public", "--reason", "x")
    assert "ask for a waiver" in shell(*lower, who="ada", expect=2).err
    raised = ("dataset", "relabel", "finance/purchases", *HIGHER, "--reason", "x")
    assert "dataset:label was denied" in shell(*raised, expect=1).err
    assert "reason" in shell("dataset", "relabel", "finance/purchases", expect=2).err
    assert "may not see it" in shell("dataset", "label", "finance/none", expect=1).err
    assert "no id" in shell("breaches", "show", "nonsense", expect=2).err


def test_a_dataset_is_described_and_its_rows_kept_for_a_time(shell: Shell) -> None:
    update = ("dataset", "update", "finance/purchases")
    assert "30 days" in shell(*update, "--retention-days", "30", who="ada").out
    described = shell(*update, "--description", "Card payments.", "--json", who="ada").json
    assert (described["description"], described["retention_days"]) == ("Card payments.", 30)
    assert "without end" in shell(*update, "--retention-days", "0", who="ada").out
    assert json.dumps(described)
