"""`bailiwick labelling`: to a CSV file and back."""

import csv
from pathlib import Path
from uuid import UUID

import pytest

from bailiwick.core.ids import new_id
from bailiwick.monitoring.labelling import LabellingItem, LabellingRound
from bailiwick.registry import Deployment
from cli.conftest import Shell
from client.installation import Installation

DEPLOYMENT = "finance/cards"
FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def asked(installation: Installation) -> list[str]:
    """Three requests to be labelled, one of which a spreadsheet would take for a formula."""
    ids = ["r1", "r2", FORMULA]
    with installation.client() as client:
        deployment = client.deployments.get(DEPLOYMENT)
        at = installation.platform.clock.now()
        records = [
            {"record_id": one, "at": at.isoformat(), "prediction": "Fuel", "text": f"text {one}"}
            for one in ids
        ]
        client.deployments.log(DEPLOYMENT, records)
    with installation.platform.database.transaction() as session:
        row = session.get_one(Deployment, UUID(deployment["id"]))
        values = {"deployment_id": row.id, "made_by": row.created_by, "made_at": at}
        numbers = {"candidates": 3, "rows": 3, "random_rows": 3}
        made = LabellingRound(id=new_id(), start=at, end=at, **values, **numbers)
        session.add(made)
        session.flush()
        session.add_all(
            LabellingItem(
                id=new_id(),
                round_id=made.id,
                deployment_id=row.id,
                record_id=one,
                reason="random",
            )
            for one in ids
        )
    return ids


def test_requests_go_to_a_file_and_their_labels_come_back(
    shell: Shell, asked: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "labels.csv"
    assert "3 requests are in" in shell("labelling", "export", DEPLOYMENT, str(file)).out
    refused = shell("labelling", "export", DEPLOYMENT, str(file), expect=2)
    assert "is there already" in refused.err
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["record_id"] for row in rows} == {"r1", "r2", f"'{FORMULA}"}
    assert {row["text"] for row in rows} == {f"text {one}" for one in asked}
    for row in rows:
        row["label"] = "" if row["record_id"] == "r2" else "Travel"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    told = shell("labelling", "import", DEPLOYMENT, str(file)).out
    assert "2 labels were sent; 1 rows have none yet" in told
    assert "r2" in shell("labelling", "list", DEPLOYMENT).out
    labelled = shell("labelling", "list", DEPLOYMENT, "--state", "labelled", "--json").json
    assert {one["record_id"] for one in labelled["items"]} == {"r1", FORMULA}
    assert "r2" in shell("labelling", "skip", DEPLOYMENT, "r2").out
    assert shell("labelling", "list", DEPLOYMENT, "--json").json["items"] == []


def test_wrong_files_and_names_are_refused_in_words(shell: Shell, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("id,label\nr1,Fuel\n", "utf-8")
    refused = shell("labelling", "import", DEPLOYMENT, str(wrong), expect=2)
    assert "no columns record_id and label" in refused.err
    wrong.write_bytes(b"\xff\xfe\x00")
    assert "no CSV file" in shell("labelling", "import", DEPLOYMENT, str(wrong), expect=2).err
    assert "nobody is asked" in shell("labelling", "skip", DEPLOYMENT, "none", expect=2).err
    days = ("--of", "2026-01-01..2026-01-02")
    assert "no sampled requests" in shell("labelling", "ask", DEPLOYMENT, *days, expect=2).err


@pytest.mark.usefixtures("asked")
def test_no_more_labels_are_asked_for_than_the_budget_has_left(shell: Shell) -> None:
    policy = ("--dataset", "finance/purchases", "--acts-as", "retrainer", "--budget-labels", "50")
    made = shell("retrain", "policy", "create", DEPLOYMENT, *policy)
    assert "50 labels a month" in made.out
    days = ("--of", "2026-01-01..2026-01-02")
    refused = shell("labelling", "ask", DEPLOYMENT, *days, "--rows", "48", expect=1)
    assert "3 were asked for" in refused.err
    assert "47 are left" in refused.err
    shell("retrain", "policy", "set", DEPLOYMENT, "--budget-labels", "51")
    within = shell("labelling", "ask", DEPLOYMENT, *days, "--rows", "48", expect=2)
    assert "no sampled requests" in within.err
