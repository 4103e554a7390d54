"""What is kept of a window: counts, moments, sketches. Windows merge by addition.

Counts, sums, the numbers of different keys and the sample of new names merge exactly: associative
and commutative, in any order and grouping (floating-point sums up to rounding). KLL sketches merge
with random choices: their answers stay within the rank error, their bytes are not the same twice.
Size does not depend on the number of rows, and neither does anything computed from a summary.

The sample of new names keeps the `MAX_NEW` with the smallest hashes (Cohen, "Bottom-k sketches",
PODC 2007), which is what makes it mergeable; with more names than that it is a uniform sample of
the NAMES, so that a frequent one may be missing; `other` counts all rows of them.

NOT guaranteed: names of categories are kept in clear. Where they are confidential, the caller
hashes them before they come here.
"""

import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.embeddings import STEPS, unpacked
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.shapes import (
    CategoricalShape,
    Cut,
    EmbeddingShape,
    Layout,
    NumericShape,
    feature_of,
)
from bailiwick.monitoring.sketches import Distinct, Sketch

MAX_NEW = 16
MAX_NAME_CHARACTERS = 64

Number = TypeVar("Number", int, float)

Outcomes: TypeAlias = Iterable[tuple[str, str]]
Column: TypeAlias = Sequence[Any] | NDArray[Any] | pa.Array | pa.ChunkedArray
Columns: TypeAlias = Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class NumericPart:
    """Counts per cell; sums of (x - pivot) and its square; range; a KLL sketch's bytes."""

    counts: tuple[int, ...]
    total: float
    squares: float
    minimum: float | None
    maximum: float | None
    sketch: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class CategoricalPart:
    """Counts per cell, and names that the layout does not know with their rows."""

    counts: tuple[int, ...]
    new: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingPart:
    """Sums of the directions and of their squares, in steps; rows, missing."""

    sums: tuple[int, ...]
    squares: tuple[int, ...]
    rows: int
    missing: int


@dataclass(frozen=True, slots=True)
class RepeatPart:
    """How many different keys there were, rows that have one, missing."""

    keys: Distinct
    rows: int
    missing: int

    @property
    def repeated(self) -> float:
        """Rows whose key another row has as well, the first of each not counted."""
        return max(self.rows - self.keys.estimate, 0.0)


Part = NumericPart | CategoricalPart | EmbeddingPart | RepeatPart


@dataclass(frozen=True, slots=True)
class Summary:
    """One window of one deployment (or one segment of it) under one layout.

    `confusion` counts rows by (place of the predicted label, place of the true one) in
    `layout.labels`, the place after the last standing for any other. Labels that arrive late
    come as a summary of their own with no rows, merged into the window they belong to.
    """

    layout: str
    rows: int
    parts: Mapping[str, Part]
    confusion: Mapping[tuple[int, int], int]


def summarize(layout: Layout, columns: Columns, *, outcomes: Outcomes = ()) -> Summary:
    """The summary of some rows, given as columns of equal length: lists, arrays or Arrow arrays.

    A watched column that is absent is missing in every row; columns that the layout does not
    know are not looked at (a new baseline takes them up). None and NaN are missing; infinities
    fall into the outermost bins and stay out of moments and sketch. Embeddings are given as
    `embeddings.packed` ones, keys as text. Raises `Invalid` if columns differ in length.
    """
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise Invalid("All columns of a window must have the same number of rows.")
    rows = lengths.pop() if lengths else 0
    parts: dict[str, Part] = {}
    for shape in layout.features:
        column = columns.get(feature_of(shape.name))
        values: Column = [None] * rows if column is None else column
        if isinstance(shape, (NumericShape, CategoricalShape)) and shape.cut is not None:
            values = _inside(columns.get(shape.cut.column), shape.cut, values)
        if isinstance(shape, NumericShape):
            parts[shape.name] = _numeric(shape, _floats(values), layout.sketch_k)
        elif isinstance(shape, CategoricalShape):
            parts[shape.name] = _categorical(shape, values)
        elif isinstance(shape, EmbeddingShape):
            parts[shape.name] = _embedding(values)
        else:
            parts[shape.name] = _repeats(values)
    places = {label: place for place, label in enumerate(layout.labels)}
    other = len(places)
    pairs = Counter((places.get(said, other), places.get(true, other)) for said, true in outcomes)
    return Summary(layout.digest[:16], rows, parts, dict(pairs))


