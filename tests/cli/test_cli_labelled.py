"""`bailiwick monitor labels`: accuracy by labels, judged steps, declared references."""

import json
from pathlib import Path

import pytest

from bailiwick.lifecycle.label_watching import watch_all_labels
from cli.conftest import Shell
from client.installation import Installation


def test_labels_are_shown_and_what_is_missing_is_said(shell: Shell, tmp_path: Path) -> None:
    costs = tmp_path / "costs.json"
    costs.write_text(json.dumps({"Fuel": {"Travel": 2}}), "utf-8")
    words = ("--acts-as", "retrainer", "--label-alarms-ratio", "0.5", "--costs", str(costs))
    made = shell("monitor", "create", "finance/cards", *words, "--json").json
    assert (made["label_alarms_ratio"], made["costs"]) == (0.5, {"Fuel": {"Travel": 2.0}})
    assert "50.0%" in shell("monitor", "show", "finance/cards").out
    told = shell("monitor", "labels", "show", "finance/cards", "--by", "month")
    assert "nothing yet" in told.out
    assert shell("monitor", "labels", "show", "finance/cards", "--json").json["periods"] == []
    assert shell("monitor", "labels", "windows", "finance/cards", "--json").json["items"] == []


@pytest.mark.parametrize("written", ["{", "[]"])
def test_costs_that_are_no_matrix_are_refused(shell: Shell, tmp_path: Path, written: str) -> None:
    costs = tmp_path / "costs.json"
    costs.write_text(written, "utf-8")
    refused = shell(
        "monitor",
        "create",
        "finance/cards",
        "--acts-as",
        "retrainer",
        "--costs",
        str(costs),
        expect=2,
    )
    assert "costs" in refused.err


def test_a_reference_needs_labels_that_are_watched(shell: Shell) -> None:
    shell("monitor", "create", "finance/cards", "--acts-as", "retrainer")
    days = ("--from", "2025-01-01", "--to", "2025-02-01", "--reason", "quiet")
    refused = shell("monitor", "labels", "rebase", "finance/cards", *days, expect=1)
    assert "not watched yet" in refused.err


def test_labels_that_came_are_shown_by_period_and_by_label(
    shell: Shell, installation: Installation
) -> None:
    shell("monitor", "create", "finance/cards", "--acts-as", "retrainer")
    with installation.client() as client:
        at = installation.platform.clock.now().isoformat()
        records = [
            {"record_id": f"r{row}", "at": at, "prediction": "Fuel", "confidence": 0.9}
            for row in range(40)
        ]
        client.deployments.log("finance/cards", records)
        labels = {f"r{row}": "Fuel" if row % 4 else "Food" for row in range(40)}
        client.deployments.feedback("finance/cards", labels)
    watch_all_labels(installation.platform)
    told = shell("monitor", "labels", "show", "finance/cards").out
    for said in ("40 requests, 30 right", "75.0% (59.8% to 85.8%)", "macro F1", "Food", "Brier"):
        assert said in told, said
