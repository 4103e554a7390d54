"""Hours of traffic as summaries: batches add parts to them, parts are folded into windows.

A batch waits for no other one: it appends a part, and whoever watches folds the parts into the
one window of their hour. A record counts once, in whatever order records come; those of an hour
that was judged already are added to its window all the same, and counted as late.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from bailiwick.core.batches import in_batches
from bailiwick.core.ids import new_id
from bailiwick.monitoring.baselines import total
from bailiwick.monitoring.hours.samples import smallest
from bailiwick.monitoring.hours.tables import Window, WindowLayout, WindowPart
from bailiwick.monitoring.moments import EPOCH
from bailiwick.monitoring.shapes import Layout, NumericShape, feature_of
from bailiwick.monitoring.summaries import Summary, from_bytes, merge, summarize, to_bytes

HOUR: Final = timedelta(hours=1)
SEGMENT: Final = "segment:"  # before the name of a segment, which is watched like a feature
PREDICTION: Final = "prediction"
NUMERIC: Final = (
    "confidence",
    "characters",
    "words",
    "unseen_words_ratio",
    "tokens",
    "mean_log_probability",
    "tokens_per_word",
    "non_letter_ratio",
    "entropy",
    "refusal",
    "repetition_ratio",
)
SHARES: Final = frozenset({"unseen_words_ratio", "non_letter_ratio", "refusal", "repetition_ratio"})
LANGUAGE: Final = "language"
EMBEDDING: Final = "embedding"
KEYS: Final = ("text_key", "form_key")  # watched for how many rows repeat another's
MEASURES: Final = (*NUMERIC, PREDICTION, LANGUAGE, EMBEDDING, *KEYS)
ALWAYS: Final = frozenset(MEASURES)  # of one kind in every record
# What says as much of the version that answers as of what it was asked.
OF_THE_MODEL: Final = frozenset(
    {
        PREDICTION,
        "confidence",
        "unseen_words_ratio",
        "tokens",
        "mean_log_probability",
        "tokens_per_word",
        EMBEDDING,
        "entropy",
        "refusal",
        "repetition_ratio",
    }
)
_HOUR_MICROSECONDS = 3_600_000_000
_FOLDED_AT_ONCE = 5_000

Columns = Mapping[str, Sequence[Any]]


def hour_of(moment: datetime) -> datetime:
    """The start of the hour that a moment lies in."""
    return EPOCH + (moment - EPOCH) // HOUR * HOUR


def newest_layout(session: Session, deployment_id: UUID, version_id: UUID) -> WindowLayout | None:
    """What windows of a deployment's version are summarised under, if that is settled yet."""
    return session.scalar(
        select(WindowLayout)
        .where(WindowLayout.deployment_id == deployment_id, WindowLayout.version_id == version_id)
        .order_by(WindowLayout.id.desc())
        .limit(1)
    )


def layout_in(row: WindowLayout) -> Layout:
    """The layout of a stored row."""
    return _parsed(row.content)


