"""Moves of a rollout: the row, an event with the evidence of that moment, audit, and who is told.

A move is one transaction's work. The caller holds the rollout's row.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.rollouts.course import require_move
from bailiwick.lifecycle.rollouts.guards import Evidence
from bailiwick.lifecycle.rollouts.plans import Plan
from bailiwick.monitoring import Alert, Signal, close, signal, unresolved
from bailiwick.monitoring.tables import ROLLOUT
from bailiwick.notifications import announce_serving, severity_of
from bailiwick.registry import (
    CANARY,
    FULL,
    ROLLED_BACK,
    RUNNING,
    SHADOW,
    STOPPED,
    Deployment,
    ModelVersion,
    Rollout,
    RolloutEvent,
)

WENT_BACK, STALLED, WRONG_VERSION = "rolled-back", "stalled", "wrong-version"
MAX_WORDS = 2_000


def note_start(session: Session, rollout: Rollout, *, actor_id: UUID, at: datetime) -> None:
    """A new rollout stands in its first step; alerts about the one before are over."""
    for cause in (WENT_BACK, STALLED):
        quiet(session, rollout, cause, why="another rollout began", actor_id=actor_id, at=at)
    _note(session, rollout, "started", None, rollout.reason, actor_id, at)


def enter_step(
    session: Session, rollout: Rollout, step: int, *, why: str, actor_id: UUID, at: datetime
) -> None:
    """Go on to a step of the plan; its requests are counted from here on, the bets go on."""
    entered = Plan.from_json(rollout.plan).steps[step]
    old = _change(rollout, entered.state)
    rollout.step, rollout.share, rollout.step_started_at = step, entered.share, at
    rollout.stalled_at = None
    _note(session, rollout, "advanced", old, why, actor_id, at)
    rollout.evidence = Evidence.from_json(rollout.evidence).next_step().to_json()
    quiet(session, rollout, STALLED, why=why, actor_id=actor_id, at=at)


def note_passed(
    session: Session, rollout: Rollout, *, why: str, actor_id: UUID, at: datetime
) -> None:
    """It is through its steps; the champion moves once its siblings are as well."""
    rollout.passed_at = at
    _note(session, rollout, "passed", rollout.state, why, actor_id, at)
    quiet(session, rollout, STALLED, why=why, actor_id=actor_id, at=at)


def note_full(
    session: Session, rollout: Rollout, *, why: str, actor_id: UUID, at: datetime
) -> None:
    """Its version becomes champion, in this transaction; the one before stays warm."""
    old = _change(rollout, FULL)
    rollout.share = 1.0
    warm = timedelta(hours=Plan.from_json(rollout.plan).warm_hours)
    rollout.warm_until = at + warm
    _end(rollout, why, at)
    _note(session, rollout, "completed", old, why, actor_id, at)


def note_stop(
    session: Session, rollout: Rollout, *, why: str, actor_id: UUID, at: datetime
) -> None:
    """It ends without fault; the champion answers everything."""
    old = _change(rollout, STOPPED)
    rollout.share = 0.0
    _end(rollout, why, at)
    _note(session, rollout, "stopped", old, why, actor_id, at)
    quiet(session, rollout, STALLED, why=why, actor_id=actor_id, at=at)


def note_rollback(
    session: Session,
    rollout: Rollout,
    *,
    why: str,
    alarms: bool,
    actor_id: UUID,
    at: datetime,
) -> None:
    """The version before answers everything again; `alarms`: nobody asked for it, so an alert."""
    old = _change(rollout, ROLLED_BACK)
    rollout.share, rollout.warm_until = 0.0, None
    _end(rollout, why, at)
    _note(session, rollout, "rolled-back", old, why, actor_id, at)
    quiet(session, rollout, STALLED, why=why, actor_id=actor_id, at=at)
    if alarms:
        number = session.get_one(ModelVersion, rollout.to_version_id).number
        told = f"Version {number} was rolled back: {why}."
        tell(session, rollout, WENT_BACK, told, actor_id=actor_id, at=at)


def note_stall(
    session: Session, rollout: Rollout, *, why: str, actor_id: UUID, at: datetime
) -> None:
    """Its step lasts too long: somebody should know; nothing else changes."""
    rollout.stalled_at = at
    _note(session, rollout, "stalled", rollout.state, why, actor_id, at)
    told = f"The rollout waits: {why}. Advance or stop it by hand, or wait on."
    tell(session, rollout, STALLED, told, actor_id=actor_id, at=at)


def tell(
    session: Session, rollout: Rollout, kind: str, sentence: str, *, actor_id: UUID, at: datetime
) -> Alert:
    """Raise the deployment's alert of that kind, or keep it up."""
    told = Signal(
        deployment_id=rollout.deployment_id,
        source=ROLLOUT,
        cause=kind,
        kind=kind,
        severity=severity_of(kind),
        sentence=sentence[:MAX_WORDS],
        since=rollout.step_started_at,
        owner_id=session.get_one(Deployment, rollout.deployment_id).created_by,
        rollout_id=rollout.id,
    )
    return signal(session, told, actor_id=actor_id, at=at)


