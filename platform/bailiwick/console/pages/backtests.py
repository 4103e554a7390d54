"""Backtests: what a policy or a strategy would have done."""

import json
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bailiwick.access import names_of
from bailiwick.console.queries import labels_of
from bailiwick.console.rendering import page
from bailiwick.console.replayed import ReplayedStory, replayed_story
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_deployments
from bailiwick.lifecycle.backtest import Unit
from bailiwick.lifecycle.replays import (
    ReplaySettings,
    backtest_resource,
    order_backtest,
    results_of,
    source_of,
    usual_delay,
    year_of_requests,
)
from bailiwick.lifecycle.replays.settings import POLICY_STRATEGIES
from bailiwick.lifecycle.retraining_policies import retraining_policy_resource
from bailiwick.lifecycle.tables import Backtest, Job, RetrainingPolicy
from bailiwick.policy import Unseen
from bailiwick.registry import Deployment
from bailiwick.web import Caller, Cursor, Governed, acts, page_of, visible_backtests

BACKTESTS_PER_PAGE = 50

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@router.get("/backtests", **acts("backtest:list"))
def backtests(request: Request, caller: Governed, cursor: Cursor = None) -> Response:
    """All backtests, newest first."""
    query = select(Backtest).join(Job, Job.id == Backtest.job_id).where(visible_backtests(caller))
    rows, following = page_of(
        caller.session, query, Backtest.id, limit=BACKTESTS_PER_PAGE, cursor=cursor
    )
    ids = [one.job_id for one in rows]
    about = select(Deployment).where(
        Deployment.id.in_([one.deployment_id for one in rows]), visible_deployments(caller)
    )
    jobs = caller.session.scalars(select(Job).where(Job.id.in_(ids)))
    return page(
        request,
        caller,
        "backtests.html",
        title="Backtests",
        section="jobs",
        rows=rows,
        following=following,
        jobs={job.id: job for job in jobs},
        deployments={one.id: one for one in caller.session.scalars(about)},
        results=results_of(caller.session, [one.id for one in rows]),
        names=names_of(caller.session, [one.created_by for one in rows]),
    )


@router.get("/backtests/{backtest_id}", **acts("backtest:read"))
def backtest(request: Request, caller: Governed, backtest_id: UUID) -> Response:
    """One backtest: each strategy's accuracy, retrainings, alerts, cost and regret."""
    session = caller.session
    found = session.get(Backtest, backtest_id)
    if found is None:
        raise Unseen
    caller.require(backtest_resource(session, found))
    job = session.get_one(Job, found.job_id)
    result = results_of(session, [found.id]).get(found.id)
    story: ReplayedStory | None = None
    if result is not None:
        story = replayed_story(json.loads(caller.platform.blobs.read_bytes(result.digest)))
    policy = session.get(RetrainingPolicy, found.policy_id) if found.policy_id else None
    about = select(Deployment).where(
        Deployment.id == found.deployment_id, visible_deployments(caller)
    )
    return page(
        request,
        caller,
        "backtest.html",
        title="Backtest",
        section="jobs",
        backtest=found,
        deployment=session.scalar(about),
        job=job,
        label=labels_of(session, [job.label_id])[job.label_id],
        result=result,
        story=story,
        as_it_stands=policy is not None and policy.digest == found.policy_digest,
        names=names_of(session, [found.created_by]),
    )


@router.post("/retraining-policies/{policy_id}/backtests", **acts("backtest:start"))
def last_year(caller: Governed, policy_id: UUID) -> Response:
    """Ask what this policy would have done last year."""
    policy = _policy(caller, policy_id)
    deployment = caller.session.get_one(Deployment, policy.deployment_id)
    session, unit = caller.session, Unit.WEEK
    since, until = year_of_requests(session, deployment.id, unit, at=caller.at)
    settings = ReplaySettings(
        until=until,
        since=since,
        purpose=deployment.purpose,
        strategies=POLICY_STRATEGIES,
        period=unit,
        label_delay=usual_delay(session, deployment.id, unit, at=caller.at),
    )
    ordered = order_backtest(
        caller.session,
        source_of(caller.session, policy=policy),
        settings,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    caller.decided_by_use_case()
    return RedirectResponse(f"/console/backtests/{ordered.id}", 303)


def _policy(caller: Caller, policy_id: UUID) -> RetrainingPolicy:
    policy = caller.session.get(RetrainingPolicy, policy_id)
    if policy is None:
        raise Unseen
    resource = retraining_policy_resource(caller.session, policy)
    caller.require(resource, action="retraining-policy:read")
    return policy
