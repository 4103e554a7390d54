"""Alerts: what moved, since when, the evidence, what was done about it."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bailiwick.access import names_of
from bailiwick.console.alert_stories import events_of, messages_of
from bailiwick.console.queries import labels_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_alerts, visible_jobs
from bailiwick.core.errors import NotFound
from bailiwick.lifecycle.jobs import JobKind
from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.monitoring import (
    Alert,
    AlertState,
    CheckResult,
    Monitor,
    acknowledge,
    alert_resource,
    close,
    monitor_resource,
    silenced,
)
from bailiwick.monitoring.watching import DriftIncident
from bailiwick.notifications.channels import channel_names
from bailiwick.policy import Unseen
from bailiwick.registry import Breach, Deployment, deployment_resource
from bailiwick.web import Caller, Cursor, Governed, acts, page_of

ALERTS_PER_PAGE, SHOWN_CHECKS, SHOWN_JOBS = 50, 20, 20
MAX_RESOLUTION_LENGTH = 500
# The report brings its own scripts: it may run them, in an origin of its own, without network.
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; frame-ancestors 'self'"
)

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@router.get("/alerts", **acts("alert:list"))
def alerts(request: Request, caller: Governed, cursor: Cursor = None) -> Response:
    """All alerts, newest first."""
    query = (
        select(Alert)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(visible_alerts(caller))
    )
    rows, following = page_of(caller.session, query, Alert.id, limit=ALERTS_PER_PAGE, cursor=cursor)
    watched = caller.session.scalars(
        select(Deployment).where(Deployment.id.in_({row.deployment_id for row in rows}))
    )
    return page(
        request,
        caller,
        "alerts.html",
        title="Alerts",
        section="alerts",
        rows=rows,
        following=following,
        deployments={deployment.id: deployment for deployment in watched},
        holds=silenced(caller.session, rows, at=caller.at),
    )


@router.get("/alerts/{alert_id}", **acts("alert:read"))
def alert(request: Request, caller: Governed, alert_id: UUID) -> Response:
    """One alert with its evidence."""
    session = caller.session
    found = _governed(caller, alert_id)
    resource = alert_resource(session, found)
    deployment = session.get_one(Deployment, found.deployment_id)
    breach = session.get(Breach, found.breach_id) if found.breach_id else None
    incident = session.get(DriftIncident, found.incident_id) if found.incident_id else None
    events, messages = events_of(session, found), messages_of(session, found)
    people = [
        *(event.actor_id for event in events),
        found.acknowledged_by,
        found.resolved_by,
        breach.caused_by if breach else None,
    ]
    return page(
        request,
        caller,
        "alert.html",
        title=f"Alert on {deployment.namespace}/{deployment.name}",
        section="alerts",
        alert=found,
        deployment=deployment,
        label=labels_of(session, [deployment.label_id])[deployment.label_id],
        breach=breach,
        policies=caller.rules.engine.policies,
        incident=incident,
        examples=_examples(caller, incident, deployment),
        check=_check(caller, found, incident),
        checks=_checks(caller, found),
        jobs=_answers(caller, found),
        names=names_of(session, people),
        events=events,
        messages=messages,
        channels=channel_names(session, {message.channel_id for message in messages}),
        hold=silenced(session, [found], at=caller.at).get(found.id),
        may_acknowledge=found.state == AlertState.OPEN
        and caller.may(resource, "alert:acknowledge"),
        may_resolve=found.state != AlertState.RESOLVED and caller.may(resource, "alert:resolve"),
    )


@router.post("/alerts/{alert_id}/acknowledge", **acts("alert:acknowledge"))
def acknowledge_alert(caller: Governed, alert_id: UUID) -> Response:
    """Say that somebody is looking."""
    found = _governed(caller, alert_id)
    acknowledge(caller.session, found, actor_id=caller.principal_id, at=caller.at)
    return RedirectResponse(f"/console/alerts/{alert_id}", 303)


@router.post("/alerts/{alert_id}/resolve", **acts("alert:resolve"))
def resolve_alert(
    caller: Governed,
    alert_id: UUID,
    resolution: Annotated[str, Form(min_length=1, max_length=MAX_RESOLUTION_LENGTH)],
) -> Response:
    """Say that it is over, and why."""
    found = _governed(caller, alert_id)
    close(
        caller.session,
        found,
        resolution=resolution,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return RedirectResponse(f"/console/alerts/{alert_id}", 303)


@router.get("/reports/{check_id}", **acts("monitor:read"))
def report(caller: Governed, check_id: UUID) -> Response:
    """A check's HTML report as it is stored, confined to a frame without network."""
    check = caller.session.get(CheckResult, check_id)
    if check is None:
        raise Unseen
    monitor = caller.session.get_one(Monitor, check.monitor_id)
    caller.require(monitor_resource(caller.session, monitor))
    if check.report_blob is None:
        raise NotFound("this check left no report")
    return Response(
        caller.platform.blobs.read_bytes(check.report_blob),
        media_type="text/html",
        headers={"Content-Security-Policy": REPORT_POLICY},
    )


def _governed(caller: Caller, alert_id: UUID) -> Alert:
    """The alert, after the policy has let the caller do with it what the route says."""
    found = caller.session.get(Alert, alert_id)
    if found is None:
        raise Unseen
    caller.require(alert_resource(caller.session, found))
    return found


def _examples(
    caller: Caller, incident: DriftIncident | None, deployment: Deployment
) -> dict[str, Any]:
    """Records of before and after, for those who may read the deployment's."""
    resource = deployment_resource(caller.session, deployment)
    if incident is None or not incident.moves:
        return {}
    may = caller.may(resource, "deployment:read-inferences")
    return dict(incident.moves[0].get("examples", {})) if may else {}


def _check(caller: Caller, found: Alert, incident: DriftIncident | None) -> CheckResult | None:
    """The check that raised it, or the second opinion that was asked for when windows did."""
    if incident is None:
        return caller.session.get(CheckResult, found.check_id) if found.check_id else None
    return caller.session.scalar(
        select(CheckResult)
        .where(
            CheckResult.monitor_id == found.monitor_id,
            CheckResult.window_end == incident.opened_at,
        )
        .limit(1)
    )


def _checks(caller: Caller, found: Alert) -> Sequence[CheckResult]:
    """What the monitor's checks found since it began; none for an alert of the policies."""
    return caller.session.scalars(
        select(CheckResult)
        .where(CheckResult.monitor_id == found.monitor_id, CheckResult.window_end > found.since)
        .where(CheckResult.at <= (found.resolved_at or caller.at))
        .order_by(CheckResult.window_end.desc(), CheckResult.id.desc())
        .limit(SHOWN_CHECKS)
    ).all()


def _answers(caller: Caller, found: Alert) -> list[Job]:
    """The retraining jobs that this alert has started."""
    jobs = caller.session.scalars(
        select(Job)
        .join(RetrainingPolicy, RetrainingPolicy.id == Job.subject_id)
        .where(
            RetrainingPolicy.deployment_id == found.deployment_id,
            Job.kind == JobKind.RETRAIN,
            Job.created_at >= found.opened_at,
            visible_jobs(caller),
        )
        .order_by(Job.id.desc())
        .limit(SHOWN_JOBS)
    )
    reason = f"alert {found.id}"
    return [job for job in jobs if str(job.payload.get("reason", "")).startswith(reason)]
