"""Choosing rows: by time, never by chance; what is judged on is newer than what is learned."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.sampling import Sampling
from bailiwick.lifecycle.selection import FRAME_SCHEMA, Selection, frame_of, split, write_frame

START = datetime(2026, 1, 1, tzinfo=UTC)


def frame(days: list[int], mark: str = "row") -> pa.Table:
    """One row per entry, on that day; the text says which entry it was."""
    texts = [f"{mark} {place}" for place in range(len(days))]
    return pa.table(
        [
            pa.array([START + timedelta(days=day) for day in days], pa.timestamp("us", "UTC")),
            pa.array(texts),
            pa.array(["Fuel"] * len(days)),
        ],
        schema=FRAME_SCHEMA,
    )


def parted(frames: list[pa.Table], selection: Selection, *, seed: int) -> tuple[pa.Table, pa.Table]:
    parts = split(frames, selection, seed=seed)
    assert (parts.older.num_rows, parts.hard_rows) == (0, 0)
    return parts.train, parts.holdout


def texts(table: pa.Table) -> list[str]:
    return [str(text) for text in table["text"].to_pylist()]


def test_the_newest_rows_are_held_out_whatever_order_they_come_in() -> None:
    frames = [frame([5, 1, 9, 3, 7], "a"), frame([8, 2, 0, 6, 4], "b")]
    train, holdout = parted(frames, Selection(holdout_ratio=0.3, max_rows=100), seed=1)
    assert texts(train) == ["b 2", "a 1", "b 1", "a 3", "b 4", "a 0", "b 3"]
    assert texts(holdout) == ["a 4", "b 0", "a 2"]
    assert max(train["time"].to_pylist()) < min(holdout["time"].to_pylist())


def test_of_the_older_rows_the_newest_are_learned_from() -> None:
    train, holdout = parted(
        [frame(list(range(10)))], Selection(holdout_ratio=0.2, max_rows=3), seed=1
    )
    assert texts(train) == ["row 5", "row 6", "row 7"]
    assert texts(holdout) == ["row 8", "row 9"]


def test_rows_before_the_window_are_left_out_of_both() -> None:
    selection = Selection(holdout_ratio=0.5, max_rows=100, window_days=4)
    train, holdout = parted([frame(list(range(10)))], selection, seed=1)
    assert texts(train) + texts(holdout) == [f"row {day}" for day in range(5, 10)]
    assert len(texts(holdout)) == 2


def test_rows_of_one_moment_keep_their_order_and_a_second_split_is_the_same() -> None:
    frames = [frame([1] * 300, "a"), frame([1] * 300, "b")]
    selection = Selection(holdout_ratio=0.1, max_rows=1_000)
    train, holdout = parted(frames, selection, seed=1)
    expected = [f"a {n}" for n in range(300)] + [f"b {n}" for n in range(300)]
    assert texts(train) + texts(holdout) == expected
    assert parted(frames, selection, seed=1) == (
        train,
        holdout,
    )


def test_even_the_largest_holdout_leaves_something_to_learn_from() -> None:
    train, holdout = parted([frame([0, 1, 2])], Selection(holdout_ratio=0.99, max_rows=5), seed=1)
    assert (texts(train), texts(holdout)) == (["row 0"], ["row 1", "row 2"])


def test_even_of_two_rows_one_is_held_out() -> None:
    train, holdout = parted([frame([0, 1])], Selection(holdout_ratio=0.01, max_rows=5), seed=1)
    assert (texts(train), texts(holdout)) == (["row 0"], ["row 1"])


def test_hard_rows_are_looked_for_among_the_older_ones_and_take_their_place() -> None:
    selection = Selection(holdout_ratio=0.2, max_rows=4, sampling=Sampling(hard_ratio=0.5))
    parts = split([frame(list(range(10)))], selection, seed=1)
    assert texts(parts.train) == ["row 6", "row 7"]
    assert texts(parts.older) == [f"row {day}" for day in range(6)]
    assert parts.hard_rows == 2


def test_where_all_rows_are_learned_none_is_looked_for() -> None:
    selection = Selection(holdout_ratio=0.2, max_rows=8, sampling=Sampling(hard_ratio=0.5))
    parts = split([frame(list(range(10)))], selection, seed=1)
    assert (parts.train.num_rows, parts.older.num_rows, parts.hard_rows) == (8, 0, 0)


@pytest.mark.parametrize("days", [[], [1]])
def test_fewer_than_two_rows_are_refused(days: list[int]) -> None:
    with pytest.raises(Invalid, match="fewer than two rows"):
        parted([frame(days)], Selection(holdout_ratio=0.5, max_rows=5), seed=1)


def test_a_window_that_leaves_nothing_to_learn_from_is_refused() -> None:
    selection = Selection(holdout_ratio=0.5, max_rows=5, window_days=1)
    with pytest.raises(Invalid, match="fewer than two rows"):
        parted([frame([0, 100])], selection, seed=1)


@pytest.mark.parametrize(
    "values",
    [
        {"holdout_ratio": 0.0},
        {"holdout_ratio": 1.0},
        {"max_rows": 0},
        {"window_days": 0},
        {"holdout_ratio": float("nan")},
    ],
)
def test_settings_that_select_nothing_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(Invalid, match=next(iter(values))):
        Selection(**{"holdout_ratio": 0.2, "max_rows": 10, **values})  # type: ignore[arg-type]


def test_a_versions_rows_become_a_frame_of_composed_texts(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "time": pa.array([START], pa.timestamp("us", "UTC")),
            "merchant": ["bp garage"],
            "cost_centre": ["parks"],
            "category": ["Fuel"],
        }
    )
    pq.write_table(rows, tmp_path / "rows.parquet")
    made = frame_of(tmp_path / "rows.parquet", ("merchant", "cost_centre"), "category")
    write_frame(made, tmp_path / "frame.parquet")
    (row,) = pq.read_table(tmp_path / "frame.parquet").to_pylist()
    assert row["time"] == START
    assert row["label"] == "Fuel"
    assert "bp garage" in row["text"]
    assert row["text"].index("bp garage") < row["text"].index("parks")
    assert pq.read_schema(tmp_path / "frame.parquet").equals(FRAME_SCHEMA)
