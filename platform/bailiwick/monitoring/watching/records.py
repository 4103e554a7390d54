"""What single records say of a change: which segments it came from, and examples of it.

Looked up once, when an incident opens, among `LOOKED_AT` records of the hours' samples before and
since the onset, newest hours first: the segment in which the feature's values differ most stands
first. Examples are records by id, with the value that moved; whoever may not read a deployment's
records does not see them.

NOT guaranteed: with many segments one of them differs by chance; no error is promised here.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from bailiwick.core.batches import in_batches
from bailiwick.monitoring.calibration import MIN_ROWS
from bailiwick.monitoring.contrasts import DIRECTION, REQUESTS, SHARE_OF
from bailiwick.monitoring.embeddings import STEPS, unpacked
from bailiwick.monitoring.hours import KEYS, SEGMENT, Window, WindowLayout, layout_in, sampled
from bailiwick.monitoring.shapes import (
    CategoricalShape,
    EmbeddingShape,
    NumericShape,
    RepeatShape,
    Shape,
    feature_of,
)
from bailiwick.monitoring.tables import InferenceRecord
from bailiwick.monitoring.watching.findings import FeatureMove
from bailiwick.monitoring.watching.tables import TrafficBaseline

LOOKED_AT = 2_000
MOST_SEGMENTS, MOST_EXAMPLES = 3, 3

Value = float | str | bytes | None
Measure = Callable[[Value], float | None]


@dataclass(frozen=True, slots=True)
class SegmentMove:
    """How a feature changed in one segment: means of a number, shares of a category."""

    segment: str
    value: str
    before: float
    after: float
    rows_before: int
    rows_after: int


@dataclass(frozen=True, slots=True)
class Example:
    """A record, and what it has of the feature that moved."""

    record_id: str
    at: str
    prediction: str
    value: float | str | None


def evidence_in_records(
    session: Session, baseline: TrafficBaseline, move: FeatureMove
) -> dict[str, Any]:
    """`segments` and `examples` (before, after) of the feature that moved most, as JSON.

    Nothing if that is no feature of a record: their number.
    """
    if move.feature == REQUESTS:
        return {}
    shape = _shape(session, baseline, move.feature)
    before = _inside(_records(session, baseline, Window.start < move.since), shape)
    after = _inside(_records(session, baseline, Window.start >= move.since), shape)
    measure = _measure(shape, move, after)
    feature = feature_of(move.feature)
    return {
        "segments": [asdict(one) for one in _segments(before, after, feature, measure)],
        "examples": {
            "before": [asdict(one) for one in _examples(before, move, measure, typical=False)],
            "after": [asdict(one) for one in _examples(after, move, measure, typical=True)],
        },
    }


def _records(
    session: Session, baseline: TrafficBaseline, when: ColumnElement[bool]
) -> list[InferenceRecord]:
    """Of the samples of those hours, newest first, unless they were archived or dropped."""
    ids = sampled(session, baseline.layout_id, when, most=LOOKED_AT)
    found: list[InferenceRecord] = []
    for some in in_batches(ids):
        found += session.scalars(
            select(InferenceRecord).where(
                InferenceRecord.deployment_id == baseline.deployment_id,
                InferenceRecord.record_id.in_(some),
            )
        )
    return sorted(found, key=attrgetter("at", "record_id"), reverse=True)


def _value(record: InferenceRecord, feature: str) -> Value:
    if feature.startswith(SEGMENT):
        return (record.segments or {}).get(feature.removeprefix(SEGMENT))
    own = getattr(record, feature, None) if feature in InferenceRecord.__table__.columns else None
    found: Value = own if own is not None else (record.features or {}).get(feature)
    return found


def _shape(session: Session, baseline: TrafficBaseline, feature: str) -> Shape:
    layout = layout_in(session.get_one(WindowLayout, baseline.layout_id))
    return next(one for one in layout.features if one.name == feature)


def _inside(records: Sequence[InferenceRecord], shape: Shape) -> Sequence[InferenceRecord]:
    """Those of the segment that the feature is watched in, if it is of one."""
    cut = shape.cut if isinstance(shape, (NumericShape, CategoricalShape)) else None
    if cut is None:
        return records
    return [one for one in records if _value(one, cut.column) == cut.value]


def _measure(shape: Shape, move: FeatureMove, after: Sequence[InferenceRecord]) -> Measure:
    """What is averaged: the number itself, or 1 for the category that moved and 0 for others.

    Of an embedding the direction that moved; of a text how often it came `after` the onset.
    """
    if move.what == "missing":
        return lambda value: float(value is None)
    if isinstance(shape, CategoricalShape):
        known, name = frozenset(shape.known), move.what.removeprefix(SHARE_OF)
        if move.what.startswith(SHARE_OF):
            return lambda value: float(str(value) == name)
        return lambda value: float(value is not None and str(value) not in known)
    if isinstance(shape, EmbeddingShape):
        place = int(move.what.removeprefix(DIRECTION)) - 1
        return lambda value: None if value is None else _direction(value, place)
    if isinstance(shape, RepeatShape):
        times = Counter(_value(record, move.feature) for record in after)
        return lambda value: None if value is None else float(times[value])
    return lambda value: float(value) if isinstance(value, (int, float)) else None


def _direction(value: Value, place: int) -> float:
    return float(unpacked([value])[0, place]) / STEPS if isinstance(value, bytes) else 0.0


def _segments(
    before: Sequence[InferenceRecord],
    after: Sequence[InferenceRecord],
    feature: str,
    measure: Measure,
) -> list[SegmentMove]:
    was, now = _by_segment(before, feature, measure), _by_segment(after, feature, measure)
    found = [
        SegmentMove(
            *key,
            float(np.mean(was[key])),
            float(np.mean(now[key])),
            len(was[key]),
            len(now[key]),
        )
        for key in was.keys() & now.keys()
        if min(len(was[key]), len(now[key])) >= MIN_ROWS
    ]
    found.sort(key=lambda one: (-abs(one.after - one.before), one.segment, one.value))
    return found[:MOST_SEGMENTS]


def _by_segment(
    records: Sequence[InferenceRecord], feature: str, measure: Measure
) -> Mapping[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    for record in records:
        value = measure(_value(record, feature))
        if value is None:
            continue
        for name, cut in (record.segments or {}).items():
            found.setdefault((name, str(cut)), []).append(value)
    return found


def _examples(
    records: Sequence[InferenceRecord], move: FeatureMove, measure: Measure, *, typical: bool
) -> list[Example]:
    """Of the change if `typical`: those furthest in its direction; else the middle ones."""
    measured = [
        (value, record)
        for record in records
        if (value := measure(_value(record, feature_of(move.feature)))) is not None
    ]
    sign = 1 if move.direction == "rose" else -1
    middle = float(np.median([value for value, _ in measured])) if measured else 0.0
    measured.sort(key=lambda one: -sign * one[0] if typical else abs(one[0] - middle))
    return [
        Example(
            record.record_id,
            record.at.isoformat(),
            record.prediction,
            _shown(record, feature_of(move.feature), value),
        )
        for value, record in measured[:MOST_EXAMPLES]
    ]


def _shown(record: InferenceRecord, feature: str, measured: float) -> float | str | None:
    """The value itself; what was made of it where it is nothing that a person could read."""
    value = _value(record, feature)
    return measured if isinstance(value, bytes) or feature in KEYS else value


def without_examples(moves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The moves of an incident for whoever may not read records."""
    return [{name: one for name, one in move.items() if name != "examples"} for move in moves]
