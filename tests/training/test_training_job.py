"""The job as its parent sees it: files, lines and exit codes."""

import hashlib
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForSequenceClassification

from bailiwick.training.recipes import SmallClassifierRecipe
from bailiwick.training.run import main, run
from bailiwick.training.spec import TrainingSpec
from support.tiny_training import TINY, frame_file, rows, tiny_spec

pytestmark = pytest.mark.torch
PARENT = """
import subprocess, sys
job = [sys.executable, "-m", "bailiwick.training.run", sys.argv[1]]
subprocess.Popen(job, stdin=subprocess.PIPE).wait()
"""


def _main(spec: TrainingSpec) -> int:
    path = spec.work_dir / "spec.json"
    path.write_text(json.dumps(spec.to_dict()))
    return main([str(path)])


def _last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def _outcome(folder: Path) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_text())
    return outcome


def test_the_outcome_names_every_file_by_digest_and_judges_the_model(trained: Path) -> None:
    outcome = _outcome(trained)
    folder = trained / "artifact"
    assert {file["path"] for file in outcome["files"]} == {path.name for path in folder.iterdir()}
    for file in outcome["files"]:
        content = (folder / file["path"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["size_bytes"] == len(content)
    assert outcome["labels"] == ["Books", "Food", "Fuel"]
    assert outcome["holdout"]["rows"] == 60
    assert outcome["holdout"]["accuracy"] > 0.9 > 2 * outcome["majority_accuracy"]
    assert outcome["champion"] is outcome["paired"] is None
    assert outcome["training_rows"] == 240
    network = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    assert outcome["parameters"] == network.num_parameters()


def test_the_reference_holds_an_answer_for_each_held_out_row_and_no_text(trained: Path) -> None:
    table = pq.read_table(trained / "reference.parquet")
    assert table.column_names == [
        "time",
        "prediction",
        "confidence",
        "characters",
        "words",
        "unseen_words_ratio",
        "label",
    ]
    answers = zip(table["prediction"].to_pylist(), table["label"].to_pylist(), strict=True)
    right = [answer == label for answer, label in answers]
    assert sum(right) / len(right) == _outcome(trained)["holdout"]["accuracy"]


def test_the_same_seed_gives_the_same_digests_and_losses_and_another_seed_does_not(
    trained: Path, tmp_path: Path
) -> None:
    first = _outcome(trained)
    again = run(tiny_spec(tmp_path / "again"), lambda *_: None)
    assert again["files"] == first["files"]
    assert again["losses"] == first["losses"]
    other = run(tiny_spec(tmp_path / "other", seed=8), lambda *_: None)
    assert other["losses"] != first["losses"]


def test_a_successor_starts_warm_and_is_compared_with_the_champion_row_by_row(
    trained: Path, tmp_path: Path
) -> None:
    champion = trained / "artifact"
    one_epoch = SmallClassifierRecipe.from_dict(
        {**TINY.to_dict(), "pretrain_epochs": 0, "train_epochs": 1}
    )
    spec = tiny_spec(tmp_path, base=champion, compare_with=champion, recipe=one_epoch)
    outcome = run(spec, lambda *_: None)
    assert outcome["metrics"]["labels_kept_from_base"] == 3
    assert outcome["champion"] == _outcome(trained)["holdout"]
    assert sum(outcome["paired"].values()) == 60
    assert outcome["losses"][0] < _outcome(trained)["losses"][1]
    tokenizer = "tokenizer.json"
    assert (tmp_path / "artifact" / tokenizer).read_bytes() == (champion / tokenizer).read_bytes()


def test_a_held_out_label_never_learned_counts_as_wrong(tmp_path: Path) -> None:
    content = [(time, text, "Never seen") for time, text, _ in rows(20)]
    spec = tiny_spec(tmp_path, holdout=frame_file(tmp_path / "h.parquet", content))
    holdout = run(spec, lambda *_: None)["holdout"]
    assert holdout["accuracy"] == 0.0
    assert holdout["unknown_label_rows"] == 20
    assert holdout["log_loss"] is None


@pytest.mark.parametrize(
    ("count", "labels", "code"),
    [(30, ["Fuel", "Food"], "too-few-rows"), (100, ["Fuel"], "one-class")],
)
def test_rows_one_cannot_learn_from_end_with_code_two_and_an_error_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    count: int,
    labels: list[str],
    code: str,
) -> None:
    content = rows(count, labels=labels)
    assert _main(tiny_spec(tmp_path, train=frame_file(tmp_path / "t.parquet", content))) == 2
    assert _last_line(capsys)["error"]["code"] == code
    assert not (tmp_path / "outcome.json").exists()


def test_a_changed_input_ends_with_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tiny_spec(tmp_path)
    spec.train.path.write_bytes(b"changed")
    assert _main(spec) == 2
    assert _last_line(capsys)["error"]["code"] == "wrong-digest"


def test_a_full_disk_ends_with_code_two_and_leaves_no_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tiny_spec(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        assert _main(spec) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert _last_line(capsys)["error"]["code"] == "disk-full"
    assert not (tmp_path / "outcome.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"work_dir": "x"}', '{"train": 3}'])
def test_an_unusable_job_file_ends_with_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "spec.json"
    path.write_text(content)
    assert main([str(path)]) == 2
    assert _last_line(capsys)["error"]["code"] == "spec-invalid"


def test_a_fault_of_ours_is_told_without_the_errors_own_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "confidential text"

    def broken(*_: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr("bailiwick.training.run.run", broken)
    assert _main(tiny_spec(tmp_path)) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["code"] == "internal"
    assert secret not in printed.out + printed.err
    assert "RuntimeError" in printed.err


def test_a_job_process_reports_progress_line_by_line_and_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(tiny_spec(tmp_path).to_dict()))
    job = subprocess.run(
        [sys.executable, "-m", "bailiwick.training.run", str(path)],
        check=True,
        capture_output=True,
        text=True,
        env={"OMP_NUM_THREADS": "1"},
    )
    lines = [json.loads(line) for line in job.stdout.splitlines()]
    stages = list(dict.fromkeys(line["stage"] for line in lines))
    assert stages == ["tokenizer", "pretrain", "train", "evaluate"]
    assert all(0 <= line["step"] <= line["steps"] for line in lines)
    assert lines[-1]["accuracy"] > 0.9
    assert job.stderr == ""


def test_a_job_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    forever = SmallClassifierRecipe.from_dict(
        {**TINY.to_dict(), "train_epochs": 1000, "patience_epochs": 1000}
    )
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(tiny_spec(tmp_path, recipe=forever, watch_parent=True).to_dict()))
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PARENT,
            str(path),
        ],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout
    with parent.stdout as lines:
        while b'"train"' not in lines.readline():
            pass
        parent.kill()
        # The pipe ends only when the job, which holds its other end, is gone as well.
        lines.read()
    parent.wait()
    assert not (tmp_path / "outcome.json").exists()
