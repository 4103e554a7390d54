"""What a window's summary has room for: fixed once, at the baseline, so that windows can be added.

A numeric feature keeps counts between edges at fixed quantiles of the baseline; a category counts
of the `MAX_KNOWN` most frequent names; an embedding sums of eight directions; keys a sketch of how
many are different. Edges are never moved: a summary made under one layout cannot be merged with
one made under another.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.monitoring.embeddings import DIRECTIONS, SEED
from bailiwick.monitoring.seasons import Array
from bailiwick.monitoring.sketches import Sketch

# 16 bins, narrower towards the ends: what breaks first is often at the end of a range.
_UP_TO_MEDIAN = (0.01, 0.04, 0.1, 0.175, 0.25, 0.325, 0.4, 0.5)
QUANTILES = (*_UP_TO_MEDIAN, 0.6, 0.675, 0.75, 0.825, 0.9, 0.96, 0.99)
MAX_KNOWN = 200
_WHERE = " where "  # no feature's name has a space


@dataclass(frozen=True, slots=True)
class Cut:
    """The rows that have `value` in a column: a segment that a feature is watched in by itself."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class NumericShape:
    """Bins left-closed at ascending `edges`, and one cell for missing; moments around `pivot`.

    With a `cut` of the feature that `feature_of` names, and of the rows in it alone.
    """

    name: str
    edges: tuple[float, ...]
    pivot: float
    cut: Cut | None = None

    def __post_init__(self) -> None:
        if not self.edges or any(low >= high for low, high in pairwise(self.edges)):
            raise Invalid(f"The edges of {self.name} must be ascending numbers, at least one.")

    @property
    def cells(self) -> int:
        """Bins, then missing."""
        return len(self.edges) + 2


@dataclass(frozen=True, slots=True)
class CategoricalShape:
    """One cell for each of the `known` names, then one for all others, then one for missing.

    With a `cut` of the feature that `feature_of` names, and of the rows in it alone.
    """

    name: str
    known: tuple[str, ...]
    cut: Cut | None = None

    def __post_init__(self) -> None:
        if len(set(self.known)) != len(self.known):
            raise Invalid(f"The known categories of {self.name} must be different names.")

    @property
    def cells(self) -> int:
        """Known names, others, missing."""
        return len(self.known) + 2


@dataclass(frozen=True, slots=True)
class EmbeddingShape:
    """Sums of the eight directions of `embeddings`, drawn from `seed`, and of their squares."""

    name: str
    seed: int = SEED

    @property
    def cells(self) -> int:
        """Sums of the directions, then rows, then missing."""
        return DIRECTIONS + 2


@dataclass(frozen=True, slots=True)
class RepeatShape:
    """How many rows hold a key that another row of the same window has: rows less different keys.

    NOT guaranteed: the share grows with the rows of a window, as more of them find their like.
    """

    name: str

    @property
    def cells(self) -> int:
        """Rows that repeat, rows with a key, missing."""
        return 3


Shape = NumericShape | CategoricalShape | EmbeddingShape | RepeatShape
_KINDS: dict[str, type[Shape]] = {
    "numeric": NumericShape,
    "categorical": CategoricalShape,
    "embedding": EmbeddingShape,
    "repeats": RepeatShape,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The shapes of all watched features, and the names of labels whose confusion is counted.

    `sketch_k` sets a KLL sketch's size and rank error (100: 2.6 % at 99 % confidence).
    """

    features: tuple[Shape, ...]
    labels: tuple[str, ...] = ()
    sketch_k: int = 100

    def __post_init__(self) -> None:
        names = [shape.name for shape in self.features]
        if len(set(names)) != len(names):
            raise Invalid("Every watched feature needs a name of its own.")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` reads them back."""
        kinds = {kind: name for name, kind in _KINDS.items()}
        features = [{"kind": kinds[type(shape)], **_said(asdict(shape))} for shape in self.features]
        value = {"features": features, "labels": self.labels, "sketch_k": self.sketch_k}
        return dict(_plain(value))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Layout":
        """The layout that `to_json` wrote."""
        return cls(
            tuple(_shape(feature) for feature in value["features"]),
            tuple(value["labels"]),
            value["sketch_k"],
        )

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON: summaries carry its start."""
        return _digest(self)


@lru_cache(maxsize=256)
def _digest(layout: Layout) -> str:
    return digest_of(layout.to_json())


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Without a cut that is none: layouts that know no cuts keep their digest."""
    return {name: one for name, one in fields.items() if name != "cut" or one is not None}


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _shape(value: dict[str, Any]) -> Shape:
    fields = {name: inner for name, inner in value.items() if name != "kind"}
    if "cut" in fields:
        fields["cut"] = Cut(**fields["cut"])
    lists = {name: tuple(inner) for name, inner in fields.items() if isinstance(inner, list)}
    return _KINDS[value["kind"]](**(fields | lists))


def cut_shape(
    shape: NumericShape | CategoricalShape, cut: Cut, segment: str
) -> NumericShape | CategoricalShape:
    """A shape for the rows of one segment alone, under a name that says so.

    >>> cut_shape(CategoricalShape("prediction", ("fuel",)), Cut("segment:to", "x"), "to").name
    'prediction where to=x'
    """
    return replace(shape, name=f"{shape.name}{_WHERE}{segment}={cut.value}", cut=cut)


def feature_of(name: str) -> str:
    """The feature of records that a watched feature is of: itself, or the one that was cut."""
    return name.partition(_WHERE)[0]


def is_cut(name: str) -> bool:
    """Whether a watched feature is one of a segment alone."""
    return _WHERE in name


def numeric_shape(name: str, sketch: Sketch) -> NumericShape:
    """Edges at `QUANTILES` of what the sketch has seen.

    A value that holds several quantiles (a constant, a default, small integers) gets a bin of
    its own, so that "still exactly this" and "more than this" stay apart. Raises `Invalid` if
    nothing was seen.

    >>> shape = numeric_shape("words", Sketch.of(np.array([7.0] * 50), k=100))
    >>> shape.edges[0], shape.edges[1] > 7, len(shape.edges)
    (7.0, True, 2)
    """
    if not len(sketch):
        raise Invalid(f"{name} has no values yet: its bins need a baseline with some.")
    return _numeric_shape(name, sketch.quantiles(QUANTILES), sketch.quantiles([0.5])[0])


def exact_shape(name: str, values: Array) -> NumericShape:
    """The same of all values at hand, shape (n,), n > 0: equal values give equal bins.

    >>> exact_shape("words", np.array([7.0, 7.0, 9.0])).edges[0]
    7.0
    """
    found = np.quantile(values, [*QUANTILES, 0.5], method="inverted_cdf").tolist()
    return _numeric_shape(name, found[:-1], found[-1])


def _numeric_shape(name: str, quantiles: Sequence[float], pivot: float) -> NumericShape:
    found = Counter(quantiles)
    edges = set(found) | {
        float(np.nextafter(value, np.inf)) for value, times in found.items() if times > 1
    }
    return NumericShape(name, tuple(sorted(edges)), pivot)


def categorical_shape(name: str, counts: Counter[str], most: int = MAX_KNOWN) -> CategoricalShape:
    """The `most` frequent names get cells, ties in alphabetical order; the rest is "other".

    >>> categorical_shape("merchant", Counter(fuel=5, food=9, rare=1), most=2).known
    ('food', 'fuel')
    """
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return CategoricalShape(name, tuple(category for category, _ in ranked[:most]))


def names_of(layout: Layout) -> Sequence[str]:
    """The watched features, in the layout's order."""
    return [shape.name for shape in layout.features]
