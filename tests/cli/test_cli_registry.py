"""`model`, `dataset`, `train`, `job`, `lineage` against the real API."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bailiwick.cli.purchases import write_purchases
from cli.conftest import Shell
from client.installation import Installation, Worker

LABEL = ("--residency", "eu", "--purpose", "accounting", "--compartment", "finance")
COLUMNS = ("--text", "merchant,cost_centre", "--label", "category", "--date", "date")

WRONG: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("model", "show", "classifier"), 2, "no NAMESPACE/NAME"),
    (("model", "show", "finance/none"), 1, "may not see it"),
    (("model", "show", "finance/classifier@9"), 1, ""),
    (("model", "versions", "finance/none"), 1, ""),
    (("model", "history", "finance/none"), 1, ""),
    (("model", "promote", "finance/classifier", "--reason", "x"), 2, "NAMESPACE/NAME@VERSION"),
    (("model", "promote", "finance/classifier@1"), 2, "reason"),
    (("model", "create", "finance/x", "--residency", "mars", "--purpose", "accounting"), 2, ""),
    (("model", "create", "finance/classifier", *LABEL), 1, ""),
    (("model", "list", "--cursor", "nonsense"), 2, "cursor"),
    (("model", "list", "--limit", "0"), 2, "limit"),
    (("model", "download", "finance/none@1", "--to", "x"), 1, ""),
    (("model", "unknown"), 2, "unknown"),
    (("dataset", "show", "finance/none"), 1, "may not see it"),
    (("dataset", "versions", "finance/none"), 1, ""),
    (("dataset", "create", "finance", *LABEL), 2, "no NAMESPACE/NAME"),
    (("dataset", "register", "finance/purchases", "none.csv", *COLUMNS), 2, "cannot be read"),
    (("dataset", "register", "finance/purchases", __file__, *COLUMNS), 2, ""),
    (("train", "finance/classifier", "--dataset", "finance/purchases", "--purpose", "x"), 2, ""),
    (
        ("train", "finance/classifier", "--dataset", "finance/purchases@1", "--purpose", "hr"),
        1,
        "training-purpose",
    ),
    (
        (
            *("train", "finance/classifier", "--dataset", "finance/purchases@1"),
            *("--purpose", "accounting", "--set", "layers=many"),
        ),
        2,
        "--set layers=2",
    ),
    (("job", "show", "nonsense"), 2, "no id"),
    (("job", "show", "ffffffff"), 1, "ending in ffffffff"),
    (("job", "cancel", "ffffffff"), 1, "ending in ffffffff"),
    (("job", "list", "--state", "asleep"), 2, "asleep"),
    (("lineage", "show", "finance/classifier@1"), 2, "node must read"),
    (("lineage", "impact", "finance/none@1"), 1, "may not see it"),
)


@pytest.fixture
def purchases(tmp_path: Path) -> Path:
    file = tmp_path / "purchases.csv"
    write_purchases(file, rows=60, seed=3)
    with file.open("a", encoding="utf-8") as stream:
        stream.write("2021-02-30,corner shop,Fleet,12.00,Groceries\n")
    return file


def test_a_model_is_created_listed_and_shown(shell: Shell) -> None:
    created = shell("model", "create", "finance/own", *LABEL, "--description", "mine")
    assert created.out == "Registered finance/own.\n"
    listed = shell("model", "list").out
    assert "finance/own" in listed
    assert "champion=1" in listed
    shown = shell("model", "show", "finance/own").out
    assert "confidential / finance / eu / accounting" in shown
    assert "mine" in shown


def test_a_version_shows_what_the_gates_said_and_its_files(shell: Shell) -> None:
    for reference in ("finance/classifier@1", "finance/classifier@champion"):
        shown = shell("model", "show", reference).out
        assert "80.0%" in shown
        assert "passed" in shown
        assert "model.safetensors" in shown
    assert "80.0%" in shell("model", "versions", "finance/classifier").out


def test_a_version_is_downloaded(shell: Shell, tmp_path: Path) -> None:
    said = shell("model", "download", "finance/classifier@1", "--to", str(tmp_path / "w"))
    assert said.out.startswith("1 files, each verified")
    assert (tmp_path / "w" / "model.safetensors").stat().st_size > 0


def test_history_tells_every_move_and_why(shell: Shell) -> None:
    told = shell("model", "history", "finance/classifier").out
    assert "champion" in told
    assert "approved" in told


def test_a_promotion_without_its_approval_is_refused_and_explained(
    shell: Shell, installation: Installation
) -> None:
    shell("model", "rollback", "finance/classifier", "--reason", "nothing before it", expect=1)
    refused = shell(
        "model", "promote", "finance/classifier@1", "--reason", "x", who="visitor", expect=1
    )
    assert "may not see it" in refused.err
    denied = shell("model", "create", "finance/own", *LABEL, who="approver", expect=1)
    assert "model:create was denied" in denied.err
    assert installation.tokens["approver"] not in denied.err
    decision = denied.err.partition("policy explain ")[2].split("`")[0]
    explained = shell("policy", "explain", decision, who="approver").out
    assert "denied" in explained
    assert "model:create" in explained


def test_a_dataset_is_created_and_filled_and_bad_rows_are_shown(
    shell: Shell, purchases: Path
) -> None:
    shell("dataset", "create", "finance/own", *LABEL)
    registered = shell("dataset", "register", "finance/own", str(purchases), *COLUMNS).out
    assert "finance/own@1" in registered
    assert "62" in registered.partition("The first rows that were set aside:")[2]
    assert "finance/own" in shell("dataset", "list").out
    assert "confidential" in shell("dataset", "show", "finance/own").out
    assert "category" in shell("dataset", "show", "finance/own@1").out
    assert "60" in shell("dataset", "versions", "finance/own").out


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
    with installation.client() as client:
        job = client.train("finance/classifier", "finance/purchases@1", purpose="accounting")
        get = client._http.get
        for words, address, query in (
            (("model", "list"), "/models", {"limit": 50}),
            (("model", "show", "finance/classifier"), "/models/finance/classifier", {}),
            (
                ("model", "show", "finance/classifier@1"),
                "/models/finance/classifier/versions/1",
                {},
            ),
            (
                ("model", "versions", "finance/classifier"),
                "/models/finance/classifier/versions",
                {},
            ),
            (("model", "history", "finance/classifier"), "/models/finance/classifier/history", {}),
            (("dataset", "list"), "/datasets", {}),
            (("dataset", "show", "finance/purchases"), "/datasets/finance/purchases", {}),
            (
                ("dataset", "show", "finance/purchases@1"),
                "/datasets/finance/purchases/versions/1",
                {},
            ),
            (
                ("dataset", "versions", "finance/purchases"),
                "/datasets/finance/purchases/versions",
                {},
            ),
            (("job", "list"), "/jobs", {}),
            (("job", "show", job["id"]), f"/jobs/{job['id']}", {}),
            (("job", "show", job["id"][-8:]), f"/jobs/{job['id']}", {}),
            (("job", "events", job["id"]), f"/jobs/{job['id']}/events", {}),
            (
                ("lineage", "show", "model:finance/classifier@1"),
                "/lineage",
                {"node": "model:finance/classifier@1"},
            ),
            (
                ("lineage", "impact", "finance/purchases@1"),
                "/lineage/impact",
                {"dataset": "finance/purchases@1"},
            ),
        ):
            assert shell(*words, "--json").json == get(address, **query), words


def test_pages_follow_each_other_by_the_cursor_that_is_shown(shell: Shell) -> None:
    for number in range(4):
        shell("model", "create", f"finance/paged-{number}", *LABEL)
    first = shell("model", "list", "--limit", "2").out
    cursor = first.partition("More: --cursor ")[2].strip()
    second = shell("model", "list", "--limit", "2", "--cursor", cursor).out
    assert ("paged-3" in first, "paged-2" in first, "paged-1" in first) == (True, True, False)
    assert ("paged-1" in second, "paged-0" in second, "More:" in second) == (True, True, True)


def test_a_training_is_ordered_and_cancelled(shell: Shell) -> None:
    order = ("--dataset", "finance/purchases@1", "--purpose", "accounting")
    ordered = shell("train", "finance/classifier", *order, "--set", "layers=1", "--seed", "5")
    assert "is queued" in ordered.out
    (job,) = shell("job", "list", "--state", "queued", "--json").json["items"]
    assert job["payload"]["seed"] == 5
    assert job["payload"]["recipe"]["layers"] == 1
    shown = shell("job", "list").out
    assert job["id"][-8:] in shown
    assert job["id"] not in shown
    assert "cancelled" in shell("job", "cancel", job["id"][-8:]).out
    assert "cancelled" in shell("job", "show", job["id"]).out
    assert "queued" in shell("job", "events", job["id"]).out
    waited = shell("job", "wait", job["id"], expect=1)
    assert "was cancelled" in waited.err


def test_a_training_that_is_waited_for_says_what_came_of_it(
    shell: Shell, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = {
        "summary": "version 2 challenger",
        "reasons": ["not better than the champion: +0.001"],
        "accuracy": 0.8125,
        "champion_accuracy": 0.8,
    }
    worker = Worker(installation.platform, result)
    steps = SimpleNamespace(sleep=lambda _: worker.step(), monotonic=time.monotonic)
    monkeypatch.setattr("bailiwick.client.upkeep.time", steps)
    order = ("--dataset", "finance/purchases@1", "--purpose", "accounting", "--wait")
    done = shell("train", "finance/classifier", *order).out
    assert "version 2 challenger" in done
    assert "81.2%" in done
    assert "- not better than the champion" in done


def test_lineage_is_a_tree_in_both_directions(shell: Shell) -> None:
    up = shell("lineage", "show", "model:finance/classifier@1").out
    assert up.splitlines() == [
        "model finance/classifier@1",
        "└── dataset finance/purchases@1",
    ]
    down = shell("lineage", "show", "dataset:finance/purchases@1", "--direction", "down").out
    assert down.splitlines() == [
        "dataset finance/purchases@1",
        "└── model finance/classifier@1",
    ]
    assert "finance/cards" in shell("lineage", "impact", "finance/purchases@1").out
