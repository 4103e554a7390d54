"""Requests that stay away: told once no traffic came in for far longer than the baseline knows.

A deployment is silent after three times the longest pause of its baseline, and at least six hours.
Pauses of nights and weekends are in every baseline. NOT guaranteed: that is a rule and no test;
nobody counts how often a quiet week comes by chance.
"""

from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy.orm import Session

from bailiwick.core.ids import new_id
from bailiwick.monitoring.hours import HOUR, hours_with_rows
from bailiwick.monitoring.watching.carried import made_of
from bailiwick.monitoring.watching.tables import DriftIncident, TrafficBaseline, Watch
from bailiwick.monitoring.watching.told import Turn, begin, end_incident, standing

NO_TRAFFIC = "no-traffic"
TIMES, AT_LEAST = 3, timedelta(hours=6)


def end_silence(session: Session, watch: Watch, heard_at: datetime, turn: Turn) -> None:
    """Requests came in at `heard_at`: if they had stayed away before, that is over."""
    incident = standing(session, watch)
    if incident is not None and incident.cause == NO_TRAFFIC and heard_at > incident.since:
        end_incident(session, watch, incident, "recovered", "requests come in again", turn)


def heed_silence(session: Session, watch: Watch, heard_at: datetime, turn: Turn) -> None:
    """Open an incident if none came in since `heard_at` for too long, unless another one stands."""
    row = session.get(TrafficBaseline, watch.baseline_id) if watch.baseline_id else None
    if watch.incident_id is not None or row is None or turn.at - heard_at < AT_LEAST:
        return
    pause = longest_pause(session, row)
    if turn.at - heard_at < max(TIMES * pause, AT_LEAST):
        return
    hours = round(pause / HOUR)
    begin(
        session,
        watch,
        DriftIncident(
            id=new_id(),
            deployment_id=row.deployment_id,
            baseline_id=row.id,
            cause=NO_TRAFFIC,
            sentence=(
                f"No requests since {heard_at:%Y-%m-%d %H:%M} UTC; the longest pause of the "
                f"baseline was {hours} {'hour' if hours == 1 else 'hours'}."
            ),
            worth_waking=True,
            since=heard_at,
            since_earliest=heard_at,
            since_latest=heard_at,
            moves=[],
            course={},
            opened_at=turn.at,
            confirmed_at=turn.at,
        ),
        turn,
    )


def longest_pause(session: Session, row: TrafficBaseline) -> timedelta:
    """The longest time without requests between two hours that had some."""
    made = made_of(session, row)
    hours = hours_with_rows(session, made.layout_id, made.first, made.end)
    return max((later - one - HOUR for one, later in pairwise(hours)), default=timedelta())
