"""`dataset scan`, `dataset marks`, `dataset mark` against the real API."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.conftest import Shell
from client.installation import Installation

LABEL = ("--residency", "eu", "--purpose", "accounting", "--compartment", "finance")
COLUMNS = ("--text", "note", "--label", "category", "--date", "day")
NAME, VERSION = "finance/feed", "finance/feed@1"


def test_columns_are_scanned_marked_and_decided(
    shell: Shell, installation: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    lines = [f"2025-01-{1 + n % 28:02},write to p{n}@example.org,Fuel\n" for n in range(30)]
    file.write_text("day,note,category\n" + "".join(lines))
    shell("dataset", "create", NAME, *LABEL)
    shell("dataset", "register", NAME, str(file), *COLUMNS)
    assert "No marks" in shell("dataset", "marks", NAME).out

    refused = shell("dataset", "scan", VERSION, expect=1)
    assert "dataset:scan was denied" in refused.err
    scanned = shell("dataset", "scan", VERSION, "--rows", "20", who="ada")
    assert "Looked at 20 of 30 rows" in scanned.out
    assert "EMAIL_ADDRESS" in scanned.out
    assert "20 of 20" in scanned.out
    assert "p1@example.org" not in scanned.out
    found = shell("dataset", "scan", VERSION, "--json", who="ada").json["proposals"]
    assert [(one["column"], one["matched"]) for one in found] == [("note", 30)]

    mark = ("dataset", "mark", NAME, "note", "personal-data")
    wrong = shell(*mark, "--entity", "EMAIL_ADDRESS", who="ada", expect=2)
    assert "--accept or --reject" in wrong.err
    none = shell(*mark[:-1], "identifier", "--accept", who="ada", expect=2)
    assert "no such mark" in none.err
    accepted = shell(*mark, "--entity", "EMAIL_ADDRESS", "--accept", "--json", who="ada").json
    assert [one["state"] for one in accepted] == ["accepted"]
    assert "free-text" in shell(*mark[:-1], "free-text", who="ada").out
    assert len(shell("dataset", "marks", NAME, "--state", "accepted", "--json").json) == 2
    shell(*mark, "--reject", who="ada")
    assert "rejected" in shell("dataset", "marks", NAME).out
    assert "nothing to propose" in shell("dataset", "scan", VERSION, who="ada").out
    with installation.client("engineer") as client:
        (standing,) = client.datasets.version(VERSION)["marks"]
        assert (standing["mark"], standing["state"]) == ("free-text", "accepted")


@pytest.mark.skipif(find_spec("presidio_analyzer") is not None, reason="Presidio is installed")
def test_presidio_is_refused_where_it_is_not_installed(shell: Shell) -> None:
    ran = shell("dataset", "scan", "finance/purchases@1", "--presidio", who="ada", expect=2)
    assert "pip install 'bailiwick[scan]'" in ran.err