def quiet(
    session: Session, rollout: Rollout, cause: str, *, why: str, actor_id: UUID, at: datetime
) -> None:
    """Resolve the deployment's alert of that cause, if one stands."""
    alert = unresolved(session, rollout.deployment_id, ROLLOUT, cause)
    if alert is not None:
        close(session, alert, resolution=why[:MAX_WORDS], actor_id=actor_id, at=at)


def _change(rollout: Rollout, state: str) -> str:
    old = rollout.state
    require_move(old, state)
    rollout.state = state
    return old


def _end(rollout: Rollout, why: str, at: datetime) -> None:
    rollout.ended_at, rollout.ended_why = at, why[:MAX_WORDS]


def _note(
    session: Session,
    rollout: Rollout,
    move: str,
    old: str | None,
    why: str,
    actor_id: UUID,
    at: datetime,
) -> None:
    rollout.moves += 1
    session.flush()
    session.add(
        RolloutEvent(
            id=new_id(),
            rollout_id=rollout.id,
            number=rollout.moves,
            move=move,
            old_state=old,
            new_state=rollout.state,
            step=rollout.step,
            share=rollout.share,
            why=why[:MAX_WORDS],
            evidence=rollout.evidence,
            actor_id=actor_id,
            at=at,
        )
    )
    session.flush()
    record(
        session,
        f"rollout.{move}",
        subject_type="rollout",
        subject_id=rollout.id,
        actor_id=actor_id,
        at=at,
        details={
            "deployment": str(rollout.deployment_id),
            "from_version": str(rollout.from_version_id),
            "to_version": str(rollout.to_version_id),
            "old": old,
            "new": rollout.state,
            "share": rollout.share,
            "why": why[:MAX_WORDS],
        },
    )
    _announce(session, rollout, actor_id, at)


def _announce(session: Session, rollout: Rollout, actor_id: UUID, at: datetime) -> None:
    channel = Plan.from_json(rollout.plan).channel
    if channel is None:
        return
    deployment = session.get_one(Deployment, rollout.deployment_id)
    serves = rollout.to_version_id if rollout.state == FULL else rollout.from_version_id
    is_running = rollout.state in RUNNING
    facts = {
        "deployment_id": str(deployment.id),
        "rollout_id": str(rollout.id),
        "number": rollout.moves,
        "state": rollout.state,
        "version_id": str(serves),
        "challenger_id": str(rollout.to_version_id) if is_running else None,
        "share": rollout.share if rollout.state == CANARY else 0.0,
        "shadows": rollout.state == SHADOW,
    }
    announce_serving(session, channel, deployment, facts, actor_id=actor_id, at=at)
