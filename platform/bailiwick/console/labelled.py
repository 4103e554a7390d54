"""How right a deployment is by its labels, as its page tells it: over time and by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.console.charts import NARROW, WIDE, Chart, Point, Series, line_chart
from bailiwick.monitoring import Monitor
from bailiwick.monitoring.labelled import (
    LabelIncident,
    LabelledPeriod,
    LabelReference,
    LabelsOverview,
    LabelWatch,
    held_to,
    labels_overview,
)

SHOWN_INCIDENTS = 8


@dataclass(frozen=True, slots=True)
class LabelsStory:
    """Where watching labels stands, and what they say; `charts` show accuracy and its interval."""

    watch: LabelWatch
    reference: LabelReference | None
    held_to: str
    incidents: Sequence[LabelIncident]
    found: LabelsOverview
    charts: list[Markup]

    @property
    def standing(self) -> LabelIncident | None:
        """The loss that has not ended."""
        return next((one for one in self.incidents if one.ended_at is None), None)


def labels_story(session: Session, monitor: Monitor | None) -> LabelsStory | None:
    """Of a deployment that has a monitor, which is what its labels are counted for."""
    watch = session.get(LabelWatch, monitor.id) if monitor is not None else None
    if monitor is None or watch is None:
        return None
    reference = session.get(LabelReference, watch.reference_id) if watch.reference_id else None
    least = reference.accuracy - monitor.max_accuracy_drop if reference else None
    found = labels_overview(session, monitor.deployment_id, monitor, least_accuracy=least)
    incidents = session.scalars(
        select(LabelIncident)
        .where(LabelIncident.deployment_id == monitor.deployment_id)
        .order_by(LabelIncident.opened_at.desc(), LabelIncident.id.desc())
        .limit(SHOWN_INCIDENTS)
    ).all()
    told = held_to(reference) if reference else ""
    return LabelsStory(watch, reference, told, incidents, found, _charts(found, least))


def _charts(found: LabelsOverview, least: float | None) -> list[Markup]:
    if len(found.periods) < 2:  # noqa: PLR2004 - a line has two ends
        return []
    middle = timedelta(days=3.5 if found.by == "week" else 0.5)
    first, last = found.periods[0], found.periods[-1]
    lower = [_point(one, one.lower, middle) for one in found.periods]
    upper = [_point(one, one.upper, middle) for one in found.periods]
    chart = Chart(
        title=f"Accuracy by labels, per {found.by}",
        description=f"First {first.accuracy:.1%}, last {last.accuracy:.1%}; 95 % interval.",
        first=first.start,
        last=last.start + 2 * middle,
        series=[
            Series("accuracy", [_point(one, one.accuracy, middle) for one in found.periods]),
            Series("lower end", lower, "reference"),
            Series("upper end", upper, "reference"),
        ],
        limit=("worth waking for", least) if least is not None else None,
    )
    return [line_chart(chart, size) for size in (WIDE, NARROW)]


def _point(one: LabelledPeriod, value: float, middle: timedelta) -> Point:
    hint = (
        f"{one.start:%-d %b %Y}: {one.accuracy:.1%} ({one.lower:.1%} to {one.upper:.1%}) on "
        f"{one.rows:,} labels"
    )
    return Point(one.start + middle, value, hint)
