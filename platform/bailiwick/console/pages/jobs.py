"""Jobs: what is being done, what came of it, and why."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bailiwick.access import names_of
from bailiwick.console.queries import labels_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import (
    visible_deployments,
    visible_jobs,
    visible_models,
    visible_versions,
)
from bailiwick.lifecycle.job_logs import log_lines
from bailiwick.lifecycle.jobs import UNFINISHED, JobKind, JobState, cancel, job_resource
from bailiwick.lifecycle.tables import Job, JobEvent, RetrainingPolicy
from bailiwick.monitoring import Monitor
from bailiwick.policy import Unseen
from bailiwick.registry import Deployment, ModelVersion, RegisteredModel
from bailiwick.web import Caller, Cursor, Governed, acts, page_of

JOBS_PER_PAGE, SHOWN_EVENTS, SHOWN_LINES = 50, 200, 100

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@router.get("/jobs", **acts("job:list"))
def jobs(
    request: Request, caller: Governed, cursor: Cursor = None, kind: str = "", state: str = ""
) -> Response:
    """All jobs, newest first."""
    query = select(Job).where(visible_jobs(caller))
    if kind:
        query = query.where(Job.kind == kind)
    if state:
        query = query.where(Job.state == state)
    rows, following = page_of(caller.session, query, Job.id, limit=JOBS_PER_PAGE, cursor=cursor)
    return page(
        request,
        caller,
        "jobs.html",
        title="Jobs",
        section="jobs",
        rows=rows,
        following=following,
        kind=kind,
        state=state,
        kinds=[kind.value for kind in JobKind],
        states=[state.value for state in JobState],
        names=names_of(caller.session, [row.acts_as for row in rows]),
    )


@router.get("/jobs/{job_id}", **acts("job:read"))
def job(request: Request, caller: Governed, job_id: UUID) -> Response:
    """One job with its events and its result."""
    session = caller.session
    found = _governed(caller, job_id)
    resource = job_resource(session, found)
    events = session.scalars(
        select(JobEvent)
        .where(JobEvent.job_id == found.id)
        .order_by(JobEvent.id.desc())
        .limit(SHOWN_EVENTS)
    ).all()
    return page(
        request,
        caller,
        "job.html",
        title=f"{found.kind.capitalize()} job",
        section="jobs",
        job=found,
        label=labels_of(session, [found.label_id])[found.label_id],
        events=events,
        log=log_lines(session, found.id, after=None, limit=SHOWN_LINES),
        about=_about(caller, found),
        version=_version(caller, found.result),
        names=names_of(session, [found.acts_as]),
        may_cancel=found.state in UNFINISHED and caller.may(resource, "job:cancel"),
    )


@router.post("/jobs/{job_id}/cancel", **acts("job:cancel"))
def cancel_job(caller: Governed, job_id: UUID) -> Response:
    """Stop a job; a running one ends at its worker's next heartbeat."""
    found = _governed(caller, job_id)
    cancel(caller.session, found, actor_id=caller.principal_id, at=caller.at)
    return RedirectResponse(f"/console/jobs/{job_id}", 303)


def _governed(caller: Caller, job_id: UUID) -> Job:
    """The job, after the policy has let the caller do with it what the route says."""
    found = caller.session.get(Job, job_id)
    if found is None:
        raise Unseen
    caller.require(job_resource(caller.session, found))
    return found


def _about(caller: Caller, found: Job) -> Deployment | RegisteredModel | None:
    """What the job works on; nothing if the caller may not see that."""
    session = caller.session
    if found.kind == JobKind.TRAIN:
        return session.scalar(
            select(RegisteredModel).where(
                RegisteredModel.id == found.subject_id,
                visible_models(caller),
            )
        )
    if found.kind in (JobKind.COMPARE, JobKind.BACKTEST, JobKind.TRIAL):
        return session.scalar(
            select(Deployment).where(Deployment.id == found.subject_id, visible_deployments(caller))
        )
    owner = RetrainingPolicy if found.kind == JobKind.RETRAIN else Monitor
    return session.scalar(
        select(Deployment)
        .join(owner, owner.deployment_id == Deployment.id)
        .where(
            owner.id == found.subject_id,
            visible_deployments(caller),
        )
    )


def _version(caller: Caller, result: dict[str, Any] | None) -> ModelVersion | None:
    """The version that a training job has registered."""
    if not result or "version_id" not in result:
        return None
    return caller.session.scalar(
        select(ModelVersion)
        .join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
        .where(
            ModelVersion.id == UUID(result["version_id"]),
            visible_versions(caller),
        )
    )