def merge(first: Summary, second: Summary) -> Summary:
    """Both windows as one; raises `Invalid` if they were made under different layouts."""
    if first.layout != second.layout:
        raise Invalid(
            "These windows were summarised under different baselines; summarise the rows again "
            "under one of them to compare them."
        )
    parts = {name: _merged(part, second.parts[name]) for name, part in first.parts.items()}
    confusion = Counter(first.confusion) + Counter(second.confusion)
    return Summary(first.layout, first.rows + second.rows, parts, dict(confusion))


def cells(part: Part) -> Array:
    """What contrasts are made of: counts, or an embedding's directions, rows and missing."""
    if isinstance(part, EmbeddingPart):
        return np.array([*(one / STEPS for one in part.sums), part.rows, part.missing])
    if isinstance(part, RepeatPart):
        return np.array([part.repeated, part.rows, part.missing])
    return np.array(part.counts, dtype=np.float64)


def sketch_of(part: NumericPart) -> Sketch:
    """The quantiles of a numeric feature; of nothing if no value was seen or sketches were cut."""
    return Sketch(part.sketch)


def to_bytes(summary: Summary, *, sketches: bool = True) -> bytes:
    """Compressed JSON; without `sketches` quantiles between the fixed edges are lost."""
    text = json.dumps(_to_json(summary, sketches), separators=(",", ":"), sort_keys=True)
    return zlib.compress(text.encode(), level=6)


def from_bytes(stored: bytes) -> Summary:
    """What `to_bytes` wrote; raises `Invalid` if it is damaged."""
    try:
        value = json.loads(zlib.decompress(stored))
        parts = {name: _part(fields) for name, fields in value["parts"].items()}
        confusion = {(said, true): rows for said, true, rows in value["confusion"]}
        return Summary(value["layout"], value["rows"], parts, confusion)
    except (zlib.error, ValueError, KeyError, TypeError) as damage:
        raise Invalid("This window's summary is damaged; make it again from its rows.") from damage


def _inside(segment: Column | None, cut: Cut, values: Column) -> Column:
    """The values of the rows that are in a segment."""
    if segment is None:
        return []
    inside = np.flatnonzero(np.array(segment, dtype=np.object_) == cut.value)
    return [values[place] for place in inside.tolist()]


def _floats(values: Column) -> Array:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    if isinstance(values, np.ndarray) and values.dtype != np.object_:
        return values.astype(np.float64)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _numeric(shape: NumericShape, values: Array, sketch_k: int) -> NumericPart:
    there = values[~np.isnan(values)]
    bins = np.searchsorted(np.array(shape.edges), there, side="right")
    counts = np.bincount(bins, minlength=shape.cells - 1).tolist()
    finite = there[np.isfinite(there)]
    centred = finite - shape.pivot
    return NumericPart(
        counts=(*counts, values.size - there.size),
        total=float(centred.sum()),
        squares=float(centred @ centred),
        minimum=float(finite.min()) if finite.size else None,
        maximum=float(finite.max()) if finite.size else None,
        sketch=Sketch.of(finite, sketch_k).stored,
    )


def _categorical(shape: CategoricalShape, values: Column) -> CategoricalPart:
    found = _frequencies(values)
    missing = sum(found.pop(nothing, 0) for nothing in [name for name in found if _nothing(name)])
    counts = [found.pop(name, 0) for name in shape.known]
    new = Counter[str]()
    for name, rows in found.items():
        new[str(name)[:MAX_NAME_CHARACTERS]] += rows
    return CategoricalPart((*counts, new.total(), missing), _fewest_hashes(new))


