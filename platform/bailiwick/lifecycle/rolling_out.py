"""Carrying rollouts on: judged by the scheduler, moved by hand, through to the champion.

Whoever judges or moves a rollout takes its model's turn first, like a promotion: one process at a
time, in one order of locks. Automatic moves are made in the name of whoever began the rollout.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import BailiwickError, Conflict, Denied
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.promotion import promote, take_turns
from bailiwick.lifecycle.promotion import roll_back as roll_back_champion
from bailiwick.lifecycle.rollouts.course import Next, Progress, Verdict, judge
from bailiwick.lifecycle.rollouts.guards import Evidence, Reference, standings
from bailiwick.lifecycle.rollouts.moves import (
    enter_step,
    note_full,
    note_passed,
    note_rollback,
    note_stall,
    note_stop,
)
from bailiwick.lifecycle.rollouts.observed import (
    note_requests_elsewhere,
    take_labels,
    take_requests,
)
from bailiwick.lifecycle.rollouts.plans import ELSEWHERE, Plan
from bailiwick.lifecycle.rollouts.references import reference_of
from bailiwick.monitoring.naming import naming_for
from bailiwick.policy import Actor, Unseen, load_actor
from bailiwick.registry import (
    ACTIVE,
    FULL,
    RUNNING,
    Deployment,
    ModelVersion,
    Rollout,
    newest_rollout,
    require_servable,
    running_rollout,
)

UNSEEN = "whoever began it may not see the version any more; promote it again as somebody who may"


def judge_all(platform: Platform) -> int:
    """Judge each rollout that is under way, in a transaction of its own; how many there were.

    One that cannot be judged hinders no other: its error is raised at the end.
    """
    with platform.database.reading() as session:
        running = session.scalars(select(Rollout.id).where(Rollout.state.in_(RUNNING))).all()
    errors = []
    for rollout_id in running:
        try:
            with platform.database.transaction() as session:
                judge_one(session, platform, rollout_id, at=platform.clock.now())
        except BailiwickError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return len(running)


def judge_one(
    session: Session, platform: Platform, rollout_id: UUID, *, at: datetime
) -> Verdict | None:
    """Take in what the requests showed since, and do what follows; None if it is not under way."""
    rollout = session.get_one(Rollout, rollout_id)
    take_turns(session, rollout.model_id)
    session.refresh(rollout, with_for_update=True)
    if rollout.state not in RUNNING:
        return None
    platform = platform.in_force(session)
    actor = load_actor(session, rollout.started_by)
    deployment = session.get_one(Deployment, rollout.deployment_id)
    if deployment.state != ACTIVE:
        why = "the deployment was stopped"
        note_stop(session, rollout, why=why, actor_id=rollout.started_by, at=at)
        return None
    refused = _why_refused(session, platform, rollout, deployment, actor, at)
    if refused is not None:
        _give_up(session, rollout, refused, at)
        return Verdict(Next.ROLL_BACK, refused)
    _take_in(session, platform, rollout, at)
    plan = Plan.from_json(rollout.plan)
    verdict = judge(
        plan,
        Reference.from_json(rollout.reference),
        Evidence.from_json(rollout.evidence),
        _progress(rollout),
        at=at,
    )
    if verdict.next is Next.ROLL_BACK:
        _give_up(session, rollout, verdict.why, at)
    elif verdict.next is Next.STALL:
        note_stall(session, rollout, why=verdict.why, actor_id=rollout.started_by, at=at)
    elif verdict.next is Next.ADVANCE:
        _go_on(session, platform, rollout, verdict.why, actor, at)
    return verdict


def advance(
    session: Session,
    platform: Platform,
    deployment: Deployment,
    *,
    reason: str,
    actor: Actor,
    at: datetime,
) -> Rollout:
    """Go to the next step now, by hand: its hours and requests are not waited for, guards are."""
    rollout = _under_way(session, deployment)
    if rollout.passed_at is not None:
        raise Conflict("this rollout is through its steps and waits for the other deployments")
    _take_in(session, platform, rollout, at)
    plan, reference = Plan.from_json(rollout.plan), Reference.from_json(rollout.reference)
    evidence = Evidence.from_json(rollout.evidence)
    if any(one.breached for one in standings(evidence, plan, reference)):
        raise Conflict("a guard of this rollout is breached, so it cannot go on; stop it")
    starter = load_actor(session, rollout.started_by)
    _go_on(session, platform, rollout, reason, starter, at, by=UUID(actor.id))
    return rollout


def stop(
    session: Session, deployment: Deployment, *, reason: str, actor: Actor, at: datetime
) -> Rollout:
    """End it without fault; siblings of the same promotion end with it."""
    rollout = _under_way(session, deployment)
    for one in _siblings(session, rollout):
        note_stop(session, one, why=reason, actor_id=UUID(actor.id), at=at)
    return rollout


def roll_back(
    session: Session,
    platform: Platform,
    deployment: Deployment,
    *,
    reason: str,
    actor: Actor,
    at: datetime,
) -> Rollout:
    """Back to the version before, from the next request on.

    While it is under way that takes back the share; once it is full, and the version before is
    still warm, the champion moves back, which the policy is asked about.
    """
    newest = newest_rollout(session, deployment.id)
    if newest is None or (newest.state not in RUNNING and not _is_warm(newest, at)):
        raise Conflict(
            "no rollout of this deployment is under way, or was completed so lately that the "
            "version before is still warm; the model's champion can be rolled back"
        )
    take_turns(session, newest.model_id)
    session.refresh(newest, with_for_update=True)
    if newest.state in RUNNING:
        for one in _siblings(session, newest):
            by = UUID(actor.id)
            note_rollback(session, one, why=reason, alarms=False, actor_id=by, at=at)
    else:
        roll_back_champion(
            session, newest.model_id, reason=reason, rules=platform.rules, actor=actor, at=at
        )
    return newest


def _under_way(session: Session, deployment: Deployment) -> Rollout:
    take_turns(session, deployment.model_id)
    rollout = running_rollout(session, deployment.id, for_update=True)
    if rollout is None:
        raise Conflict("no rollout of this deployment is under way")
    return rollout


def _is_warm(rollout: Rollout, at: datetime) -> bool:
    return rollout.state == FULL and rollout.warm_until is not None and at < rollout.warm_until


def _progress(rollout: Rollout) -> Progress:
    return Progress(
        rollout.step,
        rollout.step_started_at,
        has_passed=rollout.passed_at is not None,
        has_stalled=rollout.stalled_at is not None,
    )


def _why_refused(
    session: Session,
    platform: Platform,
    rollout: Rollout,
    deployment: Deployment,
    actor: Actor,
    at: datetime,
) -> str | None:
    """The policy's reason why the version may not serve there any more."""
    try:
        require_servable(
            session,
            session.get_one(ModelVersion, rollout.to_version_id),
            deployment.environment,
            purpose=deployment.purpose,
            rules=platform.rules,
            actor=actor,
            at=at,
            deployment=deployment,
        )
    except Denied as error:
        return error.message
    except Unseen:
        return UNSEEN
    return None


