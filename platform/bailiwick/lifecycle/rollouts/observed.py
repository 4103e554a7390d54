"""From requests in the database to evidence: each request, and each label, is judged once.

The caller holds the rollout's row, so that one process at a time does it; what was judged is
marked in the same transaction, so that a process that dies leaves nothing half counted.
Labels and both versions' answers are read as they are called now: where one was renamed, the old
version's name of it and the new one's are the same answer, and a label is right by either.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import delete, exists, insert, literal, select, true, update
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
from bailiwick.lineage.taxonomies import Renames
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
    renames: Renames,
    *,
    at: datetime,
) -> Evidence:
    """Judge the requests that wait; of split ones as many as have a counterpart."""
    shadows = _waiting(session, rollout, SHADOW)
    evidence = judged_pairs(evidence, [_pair(one, renames) for one in shadows], plan, reference)
    champion, canary = _matched(
        _waiting(session, rollout, CHAMPION), _waiting(session, rollout, CANARY)
    )
    evidence = judged_split(
        evidence,
        [_answer(one, renames) for one in champion],
        [_answer(one, renames) for one in canary],
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
    renames: Renames,
    *,
    at: datetime,
) -> Evidence:
    """Judge the requests whose labels became known; a label that is corrected later is not."""
    shadows, champion, canary = (
        _labelled(session, rollout, role, renames, at=at) for role in (SHADOW, CHAMPION, CANARY)
    )
    champion, canary = _matched(champion, canary)
    evidence = judged_labels(
        evidence,
        [_pair(one, renames, label) for one, label in shadows],
        [_answer(one, renames, label) for one, label in champion],
        [_answer(one, renames, label) for one, label in canary],
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
    session: Session, rollout: Rollout, role: str, renames: Renames, *, at: datetime
) -> Sequence[tuple[RolloutRecord, str]]:
    """Those whose newest label is known now, with it; one that was given up is none."""
    given_up = [name for name, new in renames.names.items() if new is None]
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
            newest.not_in(given_up) if given_up else true(),
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


def _answer(one: RolloutRecord, renames: Renames, label: str | None = None) -> Answer:
    said = _called(one.prediction, renames)
    return Answer(one.failed, said, one.confidence, one.latency_ms, _called(label, renames))


def _pair(one: RolloutRecord, renames: Renames, label: str | None = None) -> tuple[Answer, Answer]:
    champion = Answer(
        failed=False,
        prediction=_called(one.champion_prediction, renames),
        confidence=one.champion_confidence,
        latency_ms=one.champion_latency_ms,
        label=_called(label, renames),
    )
    return champion, _answer(one, renames, label)


def _called(name: str | None, renames: Renames) -> str | None:
    """What it is called now; an answer that was given up keeps its name, as nothing else has it."""
    return None if name is None else renames.name_of(name) or name
