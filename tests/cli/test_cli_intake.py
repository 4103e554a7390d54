"""`deploy import-inferences`, `rejected`, `intake` against the real API."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bailiwick.client import NotReachable
from bailiwick.client.deployments import Deployments
from cli.conftest import Shell

NAME = "finance/cards"
AT = datetime(2026, 1, 2, tzinfo=UTC)


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "record_id": f"r{number:03}",
            "at": AT.isoformat(),
            "prediction": "Fuel",
            "confidence": 0.5,
            "words": number,
        }
        for number in range(count)
    ]


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    if path.suffix == ".ndjson":
        path.write_text("\n".join(json.dumps(one) for one in records))
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(records[0]))
            table.writeheader()
            table.writerows(records)
    else:
        typed = [one | {"at": datetime.fromisoformat(one["at"])} for one in records]
        pq.write_table(pa.Table.from_pylist(typed), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet", "ndjson"])
def test_a_file_is_imported_once_however_often(shell: Shell, tmp_path: Path, ending: str) -> None:
    file = write(tmp_path / f"records.{ending}", rows(25))
    command = ("deploy", "import-inferences", NAME, str(file), "--batch-rows", "10", "--json")
    told = shell(*command).json
    assert (told["new"], told["known"], told["rejected_total"]) == (25, 0, 0)
    assert shell(*command, "--from-row", "8").json["known"] == 18


@pytest.mark.parametrize("ending", ["csv", "parquet", "ndjson"])
def test_measures_come_from_any_file(shell: Shell, tmp_path: Path, ending: str) -> None:
    measured = {
        "tokens_per_word": 1.25,
        "non_letter_ratio": 0.5,
        "language": "da",
        "text_key": "4711",  # text, though it reads as a number
        "form_key": "0",
        "entropy": 0.0,
        "refusal": True,
        "repetition_ratio": 1.0,
    }
    file = write(tmp_path / f"records.{ending}", [one | measured for one in rows(3)])
    told = shell("deploy", "import-inferences", NAME, str(file), "--json").json
    assert (told["new"], told["rejected_total"]) == (3, 0)


def test_phrases_of_refusals_are_the_deployments(shell: Shell) -> None:
    told = shell("deploy", "intake", NAME, "--refusal", "Det kan jeg ikke", "--json").json
    assert told["refusals"] == ["Det kan jeg ikke"]
    assert "phrases of refusals" in shell("deploy", "intake", NAME).out


def test_rows_that_do_not_fit_are_named_and_listed(shell: Shell, tmp_path: Path) -> None:
    records = rows(12)
    records[10]["confidence"] = "much"
    file = write(tmp_path / "records.csv", records)
    said = shell("deploy", "import-inferences", NAME, str(file), "--batch-rows", "5").out
    assert "row 11" in said
    assert "confidence" in said
    page = shell("deploy", "rejected", NAME, "--json").json
    assert [(one["code"], json.loads(one["raw"])["record_id"]) for one in page["items"]] == [
        ("unfit", "r010")
    ]
    assert "unfit" in shell("deploy", "rejected", NAME).out


def test_segments_of_a_csv_must_be_declared(shell: Shell, tmp_path: Path) -> None:
    file = write(tmp_path / "records.csv", [one | {"segment.region": "n"} for one in rows(3)])
    command = ("deploy", "import-inferences", NAME, str(file), "--json")
    assert shell(*command).json["rejected_total"] == 3
    assert "none" in shell("deploy", "intake", NAME).out
    told = shell("deploy", "intake", NAME, "--segment", "region", "--json").json
    assert (told["segments"], told["max_ahead_seconds"]) == (["region"], 300)
    assert "region" in shell("deploy", "intake", NAME).out
    assert shell(*command).json["new"] == 3


def test_an_import_that_breaks_off_says_where_to_go_on(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "records.ndjson", rows(10))
    real, calls = Deployments.log_batch, []

    def breaking(*given: Any, **named: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise NotReachable("the API is not reachable", is_passing=True)
        return real(*given, **named)

    monkeypatch.setattr(Deployments, "log_batch", breaking)
    command = ("deploy", "import-inferences", NAME, str(file), "--batch-rows", "4")
    said = shell(*command, expect=3).err
    assert "4 rows are acknowledged" in said
    assert "--from-row 5" in said
    assert shell(*command, "--from-row", "5", "--json").json["new"] == 6


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("records.txt", b"", ".parquet"),
        ("records.parquet", b"Zebra", "ending says"),
        ("records.csv", b"record_id\n\xff\n", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    shell: Shell, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    ran = shell("deploy", "import-inferences", NAME, str(file), expect=2)
    assert said in " ".join(ran.err.split())


def test_a_file_that_is_not_there_is_told(shell: Shell, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.ndjson")
    assert "cannot be read" in shell("deploy", "import-inferences", NAME, missing, expect=2).err
