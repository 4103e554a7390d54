"""Asking for labels, and what became of that."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.batches import in_batches
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.core.ids import new_id
from bailiwick.db.session import lock_feedback
from bailiwick.monitoring.embeddings import STEPS, unpacked
from bailiwick.monitoring.hours import Window, WindowLayout, hour_of, spread
from bailiwick.monitoring.labelling.choosing import Candidate, chosen
from bailiwick.monitoring.labelling.tables import LabellingItem, LabellingRound
from bailiwick.monitoring.tables import Feedback, InferenceRecord

MOST_ROWS, MOST_CANDIDATES = 5_000, 20_000
DEFAULT_RANDOM_RATIO = 0.3

State = Literal["open", "labelled", "skipped"]


def ask_for_labels(
    session: Session,
    deployment_id: UUID,
    *,
    start: datetime,
    end: datetime,
    rows: int,
    random_ratio: float = DEFAULT_RANDOM_RATIO,
    actor_id: UUID,
    at: datetime,
) -> LabellingRound:
    """Choose requests of the span that have no label and that nobody was asked about yet.

    Of the hours' samples, so that a busy hour is not all there is. `Invalid` if there are none.
    """
    if not 1 <= rows <= MOST_ROWS:
        raise Invalid(f"ask for 1 to {MOST_ROWS:,} labels at once")
    if not 0 <= random_ratio <= 1:
        raise Invalid("random_ratio is the share that is chosen at random: between 0 and 1")
    lock_feedback(session, deployment_id)  # of two at once, the second sees the first
    candidates = _candidates(session, deployment_id, hour_of(start), hour_of(end))
    if not candidates:
        raise Invalid(
            f"from {start:%Y-%m-%d} to {end:%Y-%m-%d} there are no sampled requests without a "
            "label that nobody was asked about; name other days. Requests are sampled from when "
            "the deployment's traffic is watched, and archived ones are not asked about"
        )
    seed = int(digest_of([str(deployment_id), start.isoformat(), len(candidates)])[:8], 16)
    found = chosen(candidates, rows, random_ratio=random_ratio, seed=seed)
    made = LabellingRound(
        id=new_id(),
        deployment_id=deployment_id,
        start=start,
        end=end,
        candidates=len(candidates),
        rows=len(found),
        random_rows=sum(reason == "random" for _, reason in found),
        made_by=actor_id,
        made_at=at,
    )
    session.add(made)
    session.flush()  # before its items, which refer to it
    session.add_all(
        LabellingItem(
            id=new_id(),
            round_id=made.id,
            deployment_id=deployment_id,
            record_id=one.record_id,
            reason=reason,
        )
        for one, reason in found
    )
    session.flush()
    record(
        session,
        "labels.asked",
        subject_type="deployment",
        subject_id=deployment_id,
        actor_id=actor_id,
        at=at,
        details={
            "round": str(made.id),
            "span": [start.isoformat(), end.isoformat()],
            "rows": made.rows,
            "random_rows": made.random_rows,
        },
    )
    return made


def skip_item(
    session: Session, item: LabellingItem, *, actor_id: UUID, at: datetime
) -> LabellingItem:
    """Say that one cannot tell; `Conflict` if it has been labelled. Skipping twice is once."""
    if session.scalar(select(_is_labelled(item.deployment_id, item.record_id))):
        raise Conflict("this request has been labelled; withdraw the label to change it")
    if item.skipped_at is None:
        item.skipped_at, item.skipped_by = at, actor_id
        session.flush()
        record(
            session,
            "label.skipped",
            subject_type="deployment",
            subject_id=item.deployment_id,
            actor_id=actor_id,
            at=at,
            details={"item": str(item.id)},
        )
    return item


def state_of(wanted: State) -> ColumnElement[bool]:
    """The condition of items that are in a state."""
    labelled = _is_labelled(LabellingItem.deployment_id, LabellingItem.record_id)
    if wanted == "labelled":
        return labelled
    skipped = LabellingItem.skipped_at.is_not(None)
    return ~labelled & (skipped if wanted == "skipped" else ~skipped)


def picked_for_doubt(
    session: Session, deployment_id: UUID, record_ids: Collection[str]
) -> set[str]:
    """Which of these were picked because the model was in doubt: hard ones say no accuracy."""
    found: set[str] = set()
    for some in in_batches(sorted(record_ids)):
        found.update(
            session.scalars(
                select(LabellingItem.record_id).where(
                    LabellingItem.deployment_id == deployment_id,
                    LabellingItem.record_id.in_(some),
                    LabellingItem.reason == "unsure",
                )
            )
        )
    return found


def _candidates(
    session: Session, deployment_id: UUID, start: datetime, end: datetime
) -> list[Candidate]:
    layouts = session.scalars(
        select(WindowLayout.id).where(WindowLayout.deployment_id == deployment_id)
    ).all()
    inside = (Window.start >= start, Window.start < end)
    ids = set(spread(session, layouts, *inside, most=MOST_CANDIDATES))
    asked = LabellingItem.deployment_id == deployment_id
    found: list[Candidate] = []
    for some in in_batches(sorted(ids)):
        known = select(LabellingItem.record_id).where(asked, LabellingItem.record_id.in_(some))
        rows = session.execute(
            select(
                InferenceRecord.record_id,
                InferenceRecord.prediction,
                InferenceRecord.confidence,
                InferenceRecord.entropy,
                InferenceRecord.embedding,
            ).where(
                InferenceRecord.deployment_id == deployment_id,
                InferenceRecord.record_id.in_(some),
                InferenceRecord.record_id.not_in(known),
                ~_is_labelled(InferenceRecord.deployment_id, InferenceRecord.record_id),
            )
        )
        found += [
            Candidate(row.record_id, row.prediction, row.confidence, row.entropy, _directions(row))
            for row in rows
        ]
    return found


def _directions(row: Any) -> tuple[float, ...] | None:
    if row.embedding is None:
        return None
    return tuple((unpacked([row.embedding])[0] / STEPS).tolist())


def _is_labelled(deployment_id: object, record_id: object) -> ColumnElement[bool]:
    """Whether anything was ever said of a record."""
    return exists().where(Feedback.deployment_id == deployment_id, Feedback.record_id == record_id)
