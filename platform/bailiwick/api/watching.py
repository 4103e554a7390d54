"""`/deployments/{id}/watching|windows|baselines|incidents`: how traffic is watched, and what came.

An incident that was fixed is ended by resolving its alert.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime
from sqlalchemy import select

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.core.errors import NotFound
from bailiwick.monitoring import Monitor, monitor_resource
from bailiwick.monitoring.watching import (
    DriftIncident,
    TrafficBaseline,
    Watch,
    WindowCheck,
    accept,
    fix_baseline,
    without_examples,
)
from bailiwick.policy import Unseen
from bailiwick.registry import Deployment, deployment_resource
from bailiwick.web import (
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    Precondition,
    acts,
    page_of,
    tag,
)

Out = TypeVar("Out", bound=Schema)
router = APIRouter(prefix="/deployments", tags=["watching"], route_class=GovernedRoute)


class BaselineOut(Schema):
    """What the windows of a deployment look like while nothing is wrong; never changed.

    `grade`: full, or provisional while there are fewer than four weeks. `origin`: made of the
    first traffic, asked for, or of traffic since a change that was accepted.
    """

    id: UUID
    version_id: UUID
    digest: str
    grade: Literal["provisional", "full"]
    origin: Literal["traffic", "asked", "accepted", "scheduled", "carried"]
    reason: str
    carried_from: UUID | None
    window_hours: int
    first: datetime
    end: datetime
    windows: int
    rows: int
    watched: list[str]
    unwatched: list[str]
    created_by: UUID
    created_at: datetime


class BaselinePage(Page):
    """Baselines, newest first."""

    items: list[BaselineOut]


class BaselineIn(Body):
    """The days that a baseline is to be made of (UTC, `end` not among them), and why."""

    first: AwareDatetime
    end: AwareDatetime
    reason: Text


class WindowOut(Schema):
    """What the detector made of one window: an alarm where evidence reaches the threshold."""

    id: UUID
    baseline_id: UUID
    start: datetime
    hours: int
    rows: int
    alarm: bool
    evidence: float
    threshold: float
    features: list[str]
    at: datetime


class WindowPage(Page):
    """Judged windows, newest first."""

    items: list[WindowOut]


class IncidentOut(Schema):
    """A change of traffic that stands, or stood.

    `hurts`, `effect`: what it does to accuracy by estimate; null while no estimate is trusted.
    `moves`: the features that changed, the likeliest first, with sizes, intervals and figures; of
    the first one the segments it came from, and examples for those who may read records.
    """

    id: UUID
    deployment_id: UUID
    baseline_id: UUID
    cause: str
    sentence: str
    worth_waking: bool
    hurts: bool | None
    effect: str | None
    since: datetime
    since_earliest: datetime
    since_latest: datetime
    moves: list[dict[str, Any]]
    opened_at: datetime
    confirmed_at: datetime
    ended_at: datetime | None
    ended_as: Literal["recovered", "fixed", "accepted", "replaced"] | None
    ended_by: UUID | None
    reason: str | None


class IncidentPage(Page):
    """Incidents, newest first."""

    items: list[IncidentOut]


class AcceptIn(Body):
    """Why the change is the new normal."""

    reason: Text


class WatchingOut(Schema):
    """How far the watching of a deployment has come.

    `waits_for`: what is missing, in words; `judged_until`: where the next window begins.
    """

    monitor_id: UUID
    waits_for: str | None
    judged_until: datetime | None
    baseline: BaselineOut | None
    incident: IncidentOut | None


@router.get("/{deployment_id}/watching", **acts("check:list"))
def read_watching(deployment_id: UUID, caller: Governed) -> WatchingOut:
    """Where the watching of a deployment stands."""
    governed_deployment(caller, deployment_id)
    monitor = _monitor(caller, deployment_id)
    watch = caller.session.get_one(Watch, monitor.id)
    baseline = watch.baseline_id and caller.session.get_one(TrafficBaseline, watch.baseline_id)
    incident = watch.incident_id and caller.session.get_one(DriftIncident, watch.incident_id)
    return WatchingOut(
        monitor_id=monitor.id,
        waits_for=watch.waits_for,
        judged_until=watch.next_start,
        baseline=BaselineOut.model_validate(baseline) if baseline else None,
        incident=_shown(caller, incident) if incident else None,
    )


@router.get("/{deployment_id}/windows", **acts("check:list"))
def list_windows(
    deployment_id: UUID,
    caller: Governed,
    *,
    alarm: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WindowPage:
    """The windows that were judged, newest first; only those that alarmed, if asked."""
    governed_deployment(caller, deployment_id)
    query = (
        select(WindowCheck)
        .join(TrafficBaseline, TrafficBaseline.id == WindowCheck.baseline_id)
        .where(TrafficBaseline.deployment_id == deployment_id)
    )
    if alarm is not None:
        query = query.where(WindowCheck.alarm == alarm)
    rows, following = page_of(caller.session, query, WindowCheck.id, limit=limit, cursor=cursor)
    return WindowPage(items=_each(WindowOut, rows), next_cursor=following)


@router.get("/{deployment_id}/baselines", **acts("check:list"))
def list_baselines(
    deployment_id: UUID, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> BaselinePage:
    """The baselines of a deployment, newest first; the newest may be the one in use."""
    governed_deployment(caller, deployment_id)
    query = select(TrafficBaseline).where(TrafficBaseline.deployment_id == deployment_id)
    rows, following = page_of(caller.session, query, TrafficBaseline.id, limit=limit, cursor=cursor)
    return BaselinePage(items=_each(BaselineOut, rows), next_cursor=following)


@router.post("/{deployment_id}/baselines", status_code=201, **acts("monitor:update"))
def make_baseline(deployment_id: UUID, body: BaselineIn, caller: Governed) -> BaselineOut:
    """Hold windows to these days from now on. An incident that stands ends with it."""
    monitor = _changing(caller, deployment_id)
    made = fix_baseline(
        caller.session,
        monitor,
        first=body.first,
        end=body.end,
        reason=body.reason,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return BaselineOut.model_validate(made)


@router.get("/{deployment_id}/incidents", **acts("check:list"))
def list_incidents(
    deployment_id: UUID, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> IncidentPage:
    """The changes of a deployment's traffic, newest first."""
    governed_deployment(caller, deployment_id)
    query = select(DriftIncident).where(DriftIncident.deployment_id == deployment_id)
    rows, following = page_of(caller.session, query, DriftIncident.id, limit=limit, cursor=cursor)
    items = [_shown(caller, row) for row in rows]
    return IncidentPage(items=items, next_cursor=following)


