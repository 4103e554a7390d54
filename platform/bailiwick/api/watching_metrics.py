"""Prometheus metrics of alerts, their messages, and the checks: of what the caller may see."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from bailiwick.lifecycle.jobs import UNFINISHED, JobKind
from bailiwick.lifecycle.tables import Job, Schedule
from bailiwick.monitoring import Alert, AlertState, CheckResult, Monitor
from bailiwick.monitoring.labelled import LabelIncident
from bailiwick.monitoring.watching import DriftIncident, TrafficBaseline, Watch
from bailiwick.notifications import Delivery, DeliveryState
from bailiwick.registry import Deployment, Rollout
from bailiwick.web import Governed, visible_jobs

DAY = timedelta(days=1)
UNSENT = (DeliveryState.PENDING, DeliveryState.FAILED)


def watching_families(caller: Governed) -> list[GaugeMetricFamily]:
    """All of them, in a fixed number of queries."""
    return [
        *_alerts(caller),
        *_messages(caller),
        *_checks(caller),
        *_traffic(caller),
        _rollouts(caller),
    ]


def _alerts(caller: Governed) -> Iterator[GaugeMetricFamily]:
    family = GaugeMetricFamily(
        "bailiwick_alerts",
        "Alerts by state and severity; those resolved more than a day ago are left out.",
        labels=["state", "severity"],
    )
    lately = (Alert.state != AlertState.RESOLVED) | (Alert.resolved_at > caller.at - DAY)
    counts = (
        select(Alert.state, Alert.severity, func.count())
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(_visible_alerts(caller), lately)
        .group_by(Alert.state, Alert.severity)
    )
    unresolved = 0
    for state, severity, count in caller.session.execute(counts):
        family.add_metric([state, severity], count)
        unresolved += count if state != AlertState.RESOLVED else 0
    yield family
    yield GaugeMetricFamily("bailiwick_alerts_unresolved", "Alerts that stand.", unresolved)


def _messages(caller: Governed) -> Iterator[GaugeMetricFamily]:
    family = GaugeMetricFamily(
        "bailiwick_deliveries",
        "Messages to channels by state; those that came to an end over a day ago are left out.",
        labels=["state"],
    )
    lately = Delivery.finished_at.is_(None) | (Delivery.finished_at > caller.at - DAY)
    counts = (
        select(Delivery.state, func.count())
        .join(Deployment, Deployment.id == Delivery.deployment_id)
        .where(_visible_alerts(caller), lately)
        .group_by(Delivery.state)
    )
    for state, count in caller.session.execute(counts):
        family.add_metric([state], count)
    yield family
    oldest = caller.session.scalar(
        select(func.min(Delivery.due_at))
        .join(Deployment, Deployment.id == Delivery.deployment_id)
        .where(_visible_alerts(caller), Delivery.state.in_(UNSENT), Delivery.due_at <= caller.at)
    )
    yield GaugeMetricFamily(
        "bailiwick_oldest_undelivered_message_seconds",
        "How long the oldest message that is due has not been delivered; 0 if there is none.",
        _age(oldest, caller.at),
    )


def _checks(caller: Governed) -> Iterator[GaugeMetricFamily]:
    family = GaugeMetricFamily(
        "bailiwick_checks_last_day",
        "Checks in the last 24 hours, by what they found.",
        labels=["verdict"],
    )
    counts = (
        select(CheckResult.verdict, func.count())
        .join(Monitor, Monitor.id == CheckResult.monitor_id)
        .join(Deployment, Deployment.id == Monitor.deployment_id)
        .where(
            _visible(caller, "Monitor", Deployment.label_id, "monitor:read"),
            CheckResult.at > caller.at - DAY,
        )
        .group_by(CheckResult.verdict)
    )
    for verdict, count in caller.session.execute(counts):
        family.add_metric([verdict], count)
    yield family
    queued = caller.session.scalar(
        select(func.min(func.coalesce(Job.due_at, Job.created_at))).where(
            Job.kind == JobKind.CHECK, Job.state.in_(UNFINISHED), visible_jobs(caller)
        )
    )
    unfired = caller.session.scalar(
        select(func.min(Schedule.next_due_at))
        .join(Monitor, Monitor.id == Schedule.subject_id)
        .join(Deployment, Deployment.id == Monitor.deployment_id)
        .where(
            Schedule.job_kind == JobKind.CHECK,
            Schedule.enabled,
            _visible(caller, "Monitor", Deployment.label_id, "monitor:read"),
        )
    )
    yield GaugeMetricFamily(
        "bailiwick_checks_lag_seconds",
        "How long the most overdue check has been due without being finished; 0 if none is.",
        max(_age(queued, caller.at), _age(unfired, caller.at)),
    )


def _traffic(caller: Governed) -> Iterator[GaugeMetricFamily]:
    family = GaugeMetricFamily(
        "bailiwick_watched_deployments",
        "Deployments whose windows alarm, by the baseline that they are held to.",
        labels=["baseline"],
    )
    mine = _visible(caller, "Monitor", Deployment.label_id, "monitor:read")
    counts = (
        select(func.coalesce(TrafficBaseline.grade, "none"), func.count())
        .select_from(Watch)
        .join(Monitor, Monitor.id == Watch.monitor_id)
        .join(Deployment, Deployment.id == Monitor.deployment_id)
        .outerjoin(TrafficBaseline, TrafficBaseline.id == Watch.baseline_id)
        .where(mine, Monitor.enabled, Monitor.alarms_by == "windows")
        .group_by(TrafficBaseline.grade)
    )
    for grade, count in caller.session.execute(counts):
        family.add_metric([grade], count)
    yield family
    family = GaugeMetricFamily(
        "bailiwick_traffic_incidents", "Changes of traffic that stand, by cause.", labels=["cause"]
    )
    standing = (
        select(DriftIncident.cause, func.count())
        .join(Deployment, Deployment.id == DriftIncident.deployment_id)
        .where(mine, DriftIncident.ended_at.is_(None))
        .group_by(DriftIncident.cause)
    )
    for cause, count in caller.session.execute(standing):
        family.add_metric([cause], count)
    yield family
    family = GaugeMetricFamily(
        "bailiwick_label_incidents",
        "Losses of accuracy by labels that stand, by severity.",
        labels=["severity"],
    )
    lost = (
        select(LabelIncident.worth_waking, func.count())
        .join(Deployment, Deployment.id == LabelIncident.deployment_id)
        .where(mine, LabelIncident.ended_at.is_(None))
        .group_by(LabelIncident.worth_waking)
    )
    for worth_waking, count in caller.session.execute(lost):
        family.add_metric(["page" if worth_waking else "note"], count)
    yield family


def _rollouts(caller: Governed) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "bailiwick_rollouts",
        "Rollouts by state; those that ended more than a day ago are left out.",
        labels=["state"],
    )
    lately = Rollout.ended_at.is_(None) | (Rollout.ended_at > caller.at - DAY)
    counts = (
        select(Rollout.state, func.count())
        .join(Deployment, Deployment.id == Rollout.deployment_id)
        .where(_visible(caller, "Deployment", Deployment.label_id, "deployment:read"), lately)
        .group_by(Rollout.state)
    )
    for state, count in caller.session.execute(counts):
        family.add_metric([state], count)
    return family


def _visible_alerts(caller: Governed) -> ColumnElement[bool]:
    return _visible(caller, "Alert", Deployment.label_id, "alert:read")


def _visible(
    caller: Governed, kind: str, label_id: InstrumentedAttribute[str], action: str
) -> ColumnElement[bool]:
    return caller.visible(
        kind,
        Deployment.namespace,
        label_id,
        action=action,
        objects=("deployments", Deployment.name),
    )


def _age(moment: datetime | None, at: datetime) -> float:
    return max(0.0, (at - moment).total_seconds()) if moment else 0.0
