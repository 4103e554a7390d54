"""`/healthz`, `/readyz`, `/metrics`: for whatever keeps the process running."""

from collections import Counter
from datetime import timedelta

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select, true

from bailiwick.api.watching_metrics import watching_families
from bailiwick.core.errors import BailiwickError
from bailiwick.db.migrate import check_current
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.tables import Job
from bailiwick.policy import PLATFORM, Decision, DecisionCount
from bailiwick.web import Governed, GovernedRoute, acts, visible_decisions, visible_jobs

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
        .where(visible_jobs(caller))
        .group_by(Job.kind, Job.state)
    )
    for kind, state, count in caller.session.execute(counts):
        jobs.add_metric([kind, state], count)
    registry = CollectorRegistry()
    registry.register(_Families([jobs, *watching_families(caller), _decisions(caller)]))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _decisions(caller: Governed) -> GaugeMetricFamily:
    """Answers of the policy: denials and allowed changes one by one, other allowances by count."""
    family = GaugeMetricFamily(
        "bailiwick_decisions_last_day",
        "Answers of the policy in the last 24 hours.",
        labels=["action", "answer"],
    )
    since = caller.at - timedelta(days=1)
    recorded = (
        select(Decision.action, Decision.allowed, func.count())
        .where(Decision.at > since, visible_decisions(caller))
        .group_by(Decision.action, Decision.allowed)
    )
    counted = (
        select(DecisionCount.action, true(), func.sum(DecisionCount.allowed))
        .where(DecisionCount.hour > since, visible_decisions(caller, DecisionCount))
        .group_by(DecisionCount.action)
    )
    totals = Counter[tuple[str, str]]()
    for query in (recorded, counted):
        for action, allowed, number in caller.session.execute(query):
            totals[action, "allow" if allowed else "deny"] += int(number)
    for labels, number in sorted(totals.items()):
        family.add_metric(labels, number)
    return family


class _Families:
    """Metric families computed already, as the collector that the library asks for."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        """The families."""
        return self._families
