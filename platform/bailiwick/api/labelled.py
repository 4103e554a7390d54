"""`/deployments/{id}/labels`: how right its answers are by labels, how they are watched."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from sqlalchemy import select

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.core.errors import Invalid, NotFound
from bailiwick.monitoring import Monitor, monitor_resource
from bailiwick.monitoring.labelled import (
    LabelCheck,
    LabelIncident,
    LabelReference,
    LabelWatch,
    declare_reference,
    labels_overview,
)
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of

SHOWN_INCIDENTS = 8
router = APIRouter(prefix="/deployments", tags=["watching"], route_class=GovernedRoute)

By = Annotated[
    Literal["day", "week", "month"] | None,
    Query(description="Length of a period; weeks from Monday. Left out: as many as can be read."),
]
From = Annotated[
    AwareDatetime | None, Query(description="Requests from then on; left out: 90 days before.")
]
Until = Annotated[
    AwareDatetime | None, Query(description="Requests before then; left out: the newest label.")
]


class LabelReferenceOut(Schema):
    """How right a version is while nothing is wrong; never changed.

    `origin`: its evaluation at promotion, days that somebody declared right, or days since a loss
    that was accepted. `error`: standard error of the accuracy.
    """

    id: UUID
    version_id: UUID
    digest: str
    origin: Literal["evaluation", "asked", "accepted"]
    reason: str
    window_hours: int
    first: datetime | None
    end: datetime | None
    rows: int
    accuracy: float
    error: float
    created_by: UUID
    created_at: datetime


class LabelReferenceIn(Body):
    """The days of requests whose labels say what is usual (UTC, `end` not among them), and why."""

    first: AwareDatetime
    end: AwareDatetime
    reason: Text


class LabelIncidentOut(Schema):
    """A loss of accuracy by labels that stands, or stood; moments are of the requests.

    `found`: accuracy before and after with intervals, the size of the drop as it is now, the worst
    classes and slices with their excess of errors, and when the requests were from.
    """

    id: UUID
    deployment_id: UUID
    reference_id: UUID
    sentence: str
    worth_waking: bool
    since: datetime
    since_earliest: datetime
    since_latest: datetime
    found: dict[str, Any]
    opened_at: datetime
    confirmed_at: datetime
    ended_at: datetime | None
    ended_as: Literal["recovered", "fixed", "accepted", "replaced"] | None
    ended_by: UUID | None
    reason: str | None


class LabelledPeriodOut(Schema):
    """Accuracy of one period's labelled requests, with Wilson's 95 % interval."""

    start: datetime
    rows: int
    correct: int
    accuracy: float
    lower: float
    upper: float


class FigureOut(Schema):
    """One figure of all labelled requests, with its 95 % interval and the method of that.

    `direction`: which way is worse. `by_chance`: what a calibrated model would show of as many.
    """

    name: str
    kind: Literal["performance", "calibration", "cost"]
    direction: Literal["less", "greater"]
    threshold: float | None
    value: float
    lower: float
    upper: float
    rows: int
    method: str
    library: str
    by_chance: float | None


class MeasuredOut(Schema):
    """A figure with its 95 % interval, of so many rows."""

    value: float
    lower: float
    upper: float
    rows: int


class LabelClassOut(Schema):
    """One label: `support` requests are of it, `said` were answered so. Null: all others."""

    label: str | None
    support: int
    said: int
    precision: MeasuredOut | None
    recall: MeasuredOut | None
    f1: MeasuredOut


class EstimatedOut(Schema):
    """Accuracy estimated without labels by the newest check, and how far others were off."""

    start: datetime
    end: datetime
    accuracy: float
    lower: float
    upper: float
    measured_error: float | None
    verified: int
    trusted: bool
    doubts: list[str]


class LabelledOut(Schema):
    """How right a deployment's answers are by labels as they stand, and how that is watched.

    `waits_for`: what is missing before labels are judged, in words; `judged_until`: where the next
    step of arrivals begins. Periods, figures and classes are of the requests from `start` to `end`.
    """

    monitor_id: UUID | None
    waits_for: str | None
    judged_until: datetime | None
    reference: LabelReferenceOut | None
    incident: LabelIncidentOut | None
    incidents: list[LabelIncidentOut]
    start: datetime | None
    end: datetime | None
    rows: int
    correct: int
    by: Literal["day", "week", "month"]
    periods: list[LabelledPeriodOut]
    figures: list[FigureOut]
    classes: list[LabelClassOut]
    estimated: EstimatedOut | None


class LabelCheckOut(Schema):
    """What the test made of the labels that arrived in one step of time."""

    id: UUID
    reference_id: UUID
    start: datetime
    hours: int
    rows: int
    wrong: int
    alarm: bool
    evidence: float
    threshold: float
    at: datetime


class LabelCheckPage(Page):
    """Judged steps, newest first."""

    items: list[LabelCheckOut]


@router.get("/{deployment_id}/labels", **acts("check:list"))
def read_labels(
    deployment_id: UUID,
    caller: Governed,
    by: By = None,
    start: From = None,
    end: Until = None,
) -> LabelledOut:
    """How right a deployment is by its labels: over time, in figures, by class; from counts."""
    governed_deployment(caller, deployment_id)
    if start is not None and end is not None and start >= end:
        raise Invalid("start must lie before end")
    session = caller.session
    monitor = session.scalar(select(Monitor).where(Monitor.deployment_id == deployment_id))
    watch = session.get_one(LabelWatch, monitor.id) if monitor is not None else None
    reference = watch and watch.reference_id and session.get(LabelReference, watch.reference_id)
    least = reference.accuracy - monitor.max_accuracy_drop if reference and monitor else None
    found = labels_overview(
        session, deployment_id, monitor, by=by, start=start, end=end, least_accuracy=least
    )
    incidents = [LabelIncidentOut.model_validate(one) for one in _incidents(caller, deployment_id)]
    return LabelledOut(
        monitor_id=monitor.id if monitor is not None else None,
        waits_for=watch.waits_for if watch is not None else None,
        judged_until=watch.next_start if watch is not None else None,
        reference=LabelReferenceOut.model_validate(reference) if reference else None,
        incident=next((one for one in incidents if one.ended_at is None), None),
        incidents=incidents,
        start=found.start,
        end=found.end,
        rows=found.rows,
        correct=found.correct,
        by=found.by,
        periods=[LabelledPeriodOut.model_validate(one) for one in found.periods],
        figures=[FigureOut.model_validate(one) for one in found.figures],
        classes=[LabelClassOut.model_validate(one) for one in found.classes],
        estimated=EstimatedOut.model_validate(found.estimated) if found.estimated else None,
    )


@router.get("/{deployment_id}/labels/windows", **acts("check:list"))
def list_label_windows(
    deployment_id: UUID, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> LabelCheckPage:
    """The steps of time whose labels were judged, newest first; steps without labels have none."""
    governed_deployment(caller, deployment_id)
    query = (
        select(LabelCheck)
        .join(LabelReference, LabelReference.id == LabelCheck.reference_id)
        .where(LabelReference.deployment_id == deployment_id)
    )
    rows, following = page_of(caller.session, query, LabelCheck.id, limit=limit, cursor=cursor)
    items = [LabelCheckOut.model_validate(row) for row in rows]
    return LabelCheckPage(items=items, next_cursor=following)


@router.post("/{deployment_id}/labels/references", status_code=201, **acts("monitor:update"))
def make_label_reference(
    deployment_id: UUID, body: LabelReferenceIn, caller: Governed
) -> LabelReferenceOut:
    """Hold labels to these days from now on. A loss that stands is accepted by it."""
    governed_deployment(caller, deployment_id, action="deployment:read")
    monitor = caller.session.scalar(select(Monitor).where(Monitor.deployment_id == deployment_id))
    if monitor is None:
        raise NotFound("this deployment is not watched; give it a monitor (POST /monitors)")
    caller.require(monitor_resource(caller.session, monitor))
    made = declare_reference(
        caller.session,
        monitor,
        first=body.first,
        end=body.end,
        reason=body.reason,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return LabelReferenceOut.model_validate(made)


def _incidents(caller: Governed, deployment_id: UUID) -> list[LabelIncident]:
    newest = (
        select(LabelIncident)
        .where(LabelIncident.deployment_id == deployment_id)
        .order_by(LabelIncident.opened_at.desc(), LabelIncident.id.desc())
        .limit(SHOWN_INCIDENTS)
    )
    return list(caller.session.scalars(newest))
