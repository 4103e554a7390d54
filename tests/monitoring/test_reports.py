"""The job process: its scores, its report, its answers when something is wrong."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bailiwick.monitoring.reports import main
from bailiwick.monitoring.statistics import (
    DEFAULT_STATISTICS,
    jensen_shannon,
    wasserstein_normed,
)

Spec = dict[str, Any]
Job = Callable[[Spec], tuple[int, dict[str, Any]]]


def frame(rows: int, drift: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    shares = np.linspace(1, 3, 12) ** (1 + 4 * drift)
    return pd.DataFrame(
        {
            "prediction": rng.choice([f"c{n}" for n in range(12)], rows, p=shares / shares.sum()),
            "confidence": rng.beta(8 - 6 * drift, 2, rows),
            "characters": rng.poisson(30, rows),
            "words": rng.poisson(5, rows),
            "unseen_words_ratio": rng.beta(1 + 5 * drift, 9, rows),
        }
    )


def stored(path: Path, table: pd.DataFrame) -> dict[str, str]:
    table.to_parquet(path)
    return {"path": str(path), "sha256": sha256(path.read_bytes()).hexdigest()}


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return {
        "work_dir": str(tmp_path),
        "reference": stored(tmp_path / "reference.parquet", frame(3_000, 0.0, 1)),
        "current": stored(tmp_path / "current.parquet", frame(2_000, 0.5, 2)),
        "statistics": [asdict(statistic) for statistic in DEFAULT_STATISTICS],
        "report": "never",
        "title": "Checks <of> finance/cards",
        "sample_rows": 500,
        "seed": 3,
        "watch_parent": False,
    }


@pytest.fixture
def job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Job:
    """Runs a spec in this process; its exit status with its outcome or its error."""

    def run(spec: Spec) -> tuple[int, dict[str, Any]]:
        (tmp_path / "spec.json").write_text(json.dumps(spec))
        status = main([str(tmp_path / "spec.json")])
        if status == 0:
            return status, json.loads((tmp_path / "outcome.json").read_text())
        return status, json.loads(capsys.readouterr().out.splitlines()[-1])["error"]

    return run


def test_evidently_measures_what_our_definitions_say(spec: Spec, job: Job) -> None:
    _, outcome = job(spec)
    reference, current = (pd.read_parquet(spec[side]["path"]) for side in ("reference", "current"))
    for result in outcome["results"]:
        before, now = reference[result["column"]], current[result["column"]]
        expected = (
            wasserstein_normed(before.to_numpy(float), now.to_numpy(float))
            if result["kind"] == "numeric"
            else jensen_shannon(before.tolist(), now.tolist())
        )
        assert result["statistic"] == pytest.approx(expected, rel=1e-9)
        assert result["drifted"] == (expected >= result["threshold"])
        assert (result["reference_rows"], result["current_rows"]) == (3_000, 2_000)


def test_the_outcome_names_means_movers_and_the_library(spec: Spec, job: Job) -> None:
    status, outcome = job(spec)
    assert status == 0
    flagged = {result["column"] for result in outcome["results"] if result["drifted"]}
    assert flagged == {"prediction", "confidence", "unseen_words_ratio"}
    assert set(outcome["reference_means"]) == set(outcome["current_means"])
    assert outcome["current_means"]["confidence"] < outcome["reference_means"]["confidence"]
    move = outcome["top_movers"]["prediction"][0]
    assert abs(move["current_share"] - move["reference_share"]) > 0.03
    assert outcome["evidently"].startswith("0.7.")
    assert outcome["report"] is None


def test_the_same_rows_give_the_same_outcome(spec: Spec, job: Job) -> None:
    assert job(spec) == job(spec)


def test_no_drift_no_report_when_it_is_asked_for_on_drift(spec: Spec, job: Job) -> None:
    same = {**spec, "current": spec["reference"], "report": "on-drift"}
    _, outcome = job(same)
    assert outcome["report"] is None
    assert not any(result["drifted"] for result in outcome["results"])


def test_the_report_is_one_page_that_fetches_nothing(spec: Spec, job: Job, tmp_path: Path) -> None:
    _, outcome = job({**spec, "report": "on-drift"})
    page = (tmp_path / outcome["report"]).read_text(encoding="utf-8")
    assert "default-src 'none'" in page[:1_000]
    assert "<title>Checks &lt;of&gt; finance/cards</title>" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.?https?:", page)
    assert "Drift in column 'unseen_words_ratio'" in page
    assert len(page) < 6_000_000


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"statistics": []}, "invalid", "at least one statistic"),
        ({"report": "sometimes"}, "invalid", "always, on-drift or never"),
        ({"surprise": 1}, "invalid", "cannot use its spec"),
        ({"statistics": [{"column": "words"}]}, "invalid", "cannot use its spec"),
        ({"current": {"path": "nowhere", "sha256": ""}}, "not-found", "no rows at nowhere"),
    ],
)
def test_a_spec_that_cannot_be_carried_out_is_answered(
    spec: Spec, job: Job, change: Spec, code: str, words: str
) -> None:
    status, error = job(spec | change)
    assert (status, error["code"]) == (2, code)
    assert words in error["message"]


def test_rows_that_are_not_the_stored_ones_are_refused(
    spec: Spec, job: Job, tmp_path: Path
) -> None:
    frame(2_000, 0.1, 9).to_parquet(tmp_path / "current.parquet")
    status, error = job(spec)
    assert (status, error["code"]) == (2, "unavailable")
    assert not (tmp_path / "outcome.json").exists()


def test_rows_without_a_value_do_not_count_and_a_column_without_any_is_left_out(
    spec: Spec, job: Job, tmp_path: Path
) -> None:
    rows = frame(900, 0.4, 0)
    rows.loc[rows.index % 3 == 0, "words"] = np.nan
    sparse = stored(tmp_path / "sparse.parquet", rows.assign(confidence=np.nan))
    status, outcome = job(spec | {"current": sparse})
    assert status == 0
    found = {result["column"]: result for result in outcome["results"]}
    assert "confidence" not in found
    assert (found["words"]["current_rows"], found["characters"]["current_rows"]) == (600, 900)
    assert found["words"]["current_mean"] == pytest.approx(rows["words"].mean())


@pytest.mark.parametrize(
    "broken",
    [
        frame(10, 0, 0).drop(columns="words"),
        frame(0, 0, 0),
        frame(10, 0, 0).assign(confidence=np.inf),
        frame(10, 0, 0).assign(words="many"),
    ],
)
def test_columns_that_cannot_be_measured_are_refused(
    spec: Spec, job: Job, tmp_path: Path, broken: pd.DataFrame
) -> None:
    status, error = job(spec | {"current": stored(tmp_path / "broken.parquet", broken)})
    assert (status, error["code"]) == (2, "invalid")


def test_the_process_answers_on_its_last_line_and_with_its_status(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bailiwick.monitoring.reports", str(tmp_path / "none.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout.splitlines()[-1])["error"]["code"] == "invalid"


def test_the_process_ends_when_its_parent_is_gone(spec: Spec, tmp_path: Path) -> None:
    spec |= {"watch_parent": True, "report": "always"}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    child = subprocess.Popen(
        [sys.executable, "-m", "bailiwick.monitoring.reports", str(tmp_path / "spec.json")],
        stdin=subprocess.PIPE,
    )
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(120) == 2
    assert not (tmp_path / "outcome.json").exists()
