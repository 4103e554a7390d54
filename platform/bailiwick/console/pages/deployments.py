"""Deployments: how well they answer, what moved, what keeps them fit."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from bailiwick.access import Principal
from bailiwick.console.exceptions import acting_for
from bailiwick.console.history import History, accuracy_history, drift_charts, happened
from bailiwick.console.labelled import labels_story
from bailiwick.console.queries import deployment_rows, explained
from bailiwick.console.rendering import page
from bailiwick.console.rollouts import rollout_story
from bailiwick.console.routing import GovernedPage
from bailiwick.console.traffic import traffic_story
from bailiwick.console.visibility import visible_datasets, visible_deployments, visible_jobs
from bailiwick.lifecycle.replays import backtest_resource, newest_of_policies
from bailiwick.lifecycle.retraining_policies import is_approved
from bailiwick.lifecycle.tables import (
    Backtest,
    BacktestResult,
    Consideration,
    Job,
    RetrainingPolicy,
    Schedule,
)
from bailiwick.lineage import Dataset
from bailiwick.monitoring import CheckResult, Monitor, closed_until, keeping_of
from bailiwick.policy import Unseen
from bailiwick.registry import Deployment, deployment_resource, deployment_subject
from bailiwick.web import Caller, Cursor, Governed, acts, page_of

DEPLOYMENTS_PER_PAGE, SHOWN_CHECKS, SHOWN_JOBS = 50, 200, 12
LISTED_CHECKS = 12
MOVES = ("advance", "stop", "rollback")

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@dataclass(frozen=True, slots=True)
class Retraining:
    """A retraining policy with the names of what it refers to, and whether it is in force."""

    policy: RetrainingPolicy
    dataset: Dataset | None  # None where the caller may not see it
    acts_as: str
    approved: bool
    jobs: list[Job]
    considered: list[Consideration]  # newest first
    replayed: tuple[Backtest, BacktestResult] | None  # of exactly these settings


@router.get("/deployments", **acts("deployment:list"))
def deployments(request: Request, caller: Governed, cursor: Cursor = None) -> Response:
    """All deployments, newest first."""
    rows, following = page_of(
        caller.session,
        select(Deployment).where(visible_deployments(caller)),
        Deployment.id,
        limit=DEPLOYMENTS_PER_PAGE,
        cursor=cursor,
    )
    return page(
        request,
        caller,
        "deployments.html",
        title="Deployments",
        section="deployments",
        rows=deployment_rows(caller, rows),
        following=following,
    )


@router.get("/deployments/{deployment_id}", **acts("deployment:read"))
def deployment(request: Request, caller: Governed, deployment_id: UUID) -> Response:
    """One deployment: accuracy, drift, checks, environment, label, rollout, retraining."""
    found = caller.session.get(Deployment, deployment_id)
    if found is None:
        raise Unseen
    caller.require(deployment_resource(caller.session, found))
    return show_deployment(request, caller, found)


def show_deployment(
    request: Request,
    caller: Caller,
    found: Deployment,
    *,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    """The page of a deployment that the caller may see; `problem`: what a form of it met."""
    session = caller.session
    resource = deployment_resource(session, found)
    row = deployment_rows(caller, [found])[0]
    monitor = session.scalar(select(Monitor).where(Monitor.deployment_id == found.id))
    checks = _checks(caller, monitor)
    history: History | None = accuracy_history(caller, found)
    marks = happened(caller, found)
    return page(
        request,
        caller,
        "deployment.html",
        title=f"{found.namespace}/{found.name}",
        section="deployments",
        status=status,
        problem=problem,
        row=row,
        explained=explained(caller.rules.scheme, row.label),
        monitor=monitor,
        schedule=_schedule(caller, monitor),
        history=history,
        charts=history.charts(marks) if history else [],
        labels=labels_story(session, monitor),
        traffic=traffic_story(session, monitor),
        rollout=rollout_story(
            caller, found, [one for one in MOVES if caller.may(resource, f"rollout:{one}")]
        ),
        drift=drift_charts(checks, marks),
        checks=checks[:LISTED_CHECKS],
        retraining=_retraining(caller, found),
        keeping=keeping_of(session, found.id),
        archived_until=closed_until(session, found.id),
        acting=acting_for(caller, deployment_subject(found)),
        may_waive=caller.may(resource, "waiver:request"),
        may_replay=caller.may(
            resource, "backtest:start", {"purpose": found.purpose, "input_label": resource.label}
        ),
    )


def _checks(caller: Caller, monitor: Monitor | None) -> list[CheckResult]:
    """The newest checks, newest first."""
    if monitor is None:
        return []
    query = (
        select(CheckResult)
        .where(CheckResult.monitor_id == monitor.id)
        .order_by(CheckResult.window_end.desc(), CheckResult.id.desc())
        .limit(SHOWN_CHECKS)
    )
    return list(caller.session.scalars(query))


def _schedule(caller: Caller, monitor: Monitor | None) -> Schedule | None:
    if monitor is None:
        return None
    return caller.session.scalar(select(Schedule).where(Schedule.subject_id == monitor.id))


def _retraining(caller: Caller, found: Deployment) -> Retraining | None:
    session = caller.session
    policy = session.scalar(
        select(RetrainingPolicy).where(RetrainingPolicy.deployment_id == found.id)
    )
    if policy is None:
        return None
    jobs = session.scalars(
        select(Job)
        .where(Job.subject_id == policy.id, visible_jobs(caller))
        .order_by(Job.id.desc())
        .limit(SHOWN_JOBS)
    )
    considered = session.scalars(
        select(Consideration)
        .where(Consideration.policy_id == policy.id)
        .order_by(Consideration.id.desc())
        .limit(SHOWN_JOBS)
    )
    return Retraining(
        policy=policy,
        dataset=session.scalar(
            select(Dataset).where(Dataset.id == policy.dataset_id, visible_datasets(caller))
        ),
        acts_as=session.get_one(Principal, policy.acts_as).name,
        approved=is_approved(session, policy),
        jobs=list(jobs),
        considered=list(considered),
        replayed=_replayed(caller, policy),
    )


def _replayed(caller: Caller, policy: RetrainingPolicy) -> tuple[Backtest, BacktestResult] | None:
    """What it would have done, if that was asked and the caller may see the answer."""
    found = newest_of_policies(caller.session, [(policy.id, policy.digest)]).get(policy.id)
    if found is None or not caller.may(
        backtest_resource(caller.session, found[0]), "backtest:read"
    ):
        return None
    return found
