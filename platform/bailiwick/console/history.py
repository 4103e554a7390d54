"""A deployment's past as charts: accuracy per period, drift per check, what happened when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup
from sqlalchemy import select

from bailiwick.console.charts import (
    NARROW,
    SMALL,
    WIDE,
    Chart,
    Mark,
    Point,
    Series,
    line_chart,
)
from bailiwick.console.periods import Calendar, accuracy_by_period, observed
from bailiwick.console.visibility import visible_alerts, visible_deployments, visible_jobs
from bailiwick.lifecycle.jobs import JobKind, JobState
from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.monitoring import Alert, CheckResult, Period
from bailiwick.registry import CHAMPION, AliasMove, Deployment, ModelVersion, versions_by_id
from bailiwick.web import Caller

MAX_COMPARED = 3
MIN_LABELLED_ROWS = 20  # fewer make a dot that says nothing
STYLES = ("subject", "reference", "reference-2", "reference-3")


@dataclass(frozen=True, slots=True)
class Line:
    """One deployment's accuracy: its name in the legend, its style, its periods by start."""

    name: str
    style: str
    periods: dict[datetime, Period]


@dataclass(frozen=True, slots=True)
class History:
    """Accuracy per period of a deployment (first) and of those it is compared with."""

    calendar: Calendar
    lines: Sequence[Line]

    @property
    def rows(self) -> list[tuple[str, list[Period | None]]]:
        """Per period its name and every line's numbers, oldest first; for the table."""
        return [
            (self.calendar.name(start), [line.periods.get(start) for line in self.lines])
            for start in self.calendar.starts[:-1]
            if any(start in line.periods for line in self.lines)
        ]

    @property
    def is_labelled(self) -> bool:
        """Whether any label has come: without one there is no accuracy to draw."""
        return any(one.labelled_rows for line in self.lines for one in line.periods.values())

    def charts(self, marks: Sequence[Mark]) -> list[Markup]:
        """The same chart for wide and for narrow screens."""
        chart = Chart(
            title=f"Accuracy per {self.calendar.unit}",
            description=self._description(),
            first=self.calendar.starts[0],
            last=self.calendar.starts[-1],
            series=[self._series(line) for line in self.lines],
            marks=marks,
        )
        return [line_chart(chart, size) for size in (WIDE, NARROW)]

    def _series(self, line: Line) -> Series:
        points = [
            Point(
                self.calendar.middle(start),
                period.accuracy,
                f"{self.calendar.name(start)}: {line.name} {period.accuracy:.1%} on "
                f"{period.labelled_rows:,} labelled rows",
            )
            for start, period in line.periods.items()
            if period.accuracy is not None and period.labelled_rows >= MIN_LABELLED_ROWS
        ]
        return Series(line.name, points, line.style)

    def _description(self) -> str:
        sentences = []
        for line in self.lines:
            known = [p.accuracy for p in line.periods.values() if p.accuracy is not None]
            if known:
                sentences.append(f"{line.name}: first {known[0]:.1%}, last {known[-1]:.1%}.")
        return " ".join(sentences)


def accuracy_history(caller: Caller, deployment: Deployment) -> History | None:
    """Against the pinned deployments of its model, or for a pinned one those that follow.

    Over the time in which it answered itself; None while there are no requests.
    """
    compared = _compared(caller, deployment)
    shown = [deployment, *compared]
    ids = [one.id for one in shown]
    span = observed(caller.session, [deployment.id])
    if span is None:
        return None
    calendar = Calendar.over(*span)
    found = accuracy_by_period(caller.session, ids, calendar)
    versions = versions_by_id(
        caller.session, [one.pinned_version_id for one in shown if one.pinned_version_id]
    )
    lines = [
        Line(_name(one, versions), style, {period.start: period for period in found[one.id]})
        for one, style in zip(shown, STYLES, strict=False)
        if one is deployment or found[one.id]
    ]
    return History(calendar, lines)


