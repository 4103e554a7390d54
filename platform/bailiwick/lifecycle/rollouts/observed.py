"""From requests in the database to evidence: each request, and each label, is judged once.

The caller holds the rollout's row, so that one process at a time does it; what was judged is
marked in the same transaction, so that a process that dies leaves nothing half counted.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import delete, exists, insert, literal, select, update
from sqlalchemy.orm import Session

from bailiwick.core.batches import in_batches
from bailiwick.core.ids import new_ids
from bailiwick.lifecycle.rollouts.guards import (
    Answer,
    Evidence,
    Reference,
    judged_labels,
    judged_pairs,
    judged_split,
)
from bailiwick.lifecycle.rollouts.plans import Plan
from bailiwick.monitoring import Feedback, InferenceRecord
from bailiwick.monitoring.betting import group_size
from bailiwick.registry import CANARY, CHAMPION, SHADOW, Rollout, RolloutRecord

T = TypeVar("T")
AT_ONCE = 2_000  # rows of each role
KEPT = timedelta(days=30)
_UNJUDGED = RolloutRecord.judged_at.is_(None)
_UNLABELLED = RolloutRecord.label_judged_at.is_(None)


def take_requests(
    session: Session,
    rollout: Rollout,
    evidence: Evidence,
    plan: Plan,
    reference: Reference,
    *,
    at: datetime,
) -> Evidence:
    """Judge the requests that wait; of split ones as many as have a counterpart."""
    shadows = _waiting(session, rollout, SHADOW)
    evidence = judged_pairs(evidence, [_pair(one) for one in shadows], plan, reference)
    champion, canary = _matched(
        _waiting(session, rollout, CHAMPION), _waiting(session, rollout, CANARY)
    )
    evidence = judged_split(
        evidence,
        [_answer(one) for one in champion],
        [_answer(one) for one in canary],
        plan,
        reference,
    )
    done = [one.id for one in (*shadows, *champion, *canary)]
    for some in in_batches(done):
        session.execute(
            update(RolloutRecord)
            .where(RolloutRecord.id.in_(some))
            .values(judged_at=at)
            .execution_options(synchronize_session=False)
        )
    return evidence


def take_labels(
    session: Session,
    rollout: Rollout,
    evidence: Evidence,
    plan: Plan,
    reference: Reference,
    *,
    at: datetime,
) -> Evidence:
    """Judge the requests whose labels became known; a label that is corrected later is not."""
    shadows = _labelled(session, rollout, SHADOW, at=at)
    champion, canary = _matched(
        _labelled(session, rollout, CHAMPION, at=at), _labelled(session, rollout, CANARY, at=at)
    )
    evidence = judged_labels(
        evidence,
        [_pair(*one) for one in shadows],
        [_answer(*one) for one in champion],
        [_answer(*one) for one in canary],
        plan,
        reference,
    )
    done = [one.id for one, _ in (*shadows, *champion, *canary)]
    for some in in_batches(done):
        session.execute(
            update(RolloutRecord)
            .where(RolloutRecord.id.in_(some))
            .values(label_judged_at=at)
            .execution_options(synchronize_session=False)
        )
    return evidence


def note_requests_elsewhere(session: Session, rollout: Rollout) -> int:
    """Where another system answers: its records of either version, since the rollout began.

    Each becomes a row of the rollout once; how many were new.
    """
    known = exists().where(
        RolloutRecord.rollout_id == rollout.id,
        RolloutRecord.record_id == InferenceRecord.record_id,
    )
    roles = {rollout.from_version_id: CHAMPION, rollout.to_version_id: CANARY}
    found = session.scalars(
        select(InferenceRecord)
        .where(
            InferenceRecord.deployment_id == rollout.deployment_id,
            InferenceRecord.at >= rollout.started_at,
            InferenceRecord.version_id.in_(roles),
            ~known,
        )
        .order_by(InferenceRecord.at)
        .limit(2 * AT_ONCE)
    ).all()
    if found:
        rows = [
            {
                "id": identifier,
                "rollout_id": rollout.id,
                "record_id": one.record_id,
                "role": roles[one.version_id],
                "at": one.at,
                "failed": False,
                "prediction": one.prediction,
                "confidence": one.confidence,
                "latency_ms": one.latency_ms,
            }
            for identifier, one in zip(new_ids(len(found)), found, strict=True)
        ]
        session.execute(insert(RolloutRecord), rows)
    return len(found)


def forget_records(session: Session, *, at: datetime) -> int:
    """Delete what guards looked at of rollouts that ended long ago; events keep the evidence."""
    old = select(Rollout.id).where(Rollout.ended_at < at - KEPT)
    ids = session.scalars(
        select(RolloutRecord.id).where(RolloutRecord.rollout_id.in_(old)).limit(5 * AT_ONCE)
    ).all()
    for some in in_batches(ids):
        session.execute(delete(RolloutRecord).where(RolloutRecord.id.in_(some)))
    return len(ids)


def _waiting(session: Session, rollout: Rollout, role: str) -> Sequence[RolloutRecord]:
    query = select(RolloutRecord).where(
        RolloutRecord.rollout_id == rollout.id, RolloutRecord.role == role, _UNJUDGED
    )
    return session.scalars(query.order_by(RolloutRecord.id).limit(AT_ONCE)).all()


def _labelled(
    session: Session, rollout: Rollout, role: str, *, at: datetime
) -> list[tuple[RolloutRecord, str]]:
    """Those whose newest label is known now, with it."""
    newest = (
        select(Feedback.label)
        .where(
            Feedback.deployment_id == literal(rollout.deployment_id),
            Feedback.record_id == RolloutRecord.record_id,
            Feedback.received_at <= at,
        )
        .order_by(Feedback.revision.desc())
        .limit(1)
        .correlate(RolloutRecord)
        .scalar_subquery()
    )
    query = (
        select(RolloutRecord, newest)
        .where(
            RolloutRecord.rollout_id == rollout.id,
            RolloutRecord.role == role,
            _UNLABELLED,
            ~RolloutRecord.failed,
            newest.is_not(None),
        )
        .order_by(RolloutRecord.id)
        .limit(AT_ONCE)
    )
    return [(one, label) for one, label in session.execute(query) if label is not None]


def _matched(champion: Sequence[T], canary: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """The first of each arm that make up whole groups; the others wait for more."""
    size = group_size(len(champion), len(canary))
    if len(champion) >= len(canary):
        return champion[: size * len(canary)], canary[: len(canary) * bool(size)]
    return champion[: len(champion) * bool(size)], canary[: size * len(champion)]


def _answer(one: RolloutRecord, label: str | None = None) -> Answer:
    return Answer(one.failed, one.prediction, one.confidence, one.latency_ms, label)


def _pair(one: RolloutRecord, label: str | None = None) -> tuple[Answer, Answer]:
    champion = Answer(
        failed=False,
        prediction=one.champion_prediction,
        confidence=one.champion_confidence,
        latency_ms=one.champion_latency_ms,
        label=label,
    )
    return champion, _answer(one, label)
