"""`/monitors`, `/deployments/{id}/checks`: watching deployed models."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from pydantic import Field
from sqlalchemy import select

from bailiwick.access import find_service
from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, Schema, Slug
from bailiwick.core.errors import NotFound
from bailiwick.lifecycle.jobs import JobKind
from bailiwick.lifecycle.schedules import enable_schedule, schedule_of, set_schedule
from bailiwick.monitoring import (
    CheckResult,
    Monitor,
    create_monitor,
    monitor_resource,
    update_monitor,
)
from bailiwick.monitoring.monitors import WATCHING
from bailiwick.monitoring.statistics import DEFAULT_STATISTICS, StatisticSpec
from bailiwick.monitoring.verdicts import DEFAULT_MIN_ROWS
from bailiwick.policy import Resource, Unseen
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

router = APIRouter(tags=["watching"], route_class=GovernedRoute)


AlarmsBy = Annotated[
    Literal["windows", "checks"],
    Field(
        description="What alarms: the sequential detector over windows of traffic, or the fixed "
        "thresholds of each check, which promise nothing about false alarms."
    ),
]
FalseAlarms = Annotated[
    float,
    Field(ge=0.001, le=12, description="At most so many false alarms a year, on average."),
]
ChangeSd = Annotated[
    float,
    Field(gt=0, le=5, description="The smallest change worth waking somebody for, in deviations."),
]
ChangeShare = Annotated[
    float, Field(gt=0, lt=1, description="The same for shares of all rows: 0.05 is five points.")
]
WindowHours = Annotated[
    Literal[1, 2, 3, 4, 6, 8, 12, 24] | None,
    Field(description="Length of a judged window; left out: as long as the traffic needs."),
]
Zone = Annotated[
    str, Field(max_length=60, description="Where the day and the week begin: Europe/Berlin.")
]

BaselineDays = Annotated[
    int | None,
    Field(
        ge=7,
        le=366,
        description="How often the baseline is made anew, of the newest weeks without an incident; "
        "left out: never. Drift too slow to be seen meanwhile becomes normal.",
    ),
]

ChangeRequests = Annotated[
    float | None,
    Field(
        gt=0,
        le=100,
        description="Watch the number of requests too, from the next baseline on; 0.5: half as "
        "many again is worth waking somebody for. Left out: it is not watched, only that they stay "
        "away.",
    ),
]
LabelAlarms = Annotated[
    float,
    Field(ge=0, le=0.95, description="The labels' share of the false alarms; 0: not watched."),
]
Costs = Annotated[
    dict[str, dict[str, float]],
    Field(description="What a request costs, by true label and answer; what is left out: nothing."),
]

NULLABLE = ("window_hours", "baseline_days", "smallest_change_requests", "costs")


class StatisticIn(Body):
    """One named test with its threshold."""

    column: Literal["prediction", "confidence", "characters", "words", "unseen_words_ratio"]
    kind: Literal["numeric", "categorical"]
    test: Literal["wasserstein", "jensenshannon"]
    threshold: Annotated[float, Field(gt=0)]
    harmful: bool = False


class MonitorIn(Body):
    """What to watch on a deployment, how often, and as whom."""

    deployment_id: UUID
    acts_as: Annotated[Slug, Field(description="The service principal that runs the checks.")]
    cron: Annotated[str, Field(description="Five fields, UTC.")] = "0 6 * * *"
    window_days: Annotated[int, Field(ge=1, le=3660)] = 30
    min_rows: Annotated[int, Field(ge=1)] = DEFAULT_MIN_ROWS
    max_accuracy_drop: Annotated[float, Field(gt=0, lt=1)] = 0.05
    statistics: list[StatisticIn] | None = Field(
        None, description="Default: the documented statistics of every text classifier."
    )
    alarms_by: AlarmsBy = "windows"
    false_alarms_per_year: FalseAlarms = 1.0
    smallest_change_sd: ChangeSd = 0.1
    smallest_change_share: ChangeShare = 0.05
    window_hours: WindowHours = None
    zone: Zone = "UTC"
    baseline_days: BaselineDays = None
    smallest_change_requests: ChangeRequests = None
    label_alarms_ratio: LabelAlarms = 0.25
    costs: Costs | None = None


class MonitorPatch(Body):
    """Settings to change."""

    window_days: Annotated[int | None, Field(ge=1, le=3660)] = None
    min_rows: Annotated[int | None, Field(ge=1)] = None
    max_accuracy_drop: Annotated[float | None, Field(gt=0, lt=1)] = None
    enabled: bool | None = None
    alarms_by: AlarmsBy | None = None
    false_alarms_per_year: FalseAlarms | None = None
    smallest_change_sd: ChangeSd | None = None
    smallest_change_share: ChangeShare | None = None
    window_hours: WindowHours = None
    zone: Zone | None = None
    baseline_days: BaselineDays = None
    smallest_change_requests: ChangeRequests = None
    label_alarms_ratio: LabelAlarms | None = None
    costs: Costs | None = None


class MonitorOut(Schema):
    """A monitor."""

    id: UUID
    deployment_id: UUID
    statistics: list[dict[str, Any]]
    max_accuracy_drop: float
    min_rows: int
    window_days: int
    enabled: bool
    alarms_by: str
    false_alarms_per_year: float
    smallest_change_sd: float
    smallest_change_share: float
    window_hours: int | None
    zone: str
    baseline_days: int | None
    smallest_change_requests: float | None
    label_alarms_ratio: float
    costs: Costs | None
    created_at: datetime


class MonitorPage(Page):
    """Monitors, newest first."""

    items: list[MonitorOut]


class CheckOut(Schema):
    """What one check of one window found."""

    id: UUID
    monitor_id: UUID
    job_id: UUID
    version_id: UUID
    window_start: datetime
    window_end: datetime
    window_digest: str
    rows: int
    labelled_rows: int
    accuracy: float | None
    verdict: str
    sentence: str
    results: list[dict[str, Any]]
    details: dict[str, Any]
    report_blob: str | None
    at: datetime


class CheckPage(Page):
    """Checks, newest first."""

    items: list[CheckOut]


@router.get("/monitors", **acts("monitor:list"))
def list_monitors(caller: Governed, limit: Limit = 50, cursor: Cursor = None) -> MonitorPage:
    """The monitors of the deployments that the caller may see."""
    query = (
        select(Monitor)
        .join(Deployment, Deployment.id == Monitor.deployment_id)
        .where(
            caller.visible(
                "Monitor",
                Deployment.namespace,
                Deployment.label_id,
                action="monitor:read",
                objects=("deployments", Deployment.name),
            )
        )
    )
    rows, following = page_of(caller.session, query, Monitor.id, limit=limit, cursor=cursor)
    return MonitorPage(items=list(map(MonitorOut.model_validate, rows)), next_cursor=following)


@router.post("/monitors", status_code=201, **acts("monitor:create"))
def create(body: MonitorIn, caller: Governed, response: Response) -> MonitorOut:
    """Watch a deployment on a schedule."""
    deployment = governed_deployment(caller, body.deployment_id, action="deployment:read")
    watched = deployment_resource(caller.session, deployment)
    caller.require(
        Resource(
            "Monitor",
            str(deployment.id),
            watched.namespace,
            watched.label,
            belongs_to=watched.belongs_to,
        )
    )
    service = find_service(caller.session, body.acts_as)
    statistics = (
        [StatisticSpec(**statistic.model_dump()) for statistic in body.statistics]
        if body.statistics
        else DEFAULT_STATISTICS
    )
    monitor = create_monitor(
        caller.session,
        deployment,
        statistics=statistics,
        max_accuracy_drop=body.max_accuracy_drop,
        min_rows=body.min_rows,
        window_days=body.window_days,
        **body.model_dump(include=set(WATCHING)),
        actor_id=caller.principal_id,
        at=caller.at,
    )
    set_schedule(
        caller.session,
        JobKind.CHECK,
        monitor.id,
        namespace=deployment.namespace,
        label_id=deployment.label_id,
        cron=body.cron,
        acts_as=service.id,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    tag(response, monitor)
    return MonitorOut.model_validate(monitor)


@router.get("/monitors/{monitor_id}", **acts("monitor:read"))
def read(monitor_id: UUID, caller: Governed, response: Response) -> MonitorOut:
    """One monitor."""
    monitor = _monitor(caller, monitor_id)
    tag(response, monitor)
    return MonitorOut.model_validate(monitor)


@router.patch("/monitors/{monitor_id}", **acts("monitor:update"))
def update(
    monitor_id: UUID, body: MonitorPatch, caller: Governed, response: Response, seen: Precondition
) -> MonitorOut:
    """Change a monitor; `enabled: false` pauses its schedule."""
    monitor = _monitor(caller, monitor_id)
    seen.check(monitor)
    changes = body.model_dump(exclude_none=True)
    for name in NULLABLE:  # null: as it was before anybody set it
        if name in body.model_fields_set:
            changes[name] = getattr(body, name)
    update_monitor(caller.session, monitor, changes, actor_id=caller.principal_id, at=caller.at)
    schedule = schedule_of(caller.session, JobKind.CHECK, monitor.id)
    if schedule is not None and body.enabled is not None:
        enable_schedule(
            caller.session,
            schedule,
            enabled=body.enabled,
            actor_id=caller.principal_id,
            at=caller.at,
        )
    tag(response, monitor)
    return MonitorOut.model_validate(monitor)


@router.get("/deployments/{deployment_id}/checks", **acts("check:list"))
def list_checks(
    deployment_id: UUID, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> CheckPage:
    """What the checks of a deployment found, newest first."""
    governed_deployment(caller, deployment_id)
    query = (
        select(CheckResult)
        .join(Monitor, Monitor.id == CheckResult.monitor_id)
        .where(Monitor.deployment_id == deployment_id)
    )
    rows, following = page_of(caller.session, query, CheckResult.id, limit=limit, cursor=cursor)
    return CheckPage(items=list(map(CheckOut.model_validate, rows)), next_cursor=following)


@router.get(
    "/deployments/{deployment_id}/checks/{check_id}/report",
    response_class=HTMLResponse,
    **acts("check:list"),
)
def read_report(deployment_id: UUID, check_id: UUID, caller: Governed) -> HTMLResponse:
    """The HTML report that was made when the check found something."""
    governed_deployment(caller, deployment_id)
    check = caller.session.get(CheckResult, check_id)
    monitor = caller.session.get(Monitor, check.monitor_id) if check else None
    if check is None or monitor is None or monitor.deployment_id != deployment_id:
        raise Unseen
    if check.report_blob is None:
        raise NotFound("this check left no report: it found nothing, or had too few rows")
    page = caller.platform.blobs.read_bytes(check.report_blob)
    # The report brings scripts of its own: it runs sandboxed, cut off from our origin.
    headers = {
        "Content-Security-Policy": (
            "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
            "style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
        )
    }
    return HTMLResponse(page, headers=headers)


def _monitor(caller: Governed, monitor_id: UUID) -> Monitor:
    monitor = caller.session.get(Monitor, monitor_id)
    if monitor is None:
        raise Unseen
    caller.require(monitor_resource(caller.session, monitor))
    return monitor