def _frequencies(values: Column) -> Counter[Any]:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        counted = pc.value_counts(values).to_pylist()
        return Counter({entry["values"]: entry["counts"] for entry in counted})
    return Counter(values.tolist() if isinstance(values, np.ndarray) else values)


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _fewest_hashes(names: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    def hashed(item: tuple[str, int]) -> bytes:
        return blake2b(item[0].encode("utf-8", "surrogatepass"), digest_size=8).digest()

    return tuple(sorted(names.items(), key=hashed)[:MAX_NEW])


def _listed(column: Column) -> Sequence[Any]:
    arrow = isinstance(column, (pa.Array, pa.ChunkedArray))
    return column.to_pylist() if arrow else column  # type: ignore[return-value, union-attr]


def _embedding(column: Column) -> EmbeddingPart:
    there = [row for row in _listed(column) if row is not None]
    steps = unpacked(there).astype(np.int64)
    sums, squares = steps.sum(axis=0).tolist(), (steps**2).sum(axis=0).tolist()
    return EmbeddingPart(tuple(sums), tuple(squares), len(there), len(column) - len(there))


def _repeats(column: Column) -> RepeatPart:
    there = [key for key in _listed(column) if key is not None]
    return RepeatPart(Distinct.of(there), len(there), len(column) - len(there))


def _merged(first: Part, second: Part) -> Part:
    if isinstance(first, NumericPart) and isinstance(second, NumericPart):
        return NumericPart(
            counts=_added(first.counts, second.counts),
            total=first.total + second.total,
            squares=first.squares + second.squares,
            minimum=min(_known(first.minimum, second.minimum), default=None),
            maximum=max(_known(first.maximum, second.maximum), default=None),
            sketch=(sketch_of(first) | sketch_of(second)).stored,
        )
    if isinstance(first, CategoricalPart) and isinstance(second, CategoricalPart):
        new = Counter(dict(first.new)) + Counter(dict(second.new))
        return CategoricalPart(_added(first.counts, second.counts), _fewest_hashes(new))
    if isinstance(first, EmbeddingPart) and isinstance(second, EmbeddingPart):
        return EmbeddingPart(
            _added(first.sums, second.sums),
            _added(first.squares, second.squares),
            first.rows + second.rows,
            first.missing + second.missing,
        )
    if isinstance(first, RepeatPart) and isinstance(second, RepeatPart):
        return RepeatPart(
            first.keys | second.keys,
            first.rows + second.rows,
            first.missing + second.missing,
        )
    raise Invalid("A feature cannot change its kind between windows of one layout.")


def _added(first: tuple[Number, ...], second: tuple[Number, ...]) -> tuple[Number, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _known(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]


def _to_json(summary: Summary, sketches: bool) -> dict[str, Any]:  # noqa: FBT001 - private
    return {
        "layout": summary.layout,
        "rows": summary.rows,
        "parts": {name: _fields(part, sketches) for name, part in summary.parts.items()},
        "confusion": sorted([*pair, rows] for pair, rows in summary.confusion.items()),
    }


def _fields(part: Part, sketches: bool) -> dict[str, Any]:  # noqa: FBT001 - private
    if isinstance(part, NumericPart):
        moments = [part.total, part.squares, part.minimum, part.maximum]
        kept = base64.b64encode(part.sketch).decode() if sketches else ""
        return {"n": part.counts, "m": moments, "s": kept}
    if isinstance(part, CategoricalPart):
        return {"c": part.counts, "new": part.new}
    if isinstance(part, RepeatPart):
        keys = base64.b64encode(part.keys.stored).decode()
        return {"k": keys, "rows": [part.rows, part.missing]}
    return {"e": part.sums, "squares": part.squares, "rows": [part.rows, part.missing]}


def _part(fields: dict[str, Any]) -> Part:
    if "n" in fields:
        total, squares, minimum, maximum = fields["m"]
        sketch = base64.b64decode(fields["s"])
        return NumericPart(tuple(fields["n"]), total, squares, minimum, maximum, sketch)
    if "c" in fields:
        return CategoricalPart(tuple(fields["c"]), tuple((n, rows) for n, rows in fields["new"]))
    if "k" in fields:
        return RepeatPart(Distinct(base64.b64decode(fields["k"])), *fields["rows"])
    return EmbeddingPart(tuple(fields["e"]), tuple(fields["squares"]), *fields["rows"])
