"""Monitors and baselines: what is watched, and what it is held to."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.core.ids import new_id
from bailiwick.monitoring.budget import check_budget
from bailiwick.monitoring.confusion import open_ledger
from bailiwick.monitoring.costs import check_costs
from bailiwick.monitoring.labelled import LabelWatch
from bailiwick.monitoring.seasons import clock_of
from bailiwick.monitoring.statistics import DEFAULT_STATISTICS, StatisticSpec
from bailiwick.monitoring.tables import Baseline, Monitor
from bailiwick.monitoring.watching import Watch
from bailiwick.monitoring.watching.planning import LENGTHS_HOURS
from bailiwick.policy import Resource
from bailiwick.registry import Deployment, deployment_resource

WATCHING = (
    "alarms_by",
    "false_alarms_per_year",
    "smallest_change_sd",
    "smallest_change_share",
    "window_hours",
    "zone",
    "baseline_days",
    "smallest_change_requests",
    "label_alarms_ratio",
    "costs",
)


def create_monitor(
    session: Session,
    deployment: Deployment,
    *,
    statistics: Sequence[StatisticSpec] = DEFAULT_STATISTICS,
    max_accuracy_drop: float,
    min_rows: int,
    window_days: int,
    alarms_by: str = "windows",
    false_alarms_per_year: float = 1.0,
    smallest_change_sd: float = 0.1,
    smallest_change_share: float = 0.05,
    window_hours: int | None = None,
    zone: str = "UTC",
    baseline_days: int | None = None,
    smallest_change_requests: float | None = None,
    label_alarms_ratio: float = 0.25,
    costs: dict[str, Any] | None = None,
    actor_id: UUID,
    at: datetime,
) -> Monitor:
    """Watch a deployment; it has one monitor, whose settings are stored whole."""
    if session.scalar(select(Monitor.id).where(Monitor.deployment_id == deployment.id)):
        raise Conflict("this deployment has a monitor already; change that one")
    monitor = Monitor(
        id=new_id(),
        deployment_id=deployment.id,
        statistics=[asdict(statistic) for statistic in statistics],
        max_accuracy_drop=max_accuracy_drop,
        min_rows=min_rows,
        window_days=window_days,
        enabled=True,
        alarms_by=alarms_by,
        false_alarms_per_year=false_alarms_per_year,
        smallest_change_sd=smallest_change_sd,
        smallest_change_share=smallest_change_share,
        window_hours=window_hours,
        zone=zone,
        baseline_days=baseline_days,
        smallest_change_requests=smallest_change_requests,
        label_alarms_ratio=label_alarms_ratio,
        costs=costs,
        created_by=actor_id,
        created_at=at,
    )
    _check(monitor)
    session.add(monitor)
    session.flush()
    session.add(Watch(monitor_id=monitor.id, origin="traffic", reason=""))
    session.add(LabelWatch(monitor_id=monitor.id))
    open_ledger(session, deployment.id)
    session.flush()
    record(
        session,
        "monitor.created",
        subject_type="monitor",
        subject_id=monitor.id,
        actor_id=actor_id,
        at=at,
        details={
            "deployment": str(deployment.id),
            "statistics": monitor.statistics,
            "max_accuracy_drop": max_accuracy_drop,
            "min_rows": min_rows,
            "window_days": window_days,
            **{name: getattr(monitor, name) for name in WATCHING},
        },
    )
    return monitor


def update_monitor(
    session: Session,
    monitor: Monitor,
    changes: dict[str, Any],
    *,
    actor_id: UUID,
    at: datetime,
) -> Monitor:
    """Change settings; the event holds old and new."""
    before = {name: getattr(monitor, name) for name in changes}
    if before == changes:
        return monitor
    for name, value in changes.items():
        setattr(monitor, name, value)
    _check(monitor)
    session.flush()
    record(
        session,
        "monitor.updated",
        subject_type="monitor",
        subject_id=monitor.id,
        actor_id=actor_id,
        at=at,
        details={"old": before, "new": changes},
    )
    return monitor


def add_baseline(
    session: Session,
    version_id: UUID,
    *,
    rows_blob: str,
    rows: int,
    accuracy: float,
    actor_id: UUID,
    at: datetime,
) -> Baseline:
    """Keep how a version did on the rows it was evaluated on; never changed, never rolled."""
    baseline = Baseline(
        version_id=version_id,
        rows_blob=rows_blob,
        rows=rows,
        accuracy=accuracy,
        created_at=at,
    )
    session.add(baseline)
    session.flush()
    record(
        session,
        "baseline.created",
        subject_type="model-version",
        subject_id=version_id,
        actor_id=actor_id,
        at=at,
        details={"rows_blob": rows_blob, "rows": rows, "accuracy": accuracy},
    )
    return baseline


def baseline_of(session: Session, version_id: UUID) -> Baseline:
    """The baseline of a version, or `NotFound`."""
    baseline = session.scalar(select(Baseline).where(Baseline.version_id == version_id))
    if baseline is None:
        raise NotFound("this version has no baseline; it was never evaluated here")
    return baseline


def monitor_resource(session: Session, monitor: Monitor) -> Resource:
    """The monitor as the policy sees it: labelled like the deployment it watches."""
    watched = deployment_resource(session, session.get_one(Deployment, monitor.deployment_id))
    return Resource(
        type="Monitor",
        id=str(monitor.id),
        namespace=watched.namespace,
        label=watched.label,
        belongs_to=watched.belongs_to,
    )


def _check(monitor: Monitor) -> None:
    if not 0 < monitor.max_accuracy_drop < 1:
        raise Invalid(
            "max_accuracy_drop is a share and must lie between 0 and 1, for instance 0.05"
        )
    if monitor.min_rows < 1:
        raise Invalid("min_rows must be at least 1")
    if monitor.window_days < 1:
        raise Invalid("window_days must be at least 1")
    if monitor.alarms_by not in ("windows", "checks"):
        raise Invalid("alarms_by is windows (the sequential detector) or checks (thresholds)")
    if monitor.window_hours is not None and monitor.window_hours not in LENGTHS_HOURS:
        raise Invalid(f"window_hours is one of {', '.join(map(str, LENGTHS_HOURS))}, or left out")
    if monitor.baseline_days is not None and not 7 <= monitor.baseline_days <= 366:  # noqa: PLR2004
        raise Invalid("baseline_days is a number of days from 7 to 366, or left out for never")
    check_budget(monitor)
    check_costs(monitor.costs)
    clock_of(monitor.zone)