def add_part(session: Session, row: WindowLayout, columns: Columns) -> None:
    """Count new records, given as columns like a batch's; `at` is in microseconds since 1970."""
    layout, at = layout_in(row), np.array(columns["at"], dtype=np.int64)
    hours, place = np.unique(at // _HOUR_MICROSECONDS, return_inverse=True)
    needed = _features(layout, columns)
    parts = []
    for number, hour in enumerate(hours.tolist()):
        inside = None if hours.size == 1 else np.flatnonzero(place == number).tolist()
        own = needed if inside is None else _rows_of(needed, inside)
        ids = columns["record_id"]
        sample = smallest(ids if inside is None else map(ids.__getitem__, inside))
        summary = summarize(layout, own)
        start = EPOCH + hour * HOUR
        parts.append(
            {
                "id": new_id(),
                "layout_id": row.id,
                "start": start,
                "rows": summary.rows,
                "summary": to_bytes(summary),
                "sample": sample,
            }
        )
    session.execute(insert(WindowPart), parts)


def parts_wait(session: Session, layout_id: UUID) -> bool:
    """Whether something came in that is not folded yet."""
    query = select(WindowPart.id).where(WindowPart.layout_id == layout_id).limit(1)
    return session.scalar(query) is not None


def fold(session: Session, layout_id: UUID, *, judged_before: datetime | None, at: datetime) -> int:
    """Fold the parts that wait into their windows; how many there were.

    Rows of an hour before `judged_before` are late. Only one may do so at a time.
    """
    parts = session.scalars(
        select(WindowPart)
        .where(WindowPart.layout_id == layout_id)
        .order_by(WindowPart.id)
        .limit(_FOLDED_AT_ONCE)
    ).all()
    by_hour: dict[datetime, list[WindowPart]] = {}
    for part in parts:
        by_hour.setdefault(part.start, []).append(part)
    standing = {one.start: one for one in _windows(session, layout_id, by_hour)}
    for start, own in by_hour.items():
        window = standing.get(start)
        summary = total([from_bytes(part.summary) for part in own])
        late = summary.rows if judged_before is not None and start < judged_before else 0
        if window is None:
            window = Window(
                id=new_id(), layout_id=layout_id, start=start, rows=0, late_rows=0, sample=[]
            )
            session.add(window)
        else:
            summary = merge(from_bytes(window.summary), summary)
        window.rows, window.late_rows = summary.rows, window.late_rows + late
        window.summary, window.changed_at = to_bytes(summary), at
        window.sample = smallest([*window.sample, *(one for part in own for one in part.sample)])
    for some in in_batches([part.id for part in parts]):
        session.execute(delete(WindowPart).where(WindowPart.id.in_(some)))
    session.flush()
    return len(parts)


def summaries_between(
    session: Session, layout_id: UUID, start: datetime, end: datetime
) -> dict[datetime, Summary]:
    """The hours with start <= hour < end that have rows, in order."""
    rows = session.execute(
        select(Window.start, Window.summary)
        .where(Window.layout_id == layout_id, Window.start >= start, Window.start < end)
        .order_by(Window.start)
    )
    return {moment: from_bytes(stored) for moment, stored in rows}


def first_hour(session: Session, layout_id: UUID) -> datetime | None:
    """The first hour with rows."""
    return session.scalar(select(func.min(Window.start)).where(Window.layout_id == layout_id))


def complete_until(session: Session, layout_id: UUID, *, quiet_since: datetime) -> datetime | None:
    """Up to where traffic has come in: the end of the last hour with rows.

    Its start, as long as something was added to it after `quiet_since`: then more may follow, now
    or in the course of an import of the past.
    """
    newest = session.execute(
        select(Window.start, Window.changed_at)
        .where(Window.layout_id == layout_id)
        .order_by(Window.start.desc())
        .limit(1)
    ).first()
    if newest is None:
        return None
    start: datetime
    start, changed_at = newest
    return start if changed_at > quiet_since else start + HOUR


def first_rows(
    session: Session, layout_id: UUID, rows: int, *, since: datetime = EPOCH
) -> tuple[datetime, datetime] | None:
    """From the first hour `since` then to the end of the one by which so many rows were there."""
    query = select(Window.start, Window.rows).where(Window.layout_id == layout_id)
    query, begun, found = query.where(Window.start >= hour_of(since)), None, 0
    for start, more in session.execute(query.order_by(Window.start)):
        begun, found = begun or start, found + more
        if found >= rows:
            return begun, start + HOUR
    return None


def heard_at(session: Session, layout_id: UUID) -> datetime | None:
    """When requests came in last, whatever hour they are of."""
    newest = select(func.max(Window.changed_at)).where(Window.layout_id == layout_id)
    return session.scalar(newest)


def hours_with_rows(
    session: Session, layout_id: UUID, start: datetime, end: datetime
) -> Sequence[datetime]:
    """The hours with start <= hour < end that have rows, in order."""
    query = select(Window.start).where(
        Window.layout_id == layout_id, Window.start >= start, Window.start < end
    )
    return session.scalars(query.order_by(Window.start)).all()


def windows_of(
    hours: Mapping[datetime, Summary], start: datetime, end: datetime, length: timedelta
) -> Iterator[tuple[datetime, Summary | None]]:
    """Windows of `length` from `start` on, as long as they end by `end`; None where no rows are."""
    while start + length <= end:
        inside = [hours[hour] for hour in _hours(start, length) if hour in hours]
        yield start, total(inside) if inside else None
        start += length


def features_of(columns: Columns) -> dict[str, Sequence[Any]]:
    """What can be watched of records: their measures, a column for each segment and feature."""
    found = {name: columns[name] for name in MEASURES if name in columns}
    for objects, prefix in (("segments", SEGMENT), ("features", "")):
        given = columns.get(objects) or ()
        for name in sorted({name for one in given if one for name in one}):
            found[prefix + name] = [one.get(name) if one else None for one in given]
    return found


def _features(layout: Layout, columns: Columns) -> Columns:
    there, found = features_of(columns), {PREDICTION: columns[PREDICTION]}
    for shape in layout.features:
        name = feature_of(shape.name)
        values = there.get(name)
        if values is None or name in found:
            continue
        if name not in ALWAYS:
            values = list(map(_number if isinstance(shape, NumericShape) else _category, values))
        found[name] = values
    return found


def _number(value: float | str | None) -> float | None:
    """A feature whose kind was settled as a number: text is as good as nothing."""
    return None if isinstance(value, str) else value


def _category(value: float | str | None) -> str | None:
    return None if value is None else str(value)


def _rows_of(columns: Columns, rows: Collection[int]) -> Columns:
    return {name: [values[row] for row in rows] for name, values in columns.items()}


def _windows(session: Session, layout_id: UUID, hours: Collection[datetime]) -> list[Window]:
    found: list[Window] = []
    for some in in_batches(hours):
        found += session.scalars(
            select(Window).where(Window.layout_id == layout_id, Window.start.in_(some))
        )
    return found


def _hours(start: datetime, length: timedelta) -> list[datetime]:
    return [start + number * HOUR for number in range(length // HOUR)]


@lru_cache(maxsize=256)
def _parsed(content: str) -> Layout:
    return Layout.from_json(json.loads(content))
