"""What the counts of labels say: by hour of the requests, by hour of arrival, all as one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.monitoring.confusion.counting import arrivals_in
from bailiwick.monitoring.confusion.counts import LabelCounts, total
from bailiwick.monitoring.confusion.tables import LabelArrival, LabelHour, LabelLedger


@dataclass(frozen=True, slots=True)
class LabelledHour:
    """Labelled requests of one hour, and how many were answered right."""

    start: datetime
    rows: int
    correct: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """First labels that arrived in the hour from `arrived` on.

    requests: (hour since 1970, wrong, rows) of the requests that they are of.
    """

    arrived: datetime
    requests: Sequence[tuple[int, int, int]]


def hours_between(
    session: Session,
    deployment_id: UUID,
    *,
    start: datetime,
    end: datetime,
    version_id: UUID | None = None,
) -> list[LabelledHour]:
    """Hours with start <= hour < end that have labels, in order; of all versions by default."""
    query = (
        select(LabelHour.start, func.sum(LabelHour.rows), func.sum(LabelHour.correct))
        .where(
            LabelHour.deployment_id == deployment_id,
            LabelHour.start >= start,
            LabelHour.start < end,
            LabelHour.rows > 0,
        )
        .group_by(LabelHour.start)
        .order_by(LabelHour.start)
    )
    if version_id is not None:
        query = query.where(LabelHour.version_id == version_id)
    return [
        LabelledHour(hour, int(rows), int(right)) for hour, rows, right in session.execute(query)
    ]


def counts_between(
    session: Session,
    deployment_id: UUID,
    version_id: UUID | None,
    *,
    start: datetime,
    end: datetime,
) -> LabelCounts:
    """All counts of requests with start <= hour < end as one."""
    query = select(LabelHour.content).where(
        LabelHour.deployment_id == deployment_id, LabelHour.start >= start, LabelHour.start < end
    )
    if version_id is not None:
        query = query.where(LabelHour.version_id == version_id)
    return total(map(LabelCounts.from_bytes, session.scalars(query)))


def arrivals_between(
    session: Session, deployment_id: UUID, version_id: UUID, *, start: datetime, end: datetime
) -> Iterator[Arrivals]:
    """The hours with start <= hour < end in which first labels of a version arrived, in order."""
    rows = session.execute(
        select(LabelArrival.arrived, LabelArrival.content)
        .where(
            LabelArrival.deployment_id == deployment_id,
            LabelArrival.version_id == version_id,
            LabelArrival.arrived >= start,
            LabelArrival.arrived < end,
        )
        .order_by(LabelArrival.arrived)
    )
    return (Arrivals(arrived, arrivals_in(content)) for arrived, content in rows)


def first_arrival(session: Session, deployment_id: UUID, version_id: UUID) -> datetime | None:
    """The first hour in which a label of a version arrived."""
    return session.scalar(
        select(func.min(LabelArrival.arrived)).where(
            LabelArrival.deployment_id == deployment_id, LabelArrival.version_id == version_id
        )
    )


def label_names(session: Session, deployment_id: UUID) -> tuple[list[str], Mapping[str, list[str]]]:
    """The labels by their places, and the values of each segment by theirs."""
    ledger = session.get(LabelLedger, deployment_id)
    return (ledger.labels, ledger.segments) if ledger is not None else ([], {})
