"""`bailiwick backtest` on a server: the same words, a job there, the same file."""

import json
from pathlib import Path
from typing import Any

import pytest

from bailiwick.cli import backtest_on_server
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Job
from bailiwick.lifecycle import run_next
from bailiwick.lifecycle.backtest import refits
from cli.conftest import Shell
from client.installation import Installation
from support.backtests import InProcess

pytestmark = pytest.mark.torch
ROWS = ("backtest", "--dataset", "finance/purchases@1", "--purpose", "accounting")
QUARTERS = ("--period", "year", "--strategy", "frozen", "--strategy", "every-period")


@pytest.fixture(autouse=True)
def worker(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that carries the job out while the command waits."""

    def carried_out(client: Bailiwick, job: Job) -> Job:
        assert run_next(installation.platform, owner="w1")
        return client.wait(job)

    monkeypatch.setattr(refits, "_Child", InProcess)
    monkeypatch.setattr(backtest_on_server, "waited_for", carried_out)
    InProcess.asked = []


def test_a_dataset_version_is_replayed_there_and_written_here(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    told = shell(*ROWS, *QUARTERS, "--json", str(out)).out
    written: dict[str, list[dict[str, Any]]] = json.loads(out.read_bytes())
    assert list(written) == ["frozen", "every-period"]
    assert written["frozen"][0]["retrained"] is False
    frozen, every = told.splitlines()[1:3]
    assert (frozen.split()[0], every.split()[0]) == ("frozen", "every-period")
    assert every.split()[2] == "100.0%"
    assert "rows answered" in told


def test_the_answer_stays_there_for_the_client_and_the_api(
    shell: Shell, installation: Installation
) -> None:
    shell(*ROWS, *QUARTERS)
    with installation.client() as client:
        (listed,) = client.backtests.list()
        found = client.backtests.get(listed["id"])
        assert client.backtests.page()["items"] == [listed]
    assert listed["state"] == "succeeded"
    assert found["digest"] == listed["digest"]
    assert found["strategies"] is not None
    assert len(found["strategies"]["frozen"]) == len(found["periods"] or ())


@pytest.mark.parametrize(
    ("words", "expect", "said"),
    [
        (
            ("backtest", "--deployment", "finance/cards", "--policy", "finance/cards"),
            2,
            "one thing",
        ),
        (("backtest", "--policy", "finance/cards"), 1, "has no retraining policy"),
        (("backtest", "--deployment", "finance/cards", "--recipe", "huge"), 2, "no recipe"),
        (("backtest", *ROWS[1:3], "--purpose", "marketing"), 1, "may not be used for this purpose"),
        (("backtest", *ROWS[1:3], "--strategy", "policy"), 2, "name one (policy_id)"),
        (("backtest",), 2, "say what to replay"),
    ],
)
def test_what_cannot_be_replayed_there_is_said_in_a_sentence(
    shell: Shell, words: tuple[str, ...], expect: int, said: str
) -> None:
    told = shell(*words, expect=expect).err
    assert said in " ".join(told.split())
