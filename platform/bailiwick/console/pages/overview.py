"""The first page: what runs, what is wrong, what happened last."""

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select

from bailiwick.access import names_of
from bailiwick.console.navigation import AUDIT_LOG, open_alerts
from bailiwick.console.pages.audit import verification
from bailiwick.console.queries import deployment_rows
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_decisions, visible_deployments, visible_jobs
from bailiwick.lifecycle.jobs import UNFINISHED
from bailiwick.lifecycle.tables import Job
from bailiwick.policy import Decision
from bailiwick.registry import ACTIVE, Deployment
from bailiwick.web import Governed, acts

SHOWN_DEPLOYMENTS, SHOWN_EVENTS = 12, 8

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@router.get("", **acts("deployment:list"))
def overview(request: Request, caller: Governed) -> Response:
    """Deployments with accuracy and alerts, recent jobs and decisions."""
    session = caller.session
    visible = select(Deployment).where(visible_deployments(caller))
    deployments = session.scalars(
        visible.order_by(Deployment.state, Deployment.id.desc()).limit(SHOWN_DEPLOYMENTS)
    ).all()
    active = session.scalar(
        select(func.count()).select_from(visible.where(Deployment.state == ACTIVE).subquery())
    )
    jobs = select(Job).where(visible_jobs(caller))
    decisions = session.scalars(
        select(Decision)
        .where(visible_decisions(caller))
        .order_by(Decision.id.desc())
        .limit(SHOWN_EVENTS)
    ).all()
    return page(
        request,
        caller,
        "overview.html",
        title="Overview",
        section="overview",
        rows=deployment_rows(caller, deployments),
        active=active,
        open_alerts=open_alerts(caller),
        unfinished=session.scalar(
            select(func.count()).select_from(jobs.where(Job.state.in_(UNFINISHED)).subquery())
        ),
        jobs=session.scalars(jobs.order_by(Job.id.desc()).limit(SHOWN_EVENTS)).all(),
        decisions=decisions,
        names=names_of(session, [decision.principal_id for decision in decisions]),
        log=verification(request, caller) if caller.may(AUDIT_LOG, "audit:read") else None,
    )
