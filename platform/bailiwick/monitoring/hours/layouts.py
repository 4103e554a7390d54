"""What summaries have room for, settled once a version has answered enough requests.

The bins come from the first records of the deployment's version, and never move: from then on each
batch is summarised as it comes in, and the records that were there before are summarised here, in
the transaction that settles it. Whoever stores records meanwhile waits, so that each record is
counted by exactly one of the two.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from bailiwick.core.canonical import canonical_bytes
from bailiwick.core.ids import new_id
from bailiwick.db.session import lock_layout
from bailiwick.monitoring.hours.parts import (
    EMBEDDING,
    KEYS,
    MEASURES,
    PREDICTION,
    SEGMENT,
    Columns,
    add_part,
    features_of,
    newest_layout,
)
from bailiwick.monitoring.hours.tables import WindowLayout
from bailiwick.monitoring.moments import microseconds
from bailiwick.monitoring.shapes import (
    CategoricalShape,
    Cut,
    EmbeddingShape,
    Layout,
    NumericShape,
    RepeatShape,
    Shape,
    categorical_shape,
    cut_shape,
    exact_shape,
)
from bailiwick.monitoring.tables import InferenceRecord

SAMPLE_ROWS = 200  # fewer make no bins
LARGEST_SAMPLE = 10_000
OLDEST_DAYS = 400  # records before that are not summarised when a layout is settled
MOST_CUTS = 4  # of a declared segment
_SMALLEST_CUT = 0.05  # of all records, and as many in the others
_CUT_FEATURES = (PREDICTION, "confidence")
_KNOWN_RATIO = 0.5  # a measure that fewer records have is not watched


def settle_layout(
    session: Session,
    deployment_id: UUID,
    version_id: UUID,
    *,
    declared: Sequence[str] = (),
    kept: Iterable[Shape] = (),
    at: datetime,
) -> WindowLayout | None:
    """The layout of a deployment's version: the one that stands, or a new one with shapes `kept`.

    A new one as well once other features are `declared` and that many records carry any of them.
    None while fewer than `SAMPLE_ROWS` requests were answered.
    """
    standing = newest_layout(session, deployment_id, version_id)
    if standing is not None and set(standing.declared) == set(declared):
        return standing
    records = _records(deployment_id, version_id, since=at - timedelta(days=OLDEST_DAYS))
    if standing is not None:
        records = records.where(InferenceRecord.received_at > standing.made_at)
        records = records.where(InferenceRecord.features.is_not(None)) if declared else records
    answered = select(func.count()).select_from(records.limit(SAMPLE_ROWS).subquery())
    if session.scalars(answered).one() < SAMPLE_ROWS:
        return standing
    lock_layout(session, deployment_id)
    batches = _batches(session, records)
    first = next(batches)
    layout = layout_for(first, kept)
    row = WindowLayout(
        id=new_id(),
        deployment_id=deployment_id,
        version_id=version_id,
        digest=layout.digest,
        content=canonical_bytes(layout.to_json()).decode(),
        declared=sorted(declared),
        sample_rows=len(first["at"]),
        made_at=at,
    )
    session.add(row)
    session.flush()
    add_part(session, row, first)
    for columns in batches:
        add_part(session, row, columns)
    return row


def layout_for(columns: Columns, kept: Iterable[Shape] = ()) -> Layout:
    """Room for every measure that half of these records have, their labels and segments.

    Features with a shape among those `kept` have that one, and room even if no record has them.
    """
    known = {shape.name: shape for shape in kept}
    features = features_of(columns)
    found = {
        name: shape
        for name, values in features.items()
        if (shape := _shape(name, [one for one in values if one is not None], len(values)))
    }
    cuts = {shape.name: shape for shape in _cuts(features)}
    return Layout(tuple({**found, **cuts, **known}.values()))


def _cuts(features: Columns) -> Iterator[NumericShape | CategoricalShape]:
    """What is answered, and how surely, in each of the largest declared segments alone."""
    for column in (name for name in features if name.startswith(SEGMENT)):
        segment = features[column]
        counted = Counter(one for one in segment if one is not None)
        for value, rows in sorted(counted.most_common(MOST_CUTS), key=itemgetter(0)):
            if not _SMALLEST_CUT <= rows / len(segment) <= 1 - _SMALLEST_CUT:
                continue
            for name in _CUT_FEATURES:
                inside = [
                    one
                    for one, cut in zip(features[name], segment, strict=True)
                    if cut == value and one is not None
                ]
                shape = _shape(name, inside, rows)
                if isinstance(shape, (NumericShape, CategoricalShape)):
                    cut = Cut(column, value)
                    yield cut_shape(shape, cut, column.removeprefix(SEGMENT))


def _shape(name: str, known: Sequence[Any], rows: int) -> Shape | None:
    numbers = all(isinstance(one, (int, float)) for one in known)
    if len(known) < _KNOWN_RATIO * rows and (numbers or name in MEASURES):
        return None
    if name in KEYS:
        return RepeatShape(name)
    if name == EMBEDDING:
        return EmbeddingShape(name)
    if numbers:
        return exact_shape(name, np.array(known, dtype=np.float64))
    return categorical_shape(name, Counter(map(str, known)))


def _records(deployment_id: UUID, version_id: UUID, *, since: datetime) -> Select[Any]:
    names = ("record_id", "at", *MEASURES, "segments", "features")
    return (
        select(*(getattr(InferenceRecord, name) for name in names))
        .where(
            InferenceRecord.deployment_id == deployment_id,
            InferenceRecord.version_id == version_id,
            InferenceRecord.at >= since,
        )
        .order_by(InferenceRecord.at, InferenceRecord.record_id)
    )


def _batches(session: Session, records: Select[Any]) -> Iterator[Columns]:
    rows = session.execute(records, execution_options={"yield_per": LARGEST_SAMPLE})
    names = list(rows.keys())
    while some := list(islice(rows, LARGEST_SAMPLE)):
        columns: dict[str, Sequence[Any]] = dict(zip(names, zip(*some, strict=True), strict=True))
        yield columns | {"at": microseconds(columns["at"])}
