"""`/alerts`: what moved, since when, where it stands, how it came to that, and who was told."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.lifecycle.timelines import answering_jobs, timeline_of
from bailiwick.monitoring import (
    Alert,
    AlertEvent,
    acknowledge,
    close,
    silenced,
)
from bailiwick.notifications import Delivery
from bailiwick.notifications.channels import channel_names
from bailiwick.registry import Deployment
from bailiwick.web import (
    Governed,
    GovernedRoute,
    Page,
    Paging,
    Precondition,
    acts,
    governed_alert,
    tag,
    visible_alerts,
)
from bailiwick.web.job_lists import visible_jobs

router = APIRouter(prefix="/alerts", tags=["watching"], route_class=GovernedRoute)


class AlertOut(Schema):
    """An alert: what moved, since when, and where it stands.

    `silenced_until`: a silence keeps people from being told of it, until then at least.
    """

    id: UUID
    deployment_id: UUID
    source: Literal["monitor", "policy", "rollout"]
    cause: str
    monitor_id: UUID | None
    check_id: UUID | None
    incident_id: UUID | None
    label_incident_id: UUID | None
    breach_id: UUID | None
    rollout_id: UUID | None
    owner_id: UUID
    kind: str
    severity: Literal["note", "warning", "page"]
    state: str
    sentence: str
    since: datetime
    opened_at: datetime
    reopened_at: datetime | None
    quiet_checks: int
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    resolved_at: datetime | None
    resolved_by: UUID | None
    resolution: str | None
    silence_id: UUID | None = None
    silenced_until: datetime | None = None


class AlertPage(Page):
    """Alerts, newest first."""

    items: list[AlertOut]


class AlertEventOut(Schema):
    """One move of an alert: who, what, when and why."""

    id: UUID
    number: int
    move: str
    old_state: str | None
    new_state: str
    severity: str
    kind: str
    why: str
    check_id: UUID | None
    breach_id: UUID | None
    actor_id: UUID
    at: datetime


class AlertEventPage(Page):
    """Moves of an alert, newest first."""

    items: list[AlertEventOut]


class DeliveryOut(Schema):
    """One message about an alert, to one channel. Its id is what the receiver sees."""

    id: UUID
    event_id: UUID | None
    channel: str
    severity: str
    state: str
    is_escalation: bool
    attempts: int
    due_at: datetime
    next_at: datetime | None
    silence_id: UUID | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


class DeliveryPage(Page):
    """Messages about an alert, newest first."""

    items: list[DeliveryOut]


class MomentOut(Schema):
    """One step from the change to its answer, so many seconds after the change."""

    at: datetime
    seconds: float
    kind: Literal["change", "alert", "training", "gates", "rollout", "champion"]
    sentence: str


class AlertTimelineOut(Schema):
    """What an alert told of and what was done about it, in order of time."""

    alert_id: UUID
    began_at: datetime
    answered_at: datetime | None = Field(
        description="When a version that was trained for it became champion; null: not yet."
    )
    seconds_to_answer: float | None
    moments: list[MomentOut]


class ResolveIn(Body):
    """Why it is over."""

    resolution: Text


@router.get("", **acts("alert:list"))
def list_alerts(
    caller: Governed,
    paging: Paging,
    state: Literal["open", "acknowledged", "resolved"] | None = None,
    severity: Literal["note", "warning", "page"] | None = None,
    deployment_id: UUID | None = None,
    cause: Annotated[str | None, Query(max_length=100)] = None,
) -> AlertPage:
    """The alerts of the deployments that the caller may see, newest first."""
    query = (
        select(Alert)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(visible_alerts(caller))
    )
    wanted = {
        Alert.state: state,
        Alert.severity: severity,
        Alert.deployment_id: deployment_id,
        Alert.cause: cause,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    rows, following = paging.of(caller.session, query, Alert.id)
    return AlertPage(items=_shown(caller, rows), next_cursor=following)


@router.get("/{alert_id}", **acts("alert:read"))
def read_alert(alert_id: UUID, caller: Governed, response: Response) -> AlertOut:
    """One alert."""
    return _answer(caller, governed_alert(caller, alert_id), response)


@router.get("/{alert_id}/events", **acts("alert:read"))
def list_events(alert_id: UUID, caller: Governed, paging: Paging) -> AlertEventPage:
    """How the alert came to where it stands."""
    alert = governed_alert(caller, alert_id)
    query = select(AlertEvent).where(AlertEvent.alert_id == alert.id)
    rows, following = paging.of(caller.session, query, AlertEvent.id)
    items = [AlertEventOut.model_validate(row) for row in rows]
    return AlertEventPage(items=items, next_cursor=following)


@router.get("/{alert_id}/deliveries", **acts("alert:read"))
def list_deliveries(alert_id: UUID, caller: Governed, paging: Paging) -> DeliveryPage:
    """Who was told of the alert, who will be, and what went wrong."""
    alert = governed_alert(caller, alert_id)
    query = select(Delivery).where(Delivery.alert_id == alert.id)
    rows, following = paging.of(caller.session, query, Delivery.id)
    return DeliveryPage(items=deliveries_shown(caller, rows), next_cursor=following)


@router.get("/{alert_id}/timeline", **acts("alert:read"))
def read_timeline(alert_id: UUID, caller: Governed) -> AlertTimelineOut:
    """From the change to a champion that knows it: detection, training, gates, rollout."""
    alert = governed_alert(caller, alert_id)
    jobs = answering_jobs(caller.session, alert, visible_jobs(caller))
    found = timeline_of(caller.session, alert, jobs)
    return AlertTimelineOut(
        alert_id=alert.id,
        began_at=found.began_at,
        answered_at=found.answered_at,
        seconds_to_answer=found.seconds_to_answer,
        moments=[
            MomentOut(seconds=(one.at - found.began_at).total_seconds(), **asdict(one))
            for one in found.moments
        ],
    )


@router.post("/{alert_id}/acknowledge", **acts("alert:acknowledge"))
def acknowledge_alert(
    alert_id: UUID, caller: Governed, response: Response, seen: Precondition
) -> AlertOut:
    """Say that somebody is looking; nobody else is called then."""
    alert = governed_alert(caller, alert_id)
    seen.check(alert)
    acknowledge(caller.session, alert, actor_id=caller.principal_id, at=caller.at)
    return _answer(caller, alert, response)


@router.post("/{alert_id}/resolve", **acts("alert:resolve"))
def resolve_alert(
    alert_id: UUID, body: ResolveIn, caller: Governed, response: Response, seen: Precondition
) -> AlertOut:
    """Close an alert with a reason. It is open again if its cause is back within a week."""
    alert = governed_alert(caller, alert_id)
    seen.check(alert)
    close(
        caller.session,
        alert,
        resolution=body.resolution,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return _answer(caller, alert, response)


def deliveries_shown(caller: Governed, rows: Sequence[Delivery]) -> list[DeliveryOut]:
    """Messages with the names of their channels, in one query more."""
    names = channel_names(caller.session, {row.channel_id for row in rows})
    return [
        DeliveryOut.of_row(
            row,
            channel=names[row.channel_id],
            next_at=row.next_at if row.finished_at is None else None,
        )
        for row in rows
    ]


def _answer(caller: Governed, alert: Alert, response: Response) -> AlertOut:
    tag(response, alert)
    return _shown(caller, [alert])[0]


def _shown(caller: Governed, alerts: Sequence[Alert]) -> list[AlertOut]:
    """Alerts with the silences that act on them, in two queries more."""
    holds = silenced(caller.session, alerts, at=caller.at)
    shown = []
    for alert in alerts:
        out = AlertOut.model_validate(alert)
        if (hold := holds.get(alert.id)) is not None:
            out.silence_id, out.silenced_until = hold.silence_id, hold.until
        shown.append(out)
    return shown
