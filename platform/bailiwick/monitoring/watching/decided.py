"""What people decide about watching: another baseline, and that a change is the new normal."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.monitoring.hours import WindowLayout, layout_in, summaries_between
from bailiwick.monitoring.tables import Monitor
from bailiwick.monitoring.watching.planning import fitted, midnight, next_midnight
from bailiwick.monitoring.watching.stored import store_baseline
from bailiwick.monitoring.watching.tables import DriftIncident, TrafficBaseline, Watch
from bailiwick.monitoring.watching.told import Turn, end_incident, standing


def fix_baseline(
    session: Session,
    monitor: Monitor,
    *,
    first: datetime,
    end: datetime,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> TrafficBaseline:
    """A baseline of the days from `first` until before `end` (UTC), which stands as it is.

    The windows after these days are judged by it, also those that were judged by another one.
    Raises `Invalid` if these days have too little traffic; what stood goes on then.
    """
    watch = _locked(session, monitor)
    layout = _layout(session, watch)
    first, end = midnight(first), midnight(end)
    if not first < end <= at:
        raise Invalid("first must lie before end, and end not ahead of now")
    hours = summaries_between(session, layout.id, first, end)
    baseline = fitted(
        layout_in(layout),
        hours,
        first,
        end,
        window_hours=monitor.window_hours,
        zone=monitor.zone,
        count_requests=monitor.smallest_change_requests is not None,
    )
    _end_incident(session, watch, "replaced", reason, Turn(monitor, actor_id, at))
    row = store_baseline(
        session, layout, baseline, origin="asked", reason=reason, actor_id=actor_id, at=at
    )
    watch.baseline_id, watch.state, watch.waits_for = row.id, None, None
    watch.from_start, watch.next_start, watch.held_start = None, end, None
    session.flush()
    return row


def accept(
    session: Session,
    monitor: Monitor,
    incident: DriftIncident,
    *,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> DriftIncident:
    """The change is the new normal: a baseline of the days since, as soon as there are seven."""
    watch = _locked(session, monitor)
    if watch.incident_id != incident.id:
        raise Conflict("this incident has ended already; there is nothing to accept")
    end_incident(session, watch, incident, "accepted", reason, Turn(monitor, actor_id, at))
    watch.baseline_id, watch.state = None, None
    watch.next_start = watch.held_start = None
    watch.from_start, watch.origin, watch.reason = next_midnight(incident.since), "accepted", reason
    record(
        session,
        "incident.accepted",
        subject_type="deployment",
        subject_id=incident.deployment_id,
        actor_id=actor_id,
        at=at,
        details={"incident": str(incident.id), "reason": reason},
    )
    return incident


def _locked(session: Session, monitor: Monitor) -> Watch:
    return session.get_one(Watch, monitor.id, with_for_update=True, populate_existing=True)


def _layout(session: Session, watch: Watch) -> WindowLayout:
    layout = session.get(WindowLayout, watch.layout_id) if watch.layout_id else None
    if layout is None:
        raise Conflict("no traffic is summarised yet; wait for the first requests")
    return layout


def _end_incident(session: Session, watch: Watch, ended_as: str, reason: str, turn: Turn) -> None:
    incident = standing(session, watch)
    if incident is not None:
        end_incident(session, watch, incident, ended_as, reason, turn)
