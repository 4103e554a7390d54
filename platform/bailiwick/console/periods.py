"""Accuracy per calendar period, for several deployments in one query."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from bailiwick.monitoring import Feedback, InferenceRecord, Period, RecordSegment
from bailiwick.monitoring.naming import AS_SENT, namings_of

Unit = Literal["day", "week", "month", "quarter"]
# A span of up to so many days is cut into these units.
MAX_DAYS: tuple[tuple[float, Unit], ...] = (
    (21, "day"),
    (120, "week"),
    (1100, "month"),
    (float("inf"), "quarter"),
)
MONTHS_PER_UNIT = {"month": 1, "quarter": 3}
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Calendar:
    """Consecutive periods: `starts` has one moment more than there are periods."""

    unit: Unit
    starts: tuple[datetime, ...]

    @classmethod
    def over(cls, first: datetime, last: datetime) -> "Calendar":
        """The periods that contain [first, last], of a length that fits the span."""
        days = (last - first) / timedelta(days=1)
        unit = next(unit for most, unit in MAX_DAYS if days <= most)
        starts = [_start(unit, first)]
        while starts[-1] <= last:
            starts.append(_next(unit, starts[-1]))
        return cls(unit, tuple(starts))

    def name(self, start: datetime) -> str:
        """How a period is called."""
        if self.unit == "quarter":
            return f"Q{(start.month - 1) // 3 + 1} {start.year}"
        return f"{start:%b %Y}" if self.unit == "month" else f"{start:%-d %b %Y}"

    def middle(self, start: datetime) -> datetime:
        """The moment at which a period's value is drawn."""
        return start + (_next(self.unit, start) - start) / 2


def observed(session: Session, ids: Sequence[UUID]) -> tuple[datetime, datetime] | None:
    """The moments of the first and the last request to these deployments."""
    first, last = session.execute(
        select(func.min(InferenceRecord.at), func.max(InferenceRecord.at)).where(
            InferenceRecord.deployment_id.in_(ids)
        )
    ).one()
    archive = select(func.min(RecordSegment.first_at), func.max(RecordSegment.last_at)).where(
        RecordSegment.deployment_id.in_(ids), RecordSegment.dropped_at.is_(None)
    )
    oldest, newest = session.execute(archive).one()
    moments = [one for one in (first, last, oldest, newest) if one is not None]
    return (min(moments), max(moments)) if moments else None


def accuracy_by_period(
    session: Session, ids: Sequence[UUID], calendar: Calendar
) -> dict[UUID, list[Period]]:
    """Per deployment its periods with requests, with the labels known now, by the names of now.

    Archived days count as they were tallied, with names as they came.
    """
    place = case(
        *((InferenceRecord.at < end, number) for number, end in enumerate(calendar.starts[1:]))
    )
    # One look into an index per request, whatever the planner believes about the tables.
    label = (
        select(Feedback.label)
        .where(
            Feedback.deployment_id == InferenceRecord.deployment_id,
            Feedback.record_id == InferenceRecord.record_id,
        )
        .order_by(Feedback.revision.desc())
        .limit(1)
        .scalar_subquery()
    )
    answered = (
        select(
            InferenceRecord.deployment_id,
            InferenceRecord.version_id,
            InferenceRecord.prediction,
            place.label("place"),
            label.label("label"),
        )
        .where(
            InferenceRecord.deployment_id.in_(ids),
            InferenceRecord.at >= calendar.starts[0],
            InferenceRecord.at < calendar.starts[-1],
        )
        .subquery()
    )
    known = answered.c
    found = (known.deployment_id, known.place, known.version_id, known.prediction, known.label)
    namings = namings_of(session, *ids)
    totals: dict[UUID, dict[int, list[int]]] = {identifier: {} for identifier in ids}

    def add(identifier: UUID, number: int, *counts: int) -> None:
        own = totals[identifier].setdefault(number, [0, 0, 0])
        own[:] = [before + count for before, count in zip(own, counts, strict=True)]

    for identifier, number, version_id, said, given, rows in session.execute(
        select(*found, func.count()).group_by(*found)
    ):
        read = namings.get(version_id, AS_SENT).read(given, said)
        add(identifier, number, rows, rows * (read is not None), rows * (read == said))
    for archived in _archived(session, ids, calendar):
        add(*archived)
    return {
        identifier: [Period(calendar.starts[number], *own[number]) for number in sorted(own)]
        for identifier, own in totals.items()
    }


def _archived(
    session: Session, ids: Sequence[UUID], calendar: Calendar
) -> Iterator[tuple[UUID, int, int, int, int]]:
    """Of archived days, as they were counted last: the period's number and the counts."""
    segments = session.scalars(
        select(RecordSegment).where(
            RecordSegment.deployment_id.in_(ids),
            RecordSegment.dropped_at.is_(None),
            RecordSegment.start >= calendar.starts[0],
            RecordSegment.start < calendar.starts[-1],
        )
    )
    for one in segments:
        number = bisect_right(calendar.starts, one.start) - 1
        yield one.deployment_id, number, one.rows, one.labelled_rows, one.correct_rows


def _start(unit: Unit, moment: datetime) -> datetime:
    midnight = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if unit == "day":
        return midnight
    if unit == "week":
        return midnight - timedelta(days=midnight.weekday())
    months = MONTHS_PER_UNIT[unit]
    return midnight.replace(month=(moment.month - 1) // months * months + 1, day=1)


def _next(unit: Unit, start: datetime) -> datetime:
    if unit in ("day", "week"):
        return start + timedelta(days=1 if unit == "day" else 7)
    index = start.year * MONTHS + start.month - 1 + MONTHS_PER_UNIT[unit]
    return datetime(index // MONTHS, index % MONTHS + 1, 1, tzinfo=UTC)
