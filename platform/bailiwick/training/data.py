"""Training frames: dated, labelled texts from Parquet, split by time and never at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.training.spec import KEY, SEGMENT, FrameFile

MINIMUM_ROWS = 50


class WrongDigest(Invalid):
    """The bytes are not those the job was given."""

    code = "wrong-digest"


class WrongColumns(Invalid):
    """A frame without the columns or types of training data."""

    code = "wrong-columns"


class TooFewRows(Invalid):
    """Not enough rows to learn from or to judge by."""

    code = "too-few-rows"


class OneClass(Invalid):
    """Nothing to tell apart."""

    code = "one-class"


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows in order of time: `times` (rows,) datetime64[us] UTC, and their texts and labels.

    `marks`: further columns that are judged by and not learned from; a cell may be None.
    """

    times: NDArray[np.datetime64]
    texts: Sequence[str]
    labels: Sequence[str]
    marks: Mapping[str, Sequence[str | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, start: int, stop: int) -> "Frame":
        """The rows from `start` up to and without `stop`."""
        part = slice(start, stop)
        marks = {name: values[part] for name, values in self.marks.items()}
        return Frame(self.times[part], self.texts[part], self.labels[part], marks)

    def take(self, places: NDArray[np.int64]) -> "Frame":
        """The rows at `places`, which are in order."""
        chosen = places.tolist()
        return Frame(
            self.times[places],
            [self.texts[place] for place in chosen],
            [self.labels[place] for place in chosen],
            {name: [values[place] for place in chosen] for name, values in self.marks.items()},
        )


def read_frame(file: FrameFile) -> Frame:
    """Read and verify a frame. Raises `WrongDigest` or `WrongColumns`, never with cell text."""
    name = file.path.name
    try:
        with file.path.open("rb") as stream:
            digest = file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise Invalid(f"{name} cannot be read. Check the path in the job file.") from error
    if digest != file.sha256:
        raise WrongDigest(
            f"{name} does not have the SHA-256 of the job file: it changed or is damaged. "
            "Export the dataset version again."
        )
    try:
        # `partitioning=None`: folder names on the way (year=2014) are no columns.
        table = pq.read_table(file.path, partitioning=None)
    except pa.ArrowException:
        raise WrongColumns(f"{name} is not a Parquet file. Export the data again.") from None
    return _frame(name, table)


def _frame(name: str, table: pa.Table) -> Frame:
    strings = (pa.string(), pa.large_string())
    types = {field.name: field.type for field in table.schema}
    if not (
        pa.types.is_timestamp(types.get("time", pa.null()))
        and types.get("text") in strings
        and types.get("label") in strings
    ):
        raise WrongColumns(
            f"{name} must have the columns time (timestamp), text and label (strings); it has "
            f"{', '.join(f'{column} ({kind})' for column, kind in types.items()) or 'none'}."
        )
    further = [name for name in table.column_names if name == KEY or name.startswith(SEGMENT)]
    marked = table.select(further)
    table = table.select(["time", "text", "label"])
    if empty := sum(column.null_count for column in table.columns):
        raise WrongColumns(
            f"{name} has {empty} empty cells in time, text or label. Remove those rows."
        )
    times = table["time"].cast(pa.timestamp("us", "UTC")).to_numpy().astype("datetime64[us]")
    order = np.argsort(times, kind="stable")
    table, marked = table.take(order), marked.take(order)
    marks = {name: marked[name].to_pylist() for name in further}
    return Frame(times[order], table["text"].to_pylist(), table["label"].to_pylist(), marks)


def newest_tenth(frame: Frame) -> tuple[Frame, Frame]:
    """Older nine tenths to learn from, newest tenth to stop early by.

    Raises `TooFewRows` or `OneClass` where there is nothing to learn.
    """
    if len(frame) < MINIMUM_ROWS:
        raise TooFewRows(
            f"There are {len(frame)} rows to learn from; {MINIMUM_ROWS} is the least. "
            "Widen the time range of the data selection."
        )
    cut = len(frame) - len(frame) // 10
    older, newest = frame.rows(0, cut), frame.rows(cut, len(frame))
    if len(set(older.labels)) < 2:  # noqa: PLR2004 - two is what telling apart takes
        raise OneClass(
            "The training rows carry one label only, so there is nothing to tell apart. "
            "Check the label column or widen the time range."
        )
    return older, newest
