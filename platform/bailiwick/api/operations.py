"""`/healthz`, `/readyz`, `/metrics`: for whatever keeps the process running."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from bailiwick.core.errors import BailiwickError
from bailiwick.db.migrate import check_current
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.tables import Job
from bailiwick.monitoring import Alert, AlertState
from bailiwick.policy import PLATFORM
from bailiwick.registry import Deployment
from bailiwick.web import Governed, GovernedRoute, acts

open_router = APIRouter(tags=["operations"])
router = APIRouter(tags=["operations"], route_class=GovernedRoute)


@open_router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers. Says nothing else, so it needs no token."""
    return {"status": "ok"}


@open_router.get("/readyz")
def readyz(request: Request, response: Response) -> dict[str, str]:
    """The database answers and has the tables of this version."""
    platform: Platform = request.app.state.platform
    try:
        check_current(platform.database.engine)
    except BailiwickError as error:
        response.status_code = 503
        return {"status": "unavailable", "detail": error.message}
    return {"status": "ready"}


@router.get("/metrics", response_class=Response, **acts("metrics:read"))
def metrics(caller: Governed) -> Response:
    """Prometheus metrics of what the caller may see; numbers and states only.

    Whoever collects them for the whole installation needs a role everywhere and full clearance.
    """
    caller.require(PLATFORM)
    jobs = GaugeMetricFamily("bailiwick_jobs", "Jobs by kind and state.", labels=["kind", "state"])
    counts = (
        select(Job.kind, Job.state, func.count())
        .where(caller.visible("Job", Job.namespace, Job.label_id, action="job:read"))
        .group_by(Job.kind, Job.state)
    )
    for kind, state, count in caller.session.execute(counts):
        jobs.add_metric([kind, state], count)
    unresolved = caller.session.scalar(
        select(func.count())
        .select_from(Alert)
        .join(Deployment, Deployment.id == Alert.deployment_id)
        .where(
            Alert.state != AlertState.RESOLVED,
            caller.visible("Alert", Deployment.namespace, Deployment.label_id, action="alert:read"),
        )
    )
    alerts = GaugeMetricFamily("bailiwick_alerts_unresolved", "Alerts that stand.", unresolved)
    registry = CollectorRegistry()
    registry.register(_Families([jobs, alerts]))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Families:
    """Metric families computed already, as the collector that the library asks for."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        """The families."""
        return self._families
