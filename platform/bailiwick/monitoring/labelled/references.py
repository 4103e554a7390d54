"""What labels are held to: the version's evaluation at promotion, or days that somebody declared.

A reference never changes and never rolls by itself: a promotion or a person brings another one.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.monitoring.confusion import LabelledHour
from bailiwick.monitoring.hours import HOUR
from bailiwick.monitoring.labelled.tables import LabelReference
from bailiwick.monitoring.moments import EPOCH
from bailiwick.monitoring.performance import Expected, LabelledWindow, expect, promised
from bailiwick.monitoring.tables import Baseline, Monitor

WINDOW_HOURS = 24  # unless the monitor says otherwise: labels are fewer than requests


def evaluated(
    session: Session, monitor: Monitor, version_id: UUID, *, actor_id: UUID, at: datetime
) -> LabelReference | None:
    """What the version's evaluation promised; None if it has none."""
    known = session.scalar(select(Baseline).where(Baseline.version_id == version_id))
    if known is None or known.rows < 1:
        return None
    expected = promised(known.accuracy, known.rows, window_hours=length_of(monitor))
    row = _row(monitor, version_id, expected, "evaluation", "", actor_id, at)
    row.accuracy = known.accuracy
    return _keep(session, row)


def declared(
    session: Session,
    monitor: Monitor,
    version_id: UUID,
    hours: Iterable[LabelledHour],
    *,
    first: datetime,
    end: datetime,
    origin: str,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> LabelReference:
    """What these hours, labels as they stand, say is usual; `Invalid` if they are too few."""
    length = length_of(monitor)
    expected = expect(windows_of(hours, length), window_hours=length)
    row = _row(monitor, version_id, expected, origin, reason, actor_id, at)
    row.first, row.end = first, end
    return _keep(session, row)


def length_of(monitor: Monitor) -> int:
    """Hours of a step."""
    return monitor.window_hours or WINDOW_HOURS


def expected_in(row: LabelReference) -> Expected:
    """The stored reference."""
    return Expected.from_json(row.content)


def windows_of(hours: Iterable[LabelledHour], length: int) -> list[LabelledWindow]:
    """Hours added up to windows of `length` hours on the grid from 1970 on, in order."""
    found: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for hour in hours:
        window = found[(hour.start - EPOCH) // HOUR // length]
        window[0] += hour.rows - hour.correct
        window[1] += hour.rows
    return [LabelledWindow(place, wrong, rows) for place, (wrong, rows) in sorted(found.items())]


def start_of(window: int, length: int) -> datetime:
    """The moment at which a window begins."""
    return EPOCH + window * timedelta(hours=length)


def _row(
    monitor: Monitor,
    version_id: UUID,
    expected: Expected,
    origin: str,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> LabelReference:
    return LabelReference(
        id=new_id(),
        deployment_id=monitor.deployment_id,
        version_id=version_id,
        digest=expected.digest,
        origin=origin,
        reason=reason,
        window_hours=length_of(monitor),
        rows=expected.rows,
        accuracy=1 - expected.loss,
        error=expected.error,
        content=expected.to_json(),
        created_by=actor_id,
        created_at=at,
    )


def _keep(session: Session, row: LabelReference) -> LabelReference:
    session.add(row)
    session.flush()
    record(
        session,
        "label-reference.created",
        subject_type="deployment",
        subject_id=row.deployment_id,
        actor_id=row.created_by,
        at=row.created_at,
        details={
            "reference": str(row.id),
            "digest": row.digest,
            "version": str(row.version_id),
            "origin": row.origin,
            "reason": row.reason,
            "days": [one.isoformat() if one else None for one in (row.first, row.end)],
            "window_hours": row.window_hours,
            "rows": row.rows,
            "accuracy": row.accuracy,
        },
    )
    return row