def _compared(caller: Caller, deployment: Deployment) -> list[Deployment]:
    pinned = Deployment.pinned_version_id.is_not(None)
    wanted = pinned if deployment.pinned_version_id is None else ~pinned
    query = (
        select(Deployment)
        .where(
            Deployment.model_id == deployment.model_id,
            Deployment.id != deployment.id,
            wanted,
            visible_deployments(caller),
        )
        .order_by(Deployment.id)
        .limit(MAX_COMPARED)
    )
    return list(caller.session.scalars(query))


def _name(deployment: Deployment, versions: dict[Any, ModelVersion]) -> str:
    if deployment.pinned_version_id is None:
        return f"{deployment.name} (governed)"
    return f"{deployment.name} (frozen at v{versions[deployment.pinned_version_id].number})"


def happened(caller: Caller, deployment: Deployment) -> list[Mark]:
    """Alerts, finished retraining jobs and promotions, for the time axis."""
    session = caller.session
    alerts = session.scalars(
        select(Alert)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(Alert.deployment_id == deployment.id, visible_alerts(caller))
    )
    jobs = session.scalars(
        select(Job)
        .join(RetrainingPolicy, RetrainingPolicy.id == Job.subject_id)
        .where(
            RetrainingPolicy.deployment_id == deployment.id,
            Job.kind == JobKind.RETRAIN,
            Job.state.in_((JobState.SUCCEEDED, JobState.FAILED)),
            visible_jobs(caller),
        )
    )
    moves = session.execute(
        select(AliasMove.at, ModelVersion.number)
        .join(ModelVersion, ModelVersion.id == AliasMove.new_version_id)
        .where(AliasMove.model_id == deployment.model_id, AliasMove.alias == CHAMPION)
    )
    marks = [
        Mark(alert.opened_at, "alert", f"{alert.opened_at:%-d %b %Y}: alert, {alert.sentence}")
        for alert in alerts
    ]
    for job in jobs:
        if job.finished_at is not None:
            outcome = (job.result or {}).get("summary") or job.state
            hint = f"{job.finished_at:%-d %b %Y}: retrained, {outcome}"
            marks.append(Mark(job.finished_at, "retrain", hint))
    if deployment.pinned_version_id is None:
        marks += [
            Mark(at, "promotion", f"{at:%-d %b %Y}: version {number} became champion")
            for at, number in moves
        ]
    return marks


@dataclass(frozen=True, slots=True)
class DriftChart:
    """One statistic over time."""

    column: str
    test: str
    newest: float
    threshold: float
    drifted: bool
    drawing: Markup


def drift_charts(checks: Sequence[CheckResult], marks: Sequence[Mark]) -> list[DriftChart]:
    """One small chart per column that the newest check measured; `checks` newest first."""
    measured = [check for check in reversed(checks) if check.results]
    if not measured:
        return []
    first, last = measured[0].window_end, measured[-1].window_end
    alerts = [mark for mark in marks if mark.kind == "alert"]
    return [
        _drift_chart(result, measured, (first, last), alerts) for result in measured[-1].results
    ]


def _drift_chart(
    newest: dict[str, Any],
    checks: Sequence[CheckResult],
    span: tuple[datetime, datetime],
    marks: Sequence[Mark],
) -> DriftChart:
    column = str(newest["column"])
    name = column.replace("_", " ")
    points = [
        Point(
            check.window_end,
            result["statistic"],
            f"{check.window_end:%-d %b %Y}: {result['statistic']:.3f} "
            f"(threshold {result['threshold']:g}) over {check.rows:,} rows",
            loud=bool(result["drifted"]),
        )
        for check in checks
        for result in check.results
        if result["column"] == column
    ]
    drawing = line_chart(
        Chart(
            title=f"Drift of {name}",
            description=f"Newest {newest['statistic']:.3f}, threshold {newest['threshold']:g}.",
            first=span[0],
            last=span[1],
            series=[Series(name, points)],
            marks=marks,
            limit=("threshold", newest["threshold"]),
            unit="number",
            from_zero=True,
        ),
        SMALL,
    )
    return DriftChart(
        column, newest["test"], newest["statistic"], newest["threshold"], newest["drifted"], drawing
    )
