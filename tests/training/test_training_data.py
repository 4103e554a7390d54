"""Training frames are verified, ordered by time and split by time."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from bailiwick.training.data import (
    OneClass,
    TooFewRows,
    WrongColumns,
    WrongDigest,
    newest_tenth,
    read_frame,
)
from bailiwick.training.spec import FrameFile
from support.tiny_training import frame_file, rows, written

NOON = pa.array([datetime(2024, 1, 1, 12, tzinfo=UTC)], pa.timestamp("us", "UTC"))


def test_the_newest_tenth_by_time_is_kept_back_however_the_rows_lie(tmp_path: Path) -> None:
    content = rows(200)
    frame = read_frame(frame_file(tmp_path / "f.parquet", content[::-1]))
    older, newest = newest_tenth(frame)
    assert newest.texts == [text for _, text, _ in content[180:]]
    assert older.labels == [label for _, _, label in content[:180]]
    assert older.times.max() < newest.times.min()


def test_bytes_other_than_the_jobs_are_refused(tmp_path: Path) -> None:
    file = frame_file(tmp_path / "f.parquet", rows(60))
    file.path.write_bytes(file.path.read_bytes() + b" ")
    with pytest.raises(WrongDigest, match=r"f\.parquet does not have the SHA-256"):
        read_frame(file)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"time": NOON, "text": ["secret"]}),
        pa.table({"time": ["2024"], "text": ["secret"], "label": ["a"]}),
        pa.table({"time": NOON, "text": [1], "label": ["a"]}),
        pa.table({"time": NOON, "text": pa.array([None], pa.string()), "label": ["secret"]}),
    ],
    ids=["a column lacks", "time is text", "text is a number", "an empty cell"],
)
def test_other_columns_are_refused_without_quoting_a_cell(tmp_path: Path, table: pa.Table) -> None:
    with pytest.raises(WrongColumns) as refusal:
        read_frame(written(tmp_path / "f.parquet", table))
    assert "secret" not in refusal.value.message


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    path.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(WrongColumns, match="not a Parquet file"):
        read_frame(FrameFile(path, empty))


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    frame = read_frame(frame_file(tmp_path / "f.parquet", rows(49)))
    with pytest.raises(TooFewRows, match="49 rows"):
        newest_tenth(frame)


def test_rows_with_one_label_only_are_refused(tmp_path: Path) -> None:
    frame = read_frame(frame_file(tmp_path / "f.parquet", rows(80, labels=["Fuel"])))
    with pytest.raises(OneClass, match="nothing to tell apart"):
        newest_tenth(frame)
