"""Alerts: what moved, since when, the evidence, what was done about it."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bailiwick.access import names_of
from bailiwick.console.alert_stories import events_of, held, messages_of
from bailiwick.console.deliveries import names_of_deployments
from bailiwick.console.forms import Attempt, text_of
from bailiwick.console.queries import labels_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_alerts, visible_jobs
from bailiwick.core.errors import Invalid, NotFound
from bailiwick.lifecycle.timelines import answering_jobs, timeline_of
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
from bailiwick.monitoring.labelled import LabelIncident
from bailiwick.monitoring.watching import DriftIncident
from bailiwick.notifications import Severity, silence_resource
from bailiwick.notifications.channels import channel_names
from bailiwick.policy import PLATFORM
from bailiwick.registry import Breach, Deployment, deployment_resource
from bailiwick.web import Caller, Cursor, Governed, acts, by_id, governed_alert, page_of

ALERTS_PER_PAGE, SHOWN_CHECKS = 50, 20
STATES, LOUD = tuple(AlertState), tuple(Severity)
# The report brings its own scripts: it may run them, in an origin of its own, without network.
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; frame-ancestors 'self'"
)

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)

Chosen = Annotated[str, Query(max_length=20)]


@router.get("/alerts", **acts("alert:list"))
def alerts(
    request: Request,
    caller: Governed,
    cursor: Cursor = None,
    state: Chosen = "",
    severity: Chosen = "",
) -> Response:
    """Alerts, newest first; all of them, or those that stand so and are so loud."""
    query = (
        select(Alert)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(visible_alerts(caller))
    )
    for column, chosen, known in ((Alert.state, state, STATES), (Alert.severity, severity, LOUD)):
        if chosen in known:
            query = query.where(column == chosen)
    rows, following = page_of(caller.session, query, Alert.id, limit=ALERTS_PER_PAGE, cursor=cursor)
    return page(
        request,
        caller,
        "alerts.html",
        title="Alerts",
        section="alerts",
        rows=rows,
        following=following,
        state=state,
        severity=severity,
        states=STATES,
        severities=LOUD,
        deployments=names_of_deployments(caller.session, {row.deployment_id for row in rows}),
        holds=silenced(caller.session, rows, at=caller.at),
    )


@router.get("/alerts/{alert_id}", **acts("alert:read"))
def alert(request: Request, caller: Governed, alert_id: UUID) -> Response:
    """One alert with its evidence."""
    return _page(request, caller, governed_alert(caller, alert_id))


@router.post("/alerts/{alert_id}/acknowledge", **acts("alert:acknowledge"))
def acknowledge_alert(request: Request, caller: Governed, alert_id: UUID) -> Response:
    """Say that somebody is looking."""
    found = governed_alert(caller, alert_id)
    with Attempt(caller) as attempt:
        acknowledge(caller.session, found, actor_id=caller.principal_id, at=caller.at)
        return RedirectResponse(f"/console/alerts/{alert_id}", 303)
    return _page(request, caller, found, problem=attempt.problem, status=attempt.status)


@router.post("/alerts/{alert_id}/resolve", **acts("alert:resolve"))
def resolve_alert(
    request: Request, caller: Governed, alert_id: UUID, resolution: Annotated[str, Form()] = ""
) -> Response:
    """Say that it is over, and why."""
    found = governed_alert(caller, alert_id)
    with Attempt(caller) as attempt:
        reason = text_of("resolution", resolution)
        if not reason:
            raise Invalid("say why it is over; whoever meets this again will want to know")
        close(
            caller.session,
            found,
            resolution=reason,
            actor_id=caller.principal_id,
            at=caller.at,
        )
        return RedirectResponse(f"/console/alerts/{alert_id}", 303)
    return _page(
        request,
        caller,
        found,
        resolution=resolution,
        problem=attempt.problem,
        status=attempt.status,
    )


@router.get("/reports/{check_id}", **acts("monitor:read"))
def report(caller: Governed, check_id: UUID) -> Response:
    """A check's HTML report as it is stored, confined to a frame without network."""
    check = by_id(caller, CheckResult, check_id)
    monitor = caller.session.get_one(Monitor, check.monitor_id)
    caller.require(monitor_resource(caller.session, monitor))
    if check.report_blob is None:
        raise NotFound("this check left no report")
    return Response(
        caller.platform.blobs.read_bytes(check.report_blob),
        media_type="text/html",
        headers={"Content-Security-Policy": REPORT_POLICY},
    )


def _page(
    request: Request,
    caller: Caller,
    found: Alert,
    *,
    resolution: str = "",
    problem: str | None = None,
    status: int = 200,
) -> Response:
    session = caller.session
    resource = alert_resource(session, found)
    deployment = session.get_one(Deployment, found.deployment_id)
    breach = session.get(Breach, found.breach_id) if found.breach_id else None
    incident = session.get(DriftIncident, found.incident_id) if found.incident_id else None
    lost = found.label_incident_id
    loss = session.get(LabelIncident, lost) if lost else None
    events, messages = events_of(session, found), messages_of(session, found)
    people = [
        *(event.actor_id for event in events),
        found.acknowledged_by,
        found.resolved_by,
        breach.caused_by if breach else None,
    ]
    jobs = answering_jobs(session, found, visible_jobs(caller))
    stands = found.state != AlertState.RESOLVED
    silence = silence_resource(session, found.id, deployment.namespace, deployment)
    return page(
        request,
        caller,
        "alert.html",
        title=f"Alert on {deployment.namespace}/{deployment.name}",
        section="alerts",
        status=status,
        problem=problem,
        resolution=resolution,
        alert=found,
        deployment=deployment,
        label=labels_of(session, [deployment.label_id])[deployment.label_id],
        breach=breach,
        policies=caller.rules.engine.policies,
        incident=incident,
        loss=loss,
        examples=_examples(caller, incident, deployment),
        check=_check(caller, found, incident),
        checks=_checks(caller, found),
        jobs=jobs,
        timeline=timeline_of(session, found, jobs) if jobs else None,
        names=names_of(session, people),
        events=events,
        messages=messages,
        channels=channel_names(session, {message.channel_id for message in messages}),
        sees_channels=caller.may(PLATFORM, "channel:list"),
        held=held(caller, found),
        may_acknowledge=found.state == AlertState.OPEN
        and caller.may(resource, "alert:acknowledge"),
        may_resolve=stands and caller.may(resource, "alert:resolve"),
        may_silence=stands and caller.may(silence, "silence:create"),
    )


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