@router.get("/{deployment_id}/incidents/{incident_id}", **acts("check:list"))
def read_incident(
    deployment_id: UUID, incident_id: UUID, caller: Governed, response: Response
) -> IncidentOut:
    """One change: what moved, since when, by how much."""
    governed_deployment(caller, deployment_id)
    incident = _incident(caller, deployment_id, incident_id)
    tag(response, incident)
    return _shown(caller, incident)


@router.post("/{deployment_id}/incidents/{incident_id}/accept", **acts("monitor:update"))
def accept_incident(
    deployment_id: UUID,
    incident_id: UUID,
    body: AcceptIn,
    caller: Governed,
    response: Response,
    seen: Precondition,
) -> IncidentOut:
    """Call a change the new normal: windows are held to the days since, once there are seven."""
    monitor = _changing(caller, deployment_id)
    incident = _incident(caller, deployment_id, incident_id)
    seen.check(incident)
    accept(
        caller.session,
        monitor,
        incident,
        reason=body.reason,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    tag(response, incident)
    return _shown(caller, incident)


def _each(shape: type[Out], rows: Sequence[object]) -> list[Out]:
    return [shape.model_validate(row) for row in rows]


def _shown(caller: Governed, incident: DriftIncident) -> IncidentOut:
    """With examples only for those who may read the deployment's records."""
    out = IncidentOut.model_validate(incident)
    deployment = caller.session.get_one(Deployment, incident.deployment_id)
    watched = deployment_resource(caller.session, deployment)
    if not caller.may(watched, "deployment:read-inferences"):
        out.moves = without_examples(out.moves)
    return out


def _changing(caller: Governed, deployment_id: UUID) -> Monitor:
    governed_deployment(caller, deployment_id, action="deployment:read")
    monitor = _monitor(caller, deployment_id)
    caller.require(monitor_resource(caller.session, monitor))
    return monitor


def _monitor(caller: Governed, deployment_id: UUID) -> Monitor:
    monitor = caller.session.scalar(select(Monitor).where(Monitor.deployment_id == deployment_id))
    if monitor is None:
        raise NotFound("this deployment is not watched; give it a monitor (POST /monitors)")
    return monitor


def _incident(caller: Governed, deployment_id: UUID, incident_id: UUID) -> DriftIncident:
    incident = caller.session.get(DriftIncident, incident_id)
    if incident is None or incident.deployment_id != deployment_id:
        raise Unseen
    return incident
