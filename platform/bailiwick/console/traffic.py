"""How a deployment's traffic is watched, as its page tells it: what for, up to when, how near."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log10

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.console.charts import NARROW, WIDE, Chart, Point, Series, line_chart
from bailiwick.monitoring import Monitor
from bailiwick.monitoring.watching import DriftIncident, TrafficBaseline, Watch, WindowCheck

SHOWN_WINDOWS = 1_000
SHOWN_INCIDENTS = 8
_DOTS = 60  # more of them are told by their highest of a day


@dataclass(frozen=True, slots=True)
class TrafficStory:
    """Where watching stands; `charts` show the evidence against the threshold, both as log10."""

    watch: Watch
    baseline: TrafficBaseline | None
    incidents: Sequence[DriftIncident]
    charts: list[Markup]

    @property
    def standing(self) -> DriftIncident | None:
        """The change that has not ended."""
        return next((one for one in self.incidents if one.ended_at is None), None)


def traffic_story(session: Session, monitor: Monitor | None) -> TrafficStory | None:
    """Of a monitor whose windows alarm; None for others."""
    watch = session.get(Watch, monitor.id) if monitor is not None else None
    if monitor is None or watch is None or monitor.alarms_by != "windows":
        return None
    baseline = session.get(TrafficBaseline, watch.baseline_id) if watch.baseline_id else None
    incidents = session.scalars(
        select(DriftIncident)
        .where(DriftIncident.deployment_id == monitor.deployment_id)
        .order_by(DriftIncident.opened_at.desc(), DriftIncident.id.desc())
        .limit(SHOWN_INCIDENTS)
    ).all()
    return TrafficStory(watch, baseline, incidents, _charts(session, baseline))


def _charts(session: Session, baseline: TrafficBaseline | None) -> list[Markup]:
    if baseline is None:
        return []
    newest = session.scalars(
        select(WindowCheck)
        .where(WindowCheck.baseline_id == baseline.id)
        .order_by(WindowCheck.start.desc())
        .limit(SHOWN_WINDOWS)
    ).all()
    if not newest:
        return []
    windows = newest[::-1]
    threshold = windows[-1].threshold
    chart = Chart(
        title="Evidence that traffic has changed",
        description=f"An alarm where it reaches {threshold:,.0f}; tenfold per line.",
        first=windows[0].start,
        last=windows[-1].start,
        series=[Series("evidence", [_point(one) for one in _told(windows)])],
        limit=("alarm", log10(threshold)),
        unit="number",
        from_zero=True,
    )
    return [line_chart(chart, size) for size in (WIDE, NARROW)]


def _told(windows: Sequence[WindowCheck]) -> list[WindowCheck]:
    """All of them, or of each day the one with the most evidence."""
    if len(windows) <= _DOTS:
        return list(windows)
    highest: dict[datetime, WindowCheck] = {}
    for one in windows:
        day = one.start.replace(hour=0)
        if day not in highest or one.evidence > highest[day].evidence:
            highest[day] = one
    return list(highest.values())


def _point(one: WindowCheck) -> Point:
    hint = (
        f"{one.start:%-d %b %Y %H:%M}: {one.evidence:,.1f} of {one.threshold:,.0f} over "
        f"{one.rows:,} rows"
    )
    return Point(one.start, max(log10(max(one.evidence, 1.0)), 0.0), hint, loud=one.alarm)
