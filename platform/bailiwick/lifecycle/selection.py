"""Choosing the rows that a training job learns from, and those that it is judged on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.sampling import NEWEST, Sampling, chosen
from bailiwick.lineage.batches import Quarantine
from bailiwick.lineage.rows import compose_text
from bailiwick.lineage.taxonomies import Renames
from bailiwick.training.spec import KEY, SEGMENT

FRAME_SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("us", "UTC")),
        pa.field("text", pa.string()),
        pa.field("label", pa.string()),
    ]
)


FRAME_NAMES = tuple(FRAME_SCHEMA.names)
POOL_ROWS = 20_000  # that the champion answers, to find the hard ones: seconds


@dataclass(frozen=True, slots=True)
class Selection:
    """How rows are chosen. Rows are ordered by time; nothing is ever split at random."""

    holdout_ratio: float  # the newest share, which the model is judged on and never sees
    max_rows: int  # of the others at most so many: the newest, or as `sampling` says
    window_days: int | None = None  # rows older than this, counted from the newest, are left out
    sampling: Sampling = NEWEST

    def __post_init__(self) -> None:
        if not 0 < self.holdout_ratio < 1:
            raise Invalid("holdout_ratio is a share and must lie between 0 and 1, for instance 0.2")
        if self.max_rows < 1:
            raise Invalid("max_rows must be at least 1")
        if self.window_days is not None and self.window_days < 1:
            raise Invalid("window_days must be at least 1")


@dataclass(frozen=True, slots=True)
class Marks:
    """Columns that rows are judged by and never learned from: declared segments, and a key."""

    segments: tuple[str, ...] = ()
    key: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """A frame's further columns, by name, with the columns of the rows that they are."""
        named = {SEGMENT + name: name for name in self.segments}
        return named | ({KEY: self.key} if self.key else {})

    def plain(self, frame: pa.Table) -> pa.Table:
        """A frame as rows are stored: the marked columns under their own names."""
        named = {own: frame[name] for name, own in self.columns.items() if own not in FRAME_NAMES}
        return pa.table({name: frame[name] for name in FRAME_NAMES} | named)

    @property
    def schema(self) -> pa.Schema:
        """The schema of a frame that has them."""
        further = [pa.field(name, pa.string()) for name in self.columns]
        return pa.schema([*FRAME_SCHEMA, *further])


NO_MARKS = Marks()


def frame_of(
    rows_path: Path, text_columns: Sequence[str], label_column: str, marks: Marks = NO_MARKS
) -> pa.Table:
    """A dataset version's rows as the training frame: `time`, `text`, `label`, then the marks.

    A marked column that the version does not have is empty.
    """
    stored = set(pq.read_schema(rows_path).names)
    needed = ["time", *text_columns, label_column]
    wanted = dict.fromkeys([*needed, *(name for name in marks.columns.values() if name in stored)])
    table = pq.read_table(rows_path, columns=list(wanted))
    columns = [table[name].to_pylist() for name in text_columns]
    texts = [
        compose_text(dict(zip(text_columns, values, strict=True)), text_columns)
        for values in zip(*columns, strict=True)
    ]
    further = [
        table[name].cast(pa.string()) if name in stored else pa.nulls(len(table), pa.string())
        for name in marks.columns.values()
    ]
    return pa.table(
        [table["time"], pa.array(texts, pa.string()), table[label_column], *further],
        schema=marks.schema,
    )


def renamed(frame: pa.Table, renames: Renames) -> pa.Table:
    """The frame with labels as they are called now, without those that were given up."""
    if not renames.names:
        return frame
    labels = [renames.name_of(label) for label in frame["label"].to_pylist()]
    place = frame.schema.get_field_index("label")
    named = frame.set_column(place, FRAME_SCHEMA.field("label"), pa.array(labels, pa.string()))
    return named.filter(pc.is_valid(named["label"]))


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows that are learned from and held out; of `older` ones `hard_rows` are learned, too."""

    train: pa.Table
    holdout: pa.Table
    older: pa.Table
    hard_rows: int


def without_quarantined(frame: pa.Table, quarantine: Quarantine) -> pa.Table:
    """The frame without rows of quarantined spans."""
    for start, end in quarantine.spans:
        frame = frame.filter((pc.field("time") < start) | (pc.field("time") >= end))
    return frame


def split(frames: Sequence[pa.Table], selection: Selection, *, seed: int) -> Parts:
    """The newest rows are held out, of those before them some are learned from.

    Where hard ones are asked for, `older` has what there is to find them among (at most
    `POOL_ROWS`, at random), else nothing. The same rows and `seed` give the same split.
    """
    frame = pa.concat_tables(frames)
    # A stable order by time: rows of one moment keep the order in which they are stored.
    times = frame["time"].to_numpy()
    frame = frame.take(np.argsort(times, kind="stable"))
    if selection.window_days is not None and frame.num_rows:
        newest = pc.max(frame["time"]).as_py()
        oldest = newest - timedelta(days=selection.window_days)
        frame = frame.filter(pc.greater_equal(frame["time"], pa.scalar(oldest)))
    if frame.num_rows < 2:  # noqa: PLR2004 - one row to learn from and one to be judged on
        raise Invalid(
            "there are fewer than two rows to train on; register more data or widen the window"
        )
    cut = frame.num_rows - round(frame.num_rows * selection.holdout_ratio)
    cut = min(max(cut, 1), frame.num_rows - 1)  # at least one row on either side
    before = frame.slice(0, cut)
    hard_rows = round(selection.max_rows * selection.sampling.hard_ratio)
    if cut <= selection.max_rows:
        hard_rows = 0  # all are learned from
    learned = chosen(
        before["time"].to_numpy(),
        _numbered(pc.binary_join_element_wise(before["text"], before["label"], "\0")),
        _numbered(before["label"]),
        selection.sampling,
        most=selection.max_rows - hard_rows,
        seed=seed,
    )
    left = np.delete(np.arange(cut), learned) if hard_rows else learned[:0]
    pool = np.random.default_rng(seed).permutation(left)[:POOL_ROWS]
    older = before.take(np.sort(pool))
    return Parts(before.take(learned), frame.slice(cut), older, min(hard_rows, len(pool)))


def _numbered(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Equal values by equal numbers."""
    codes = column.combine_chunks().dictionary_encode().indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def without_repeats(frames: Sequence[pa.Table]) -> list[pa.Table]:
    """The frames without rows that an earlier one holds already.

    A later file often repeats the months of an earlier one. Equal rows within one frame are
    different events: of several frames the one that holds a row most often says how often.
    """
    seen: Counter[tuple[object, ...]] = Counter()
    kept = []
    for frame in frames:
        here: Counter[tuple[object, ...]] = Counter()
        fresh = []
        columns = frame.select(FRAME_NAMES).columns  # marks may be known in one file only
        for row in zip(*(column.to_pylist() for column in columns), strict=True):
            here[row] += 1
            fresh.append(here[row] > seen[row])
        seen |= here
        kept.append(frame.filter(pa.array(fresh, pa.bool_())))
    return kept


def write_frame(frame: pa.Table, path: Path) -> None:
    """Write a frame as the Parquet file that the training process reads."""
    pq.write_table(frame, path)
