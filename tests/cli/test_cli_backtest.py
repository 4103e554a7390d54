"""`bailiwick backtest`: no server, no set-up; a table, a file, and sentences for what is wrong."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from bailiwick.lifecycle.backtest import refits
from cli.conftest import Shell
from support.backtests import InProcess, purchases, written

pytestmark = pytest.mark.torch
COLUMNS = ("--text", "merchant", "--label", "category", "--date", "date")
KEYS = ["period", "rows", "accuracy", "macro_f1", "retrained", "alerted", "train_seconds"]
WAIT_SECONDS = 60


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refits, "_Child", InProcess)
    InProcess.asked = []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "purchases.csv", purchases(6))


@pytest.mark.usefixtures("in_process")
def test_strategies_stand_side_by_side_and_every_period_is_in_the_file(
    run: Shell, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    names = ["frozen", "every-period", "periodic:2", "threshold:9", "cost-aware", "hindsight:2"]
    said = run(
        *("backtest", "--data", str(file), *COLUMNS, "--period", "month", "--budget", "2"),
        *(word for name in names for word in ("--strategy", name)),
        *("--json", str(out), "--cache", str(tmp_path / "cache")),
    ).out
    written_out = json.loads(out.read_bytes())
    assert list(written_out) == names
    for name, periods in written_out.items():
        assert name in said
        assert [one["period"] for one in periods] == [f"2023-{month:02}" for month in range(2, 7)]
        assert all(list(one) == KEYS for one in periods)
        assert sum(one["rows"] for one in periods) == 5 * 90
    assert sum(one["retrained"] for one in written_out["cost-aware"]) <= 2
    assert all(max(map(len, said.splitlines())) <= 80 for _ in [0])
    frozen, every = said.splitlines()[1:3]
    assert frozen.split()[3] == "0.0%"
    assert every.split()[3] == "100.0%"


@pytest.mark.usefixtures("in_process")
def test_gzip_and_parquet_are_read_as_csv_is(run: Shell, file: Path, tmp_path: Path) -> None:
    zipped, parquet = tmp_path / "p.csv.gz", tmp_path / "p.parquet"
    zipped.write_bytes(gzip.compress(file.read_bytes()))
    pq.write_table(pyarrow.csv.read_csv(file), parquet)
    tables = []
    for source in (file, zipped, parquet):
        words = ("--data", str(source), *COLUMNS, "--strategy", "frozen", "--strategy", "threshold")
        tables.append(run("backtest", *words, "--cache", str(tmp_path / "cache")).out)
    assert tables[0] == tables[1] == tables[2]
    assert len({tuple(request["learn"]) for request in InProcess.asked}) <= 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--label", "kind"), "no column 'kind'. It has 'date', 'merchant', 'category'"),
        (("--strategy", "yearly"), "no strategy 'yearly'. Choose from: frozen"),
        (("--recipe", "huge"), "no recipe 'huge'. Choose from: head, full"),
        (("--budget", "3", "--strategy", "frozen"), "add --strategy cost-aware"),
        (("--date", "merchant"), "each different"),
        (("--period", "year"), "covers 1 periods"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_a_sentence(
    run: Shell, file: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    asked = ("backtest", "--data", str(file), *COLUMNS, "--cache", str(tmp_path / "c"), *words)
    told = run(*asked, expect=2).err
    assert said in " ".join(told.split())
    assert "Traceback" not in told


def test_dates_that_cannot_be_read_are_counted_with_their_lines(run: Shell, tmp_path: Path) -> None:
    content = [
        ("someday" if place % 3 == 0 else day, *rest)
        for place, (day, *rest) in enumerate(purchases(3))
    ]
    source = written(tmp_path / "p.csv", content)  # type: ignore[arg-type]  # triples
    told = " ".join(run("backtest", "--data", str(source), *COLUMNS, expect=2).err.split())
    assert "90 of 270 rows had to be set aside" in told
    assert "line 2: date not understood; line 5: date not understood" in told


def test_a_label_column_with_one_label_is_refused(run: Shell, tmp_path: Path) -> None:
    alike = [(day, shop, "Fuel") for day, shop, _ in purchases(2)]
    source = written(tmp_path / "p.csv", alike)
    told = run("backtest", "--data", str(source), *COLUMNS, expect=2).err
    assert "180 rows carry one label" in " ".join(told.split())


def test_a_backtest_that_was_killed_goes_on_and_leaves_no_process(tmp_path: Path) -> None:
    """With real processes: killed once a model is remembered, its children end; then again."""
    source = written(tmp_path / "p.csv", purchases(5))
    cache, out = tmp_path / "cache", tmp_path / "out.json"
    command = [
        *(sys.executable, "-m", "bailiwick", "backtest", "--data", str(source), *COLUMNS),
        *("--strategy", "every-period", "--cache", str(cache), "--json", str(out)),
    ]
    environment = os.environ | {"BAILIWICK_THREADS": "1", "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=tmp_path)
    deadline = time.monotonic() + WAIT_SECONDS
    while not list(cache.glob("*.json")):
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = {path.name: path.read_bytes() for path in cache.glob("*.json")}
    assert kept
    subprocess.run(command, env=environment, check=True, capture_output=True, cwd=tmp_path)
    assert len(json.loads(out.read_bytes())["every-period"]) == 4
    for name, content in kept.items():
        again = json.loads((cache / name).read_bytes())
        assert again["train_seconds"] == json.loads(content)["train_seconds"]
