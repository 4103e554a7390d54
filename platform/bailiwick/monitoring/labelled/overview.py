"""How right a deployment's answers are, by labels as they stand: a series over time, figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.monitoring.confusion import (
    MOST_LABELS,
    OTHER,
    LabelCounts,
    LabelHour,
    LabelledHour,
    counts_between,
    hours_between,
    label_names,
)
from bailiwick.monitoring.confusion.counts import (
    MILLION,
    RIGHT,
    ROWS,
    SQUARE,
    SURE,
    SURE_RIGHT,
)
from bailiwick.monitoring.estimating import ESTIMATED
from bailiwick.monitoring.hours import HOUR
from bailiwick.monitoring.performance.classes import SureBin
from bailiwick.monitoring.performance.reporting import (
    Figure,
    Labelled,
    classes,
    figures,
)
from bailiwick.monitoring.statistics import wilson_interval
from bailiwick.monitoring.tables import CheckResult, Monitor
from bailiwick.monitoring.windows import WindowRow

Unit = Literal["day", "week", "month"]
SPAN: Final = timedelta(days=90)  # looked at, unless asked for another
MOST_PERIODS: Final = 60  # more days of them are told by the week
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class LabelledPeriod:
    """Labelled requests of a day, week (from Monday) or month (UTC), with Wilson's interval."""

    start: datetime
    rows: int
    correct: int
    accuracy: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Estimated:
    """The newest estimate of accuracy without labels, and how far earlier ones were off."""

    start: datetime
    end: datetime
    accuracy: float
    lower: float
    upper: float
    measured_error: float | None
    verified: int
    trusted: bool
    doubts: list[str]


@dataclass(frozen=True, slots=True)
class LabelsOverview:
    """Labels of the requests with start <= hour < end; all empty while there are none."""

    start: datetime | None
    end: datetime | None
    rows: int
    correct: int
    by: Unit
    periods: list[LabelledPeriod]
    figures: list[Figure]
    classes: list[dict[str, Any]]
    estimated: Estimated | None


def labels_overview(
    session: Session,
    deployment_id: UUID,
    monitor: Monitor | None,
    *,
    by: Unit | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    least_accuracy: float | None = None,
) -> LabelsOverview:
    """Of the 90 days up to the newest label, or of the days asked for; in five queries.

    Periods are days, or weeks where these were too many, unless `by` says otherwise.
    """
    estimated = newest_estimate(session, monitor) if monitor is not None else None
    newest = select(func.max(LabelHour.start)).where(
        LabelHour.deployment_id == deployment_id, LabelHour.rows > 0
    )
    last = session.scalar(newest)
    if last is None:
        return LabelsOverview(None, None, 0, 0, by or "day", [], [], [], estimated)
    end = end or last + HOUR
    start = start or end - SPAN
    hours = hours_between(session, deployment_id, start=start, end=end)
    counts = counts_between(session, deployment_id, None, start=start, end=end)
    names, _ = label_names(session, deployment_id)
    labelled = labelled_of(counts, names)
    by = by or ("day" if len(periods_of(hours, "day")) <= MOST_PERIODS else "week")
    costs = monitor.costs if monitor is not None else None
    return LabelsOverview(
        start,
        end,
        labelled.rows,
        labelled.correct,
        by,
        periods_of(hours, by),
        figures(labelled, least_accuracy=least_accuracy, costs=costs),
        classes(labelled),
        estimated,
    )


def labelled_of(counts: LabelCounts, names: Sequence[str]) -> Labelled:
    """Counts as `performance` reads them: others are the place after the last name."""
    last = len(names)
    confusion = {
        (last if said == OTHER else said, last if true == OTHER else true): rows
        for (said, true), rows in counts.cells.items()
        if rows > 0
    }
    places = sorted({place for place, _ in counts.bins})
    bins = {
        place: SureBin(
            rows=counts.bins[place, ROWS],
            correct=counts.bins[place, RIGHT],
            confidence=counts.bins[place, SURE] / MILLION,
            square=counts.bins[place, SQUARE] / MILLION**2,
            confidence_of_correct=counts.bins[place, SURE_RIGHT] / MILLION,
        )
        for place in places
        if counts.bins[place, ROWS] > 0
    }
    return Labelled(names, counts.rows, counts.correct, confusion, bins)


def labelled_of_rows(rows: Sequence[WindowRow]) -> Labelled:
    """Those of a window's rows that have a label, counted; the most frequent labels by name."""
    known = [(row, row.label) for row in rows if row.label is not None]
    said = Counter(name for row, label in known for name in (row.prediction, label))
    names = [name for name, _ in sorted(said.items(), key=lambda one: (-one[1], one[0]))]
    place = {name: number for number, name in enumerate(names[:MOST_LABELS])}
    counts = LabelCounts()
    for row, label in known:
        counts.add(
            place.get(row.prediction, OTHER),
            place.get(label, OTHER),
            correct=row.prediction == label,
            confidence=row.confidence,
            segments={},
            sign=1,
        )
    return labelled_of(counts, names[:MOST_LABELS])


def periods_of(hours: Sequence[LabelledHour], by: Unit) -> list[LabelledPeriod]:
    """Hours added up, in order; periods without labels are left out."""
    found: dict[datetime, list[int]] = {}
    for hour in hours:
        own = found.setdefault(_start_of(hour.start, by), [0, 0])
        own[0] += hour.rows
        own[1] += hour.correct
    return [
        LabelledPeriod(
            start, rows, correct, correct / rows, *wilson_interval(correct, rows, _LEVEL)
        )
        for start, (rows, correct) in found.items()
    ]


def newest_estimate(session: Session, monitor: Monitor) -> Estimated | None:
    """Of the newest check that has one."""
    newest = session.scalars(
        select(CheckResult)
        .where(CheckResult.monitor_id == monitor.id)
        .order_by(CheckResult.window_end.desc(), CheckResult.id.desc())
        .limit(1)
    ).first()
    found = newest.details.get(ESTIMATED) if newest is not None else None
    if newest is None or found is None:
        return None
    return Estimated(
        start=newest.window_start,
        end=newest.window_end,
        accuracy=found["accuracy"],
        lower=found["lower"],
        upper=found["upper"],
        measured_error=found["measured_error"],
        verified=found["verified"],
        trusted=found["trusted"],
        doubts=[doubt["sentence"] for doubt in found["doubts"]],
    )


def _start_of(moment: datetime, by: Unit) -> datetime:
    midnight = moment.replace(hour=0)
    if by == "week":
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(day=1) if by == "month" else midnight
