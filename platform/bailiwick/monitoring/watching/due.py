"""When a baseline that stands is to be made anew, and of which days.

    provisional   of its first days again, with the next longer span, until it is full
    carried       of the first days of what is served now
    scheduled     of the newest weeks, every so many days, only if the monitor asks for it

Never while an incident stands. A schedule waits until its weeks hold no incident: what alarmed is
not learned silently. Evidence starts anew with each baseline; drift so slow that it stays unseen
between two of a schedule becomes normal, which is why there is none unless somebody sets it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.monitoring.baselines import FULL_DAYS
from bailiwick.monitoring.tables import Monitor
from bailiwick.monitoring.watching.carried import CARRIED
from bailiwick.monitoring.watching.planning import next_midnight, next_span
from bailiwick.monitoring.watching.tables import DriftIncident, TrafficBaseline, Watch

SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class Due:
    """A baseline to be made of the days from `first` until before `end`, once these are judged."""

    first: datetime
    end: datetime
    origin: str
    reason: str


def due(session: Session, watch: Watch, monitor: Monitor, until: datetime) -> Due | None:
    """The next baseline that is to be made by `until`, if any."""
    row = session.get_one(TrafficBaseline, watch.baseline_id)
    found = _grown(watch, row) or _scheduled(session, watch, monitor, row)
    return found if found is not None and found.end <= until else None


def still_due(session: Session, deployment_id: UUID, anew: Due) -> bool:
    """Whether its days, now that they are judged, may be learned."""
    alarmed = _alarmed(session, deployment_id)
    return anew.origin != SCHEDULED or alarmed is None or alarmed <= anew.first


def _alarmed(session: Session, deployment_id: UUID) -> datetime | None:
    """When an incident of the deployment was confirmed last."""
    newest = select(func.max(DriftIncident.confirmed_at))
    return session.scalar(newest.where(DriftIncident.deployment_id == deployment_id))


def _grown(watch: Watch, row: TrafficBaseline) -> Due | None:
    if watch.from_start is None or watch.next_start is None:
        return None
    if row.grade == "full" and row.origin != CARRIED:
        return None
    span = next_span(watch.next_start - watch.from_start)
    if span is None:
        return None
    return Due(watch.from_start, watch.from_start + span, watch.origin, watch.reason)


def _scheduled(
    session: Session, watch: Watch, monitor: Monitor, row: TrafficBaseline
) -> Due | None:
    if monitor.baseline_days is None or watch.incident_id is not None or watch.next_start is None:
        return None
    span = max(timedelta(days=FULL_DAYS), row.end - row.first)
    end = max(row.end + timedelta(days=monitor.baseline_days), next_midnight(watch.next_start))
    alarmed = _alarmed(session, row.deployment_id)
    if alarmed is not None:
        end = max(end, next_midnight(alarmed) + span)
    return Due(end - span, end, SCHEDULED, f"made anew every {monitor.baseline_days} days")