def _take_in(session: Session, platform: Platform, rollout: Rollout, at: datetime) -> None:
    plan = Plan.from_json(rollout.plan)
    if not rollout.reference:
        rollout.reference = reference_of(session, rollout, platform.blobs).to_json()
    if plan.served == ELSEWHERE:
        note_requests_elsewhere(session, rollout)
    reference = Reference.from_json(rollout.reference)
    evidence = Evidence.from_json(rollout.evidence)
    renames = naming_for(session, rollout.to_version_id).now
    evidence = take_requests(session, rollout, evidence, plan, reference, renames, at=at)
    evidence = take_labels(session, rollout, evidence, plan, reference, renames, at=at)
    rollout.evidence = evidence.to_json()
    session.flush()


def _go_on(
    session: Session,
    platform: Platform,
    rollout: Rollout,
    why: str,
    starter: Actor,
    at: datetime,
    *,
    by: UUID | None = None,
) -> None:
    """To the next step; after the last one it has passed, and with its siblings it is full."""
    actor_id = by or rollout.started_by
    if rollout.step + 1 < len(Plan.from_json(rollout.plan).steps):
        enter_step(session, rollout, rollout.step + 1, why=why, actor_id=actor_id, at=at)
        return
    note_passed(session, rollout, why=why, actor_id=actor_id, at=at)
    siblings = _siblings(session, rollout)
    if any(one.passed_at is None for one in siblings):
        return
    try:
        with session.begin_nested():
            _complete(session, platform, rollout, siblings, starter, at)
    except (Denied, Conflict, Unseen) as error:
        _give_up(session, rollout, f"the champion could not move: {error.message}", at)


def _complete(
    session: Session,
    platform: Platform,
    rollout: Rollout,
    siblings: Sequence[Rollout],
    starter: Actor,
    at: datetime,
) -> None:
    """All deployments are through: the champion moves, as whoever began it."""
    for one in siblings:
        why = "all deployments are through their steps"
        note_full(session, one, why=why, actor_id=one.started_by, at=at)
    promote(
        session,
        session.get_one(ModelVersion, rollout.to_version_id),
        reason=rollout.reason,
        mandate=rollout.mandate,
        rolled_out_since=min(one.started_at for one in siblings),
        rules=platform.rules,
        tiers=platform.tiers,
        actor=starter,
        at=at,
    )


def _give_up(session: Session, rollout: Rollout, why: str, at: datetime) -> None:
    """Roll back, everywhere: what fails in one place does not become champion."""
    for one in _siblings(session, rollout):
        elsewhere = "" if one.id == rollout.id else "of another deployment: "
        told = f"{elsewhere}{why}"
        note_rollback(session, one, why=told, alarms=True, actor_id=one.started_by, at=at)


def _siblings(session: Session, rollout: Rollout) -> list[Rollout]:
    """All that is under way of the same model and version, this one included; rows are locked."""
    return list(
        session.scalars(
            select(Rollout)
            .where(
                Rollout.model_id == rollout.model_id,
                Rollout.to_version_id == rollout.to_version_id,
                Rollout.state.in_(RUNNING),
            )
            .order_by(Rollout.id)
            .with_for_update()
        )
    )
