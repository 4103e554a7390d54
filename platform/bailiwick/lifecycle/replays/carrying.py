"""Carrying out a backtest: read what was known, replay it beside the heartbeat, keep the result."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.canonical import canonical_bytes, digest_of
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.backtest import Stream
from bailiwick.lifecycle.backtest.stream import stream_of
from bailiwick.lifecycle.jobs import Lease, held_job, succeed
from bailiwick.lifecycle.placing import require_here
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.replays.evidence import as_evidence
from bailiwick.lifecycle.replays.history import History, read_history
from bailiwick.lifecycle.replays.orders import Source, require_rights, stored_source
from bailiwick.lifecycle.replays.policy import PolicyTerms
from bailiwick.lifecycle.replays.replaying import (
    Beat,
    Learning,
    Work,
    plan_of,
    replay_beside,
    result_of,
)
from bailiwick.lifecycle.replays.settings import ReplaySettings
from bailiwick.lifecycle.retraining_policies import PURPOSE as MANDATE
from bailiwick.lifecycle.retraining_policies import policy_subject
from bailiwick.lifecycle.rises import raise_job
from bailiwick.lifecycle.tables import Backtest, BacktestResult, Job, RetrainingPolicy
from bailiwick.lineage import Node, record_run
from bailiwick.policy import load_actor
from bailiwick.policy.approvals import attach_evidence

_FORMAT = 1  # counts up when the same rows and settings would give another result


@dataclass(frozen=True, slots=True)
class _Task:
    """What is replayed: whose history, how, and what was read of it."""

    backtest_id: UUID
    source: Source
    settings: ReplaySettings
    history: History


@dataclass(frozen=True, slots=True)
class _Replayed:
    """The blob with all periods, by the content that it was made from, and what it comes to."""

    content_digest: str
    digest: str
    summary: dict[str, Any]


def carry_out_backtest(platform: Platform, lease: Lease, folder: Path, beat: Beat) -> None:
    """Replay a history; the same rows under the same settings are replayed once.

    Models' answers are remembered in the work folder, so that an attempt goes on where the one
    before it died. Raises `Invalid` where there is nothing to replay, `LeaseLost` once cancelled.
    """
    started_at = platform.clock.now()
    with platform.database.transaction() as session:
        held_job(session, lease)
        _allowed(session, platform, lease, at=started_at)
    require_here(platform, lease)
    with platform.database.reading() as session:
        task = _read(session, platform, lease, at=started_at)
        terms = None if task.source.policy is None else PolicyTerms.of(task.source.policy)
        learning = _learning(task.source)
        stream = stream_of(task.history.frame, task.settings.period, folder)
        key = _content_digest(stream, task)
        known = session.scalar(
            select(BacktestResult).where(BacktestResult.content_digest == key).limit(1)
        )
    if known is None:
        plan, work = plan_of(stream, task.settings), _work(platform, folder)
        outcomes = replay_beside(stream, plan, task.settings, terms, learning, work, beat)
        result = result_of(plan, task.settings, outcomes)
        digest = platform.blobs.put_bytes(canonical_bytes(result))
        replayed = _Replayed(key, digest, result["summary"])
    else:
        platform.blobs.verified_path(known.digest)
        replayed = _Replayed(key, known.digest, known.summary)
    with platform.database.transaction() as session:
        held_job(session, lease)
        at = platform.clock.now()
        _allowed(session, platform, lease, at=at)
        _record(session, lease, task, replayed, started_at=started_at, at=at)


def _allowed(session: Session, platform: Platform, lease: Lease, *, at: datetime) -> None:
    """Its principal may still have it; the job's label comes to cover what is read."""
    now, job = platform.in_force(session), session.get_one(Job, lease.job_id)
    backtest = _ordered(session, job)
    source, purpose = stored_source(session, backtest), _settings(backtest).purpose
    actor = load_actor(session, lease.acts_as)
    _, label = require_rights(session, source, purpose, rules=now.rules, actor=actor, at=at)
    raise_job(session, now.rules.scheme, job, [label], actor_id=lease.acts_as, at=at)


def _read(session: Session, platform: Platform, lease: Lease, *, at: datetime) -> _Task:
    backtest = _ordered(session, session.get_one(Job, lease.job_id))
    source, settings = stored_source(session, backtest), _settings(backtest)
    history = read_history(session, platform, source, settings, at=at)
    return _Task(backtest.id, source, settings, history)


def _ordered(session: Session, job: Job) -> Backtest:
    return session.get_one(Backtest, UUID(job.payload["backtest_id"]))


def _settings(backtest: Backtest) -> ReplaySettings:
    return ReplaySettings.from_json(backtest.settings)


def _learning(source: Source) -> Learning | None:
    policy = source.policy
    return None if policy is None else Learning(policy.window_days, policy.max_rows)


def _work(platform: Platform, folder: Path) -> Work:
    settings = platform.settings
    return Work(
        folder=folder,
        cache=settings.work_folder / "backtests",
        processes=settings.threads,
        beat_seconds=platform.beat_seconds,
    )


def _content_digest(stream: Stream, task: _Task) -> str:
    """Of the rows, and of all that decides what comes of them."""
    rows = stream.digest_until(stream.table.num_rows)
    policy = task.source.policy.digest if task.source.policy else None
    return digest_of([_FORMAT, rows, task.settings.to_json() | {"until": None}, policy])


def _record(
    session: Session,
    lease: Lease,
    task: _Task,
    replayed: _Replayed,
    *,
    started_at: datetime,
    at: datetime,
) -> None:
    """In one transaction: result, run (so that its label follows what was read), end of the job."""
    history, told = task.history, replayed.summary
    told = told | {"late_rows": history.late_rows, "without_text": history.without_text}
    result = BacktestResult(
        id=new_id(),
        backtest_id=task.backtest_id,
        content_digest=replayed.content_digest,
        digest=replayed.digest,
        summary=told,
        at=at,
    )
    session.add(result)
    session.flush()
    job = session.get_one(Job, lease.job_id)
    read = [Node("dataset-version", version.id) for version in task.source.versions]
    read += [Node("model-version", version) for version in sorted(history.served)]
    record_run(
        session,
        "evaluate",
        namespace=job.namespace,
        label_id=job.label_id,
        inputs=read,
        outputs=[],
        parameters={"backtest": str(task.backtest_id), **task.settings.to_json()},
        metrics={"result": replayed.digest},
        started_at=started_at,
        actor_id=lease.acts_as,
        at=at,
        job_id=lease.job_id,
    )
    record(
        session,
        "backtest.finished",
        subject_type="backtest",
        subject_id=task.backtest_id,
        actor_id=lease.acts_as,
        at=at,
        details={"digest": result.digest, "content_digest": result.content_digest},
    )
    policy, ordered = task.source.policy, session.get_one(Backtest, task.backtest_id)
    if policy is not None:
        subject = policy_subject(session, session.get_one(RetrainingPolicy, policy.id))
        attach_evidence(
            session,
            subject,
            as_evidence(ordered, result),
            purpose=MANDATE,
            actor_id=lease.acts_as,
            at=at,
        )
    best = max(told["strategies"], key=lambda one: one["accuracy"])
    summary = f"{best['strategy']} did best: {best['accuracy']:.1%}, {best['retrains']} retrainings"
    outcome = {"backtest_id": str(task.backtest_id), "digest": result.digest, "summary": summary}
    succeed(session, lease, outcome, at=at)
