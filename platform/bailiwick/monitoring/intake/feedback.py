"""Labels that come later: by record id or join key, corrected, withdrawn, before their record."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.batches import in_batches
from bailiwick.core.ids import new_ids
from bailiwick.db.session import hold_feedback, lock_feedback
from bailiwick.monitoring.archive import ArchivedJoinKey, mark_stale
from bailiwick.monitoring.confusion import Change, note_changes
from bailiwick.monitoring.hours import HOUR
from bailiwick.monitoring.intake.tables import JoinedFeedback
from bailiwick.monitoring.moments import EPOCH
from bailiwick.monitoring.tables import Feedback, InferenceRecord


@dataclass(frozen=True, slots=True)
class Outcome:
    """A label that came later, or None to withdraw it.

    Exactly one is given: the id of its record, or the (hashed) join key of its records.
    """

    record_id: str | None
    label: str | None
    join_key: str | None = None


@dataclass(slots=True)
class Told:
    """What some feedback changed."""

    new: int = 0
    known: int = 0
    corrected: int = 0
    withdrawn: int = 0


def log_feedback(
    session: Session,
    deployment_id: UUID,
    outcomes: Sequence[Outcome],
    *,
    actor_id: UUID,
    at: datetime,
) -> Told:
    """Append labels. The same label again changes nothing; another one is a correction.

    Feedback may arrive before its record does: by record id they meet when windows are read, by
    join key when the record comes. A join key speaks of every record that carries it.
    Corrections and withdrawals are audited (a label decides whether a model is replaced), one
    event of each a batch.
    """
    lock_feedback(session, deployment_id)
    told = Told()
    by_record = [(one.record_id, one.label) for one in outcomes if one.record_id is not None]
    by_key = [(one.join_key, one.label) for one in outcomes if one.join_key is not None]
    _append(session, Feedback, deployment_id, by_record, told, at=at)
    if by_key:
        _append(session, JoinedFeedback, deployment_id, by_key, told, at=at)
        labels = dict(by_key)
        carriers = _carriers(session, deployment_id, labels)
        meant = [(record_id, labels[key]) for record_id, key in carriers]
        _append(session, Feedback, deployment_id, meant, Told(), at=at)
        by_record += meant
    mark_stale(session, deployment_id, [record_id for record_id, _ in by_record])
    for action, rows in (
        ("feedback.corrected", told.corrected),
        ("feedback.withdrawn", told.withdrawn),
    ):
        if rows:
            record(
                session,
                action,
                subject_type="deployment",
                subject_id=deployment_id,
                actor_id=actor_id,
                at=at,
                details={"corrections" if action == "feedback.corrected" else "labels": rows},
            )
    return told


@contextmanager
def label_arrivals(
    session: Session, deployment_id: UUID, columns: Mapping[str, Sequence[Any]], *, at: datetime
) -> Iterator[None]:
    """Around the storing of records: those whose join key has a label already get it.

    Whoever labels by join key waits until it is done, so that no record falls between. A record
    that has feedback of its own keeps that.
    """
    keys = columns["join_key"]
    if not any(keys):
        yield
        return
    hold_feedback(session, deployment_id)
    yield
    labels = {
        key: label
        for key, (_, label, _) in _newest(
            session, JoinedFeedback, deployment_id, {key for key in keys if key}
        ).items()
        if label is not None
    }
    arrived = {
        record_id: labels[key]
        for record_id, key in zip(columns["record_id"], keys, strict=True)
        if key in labels
    }
    if arrived:
        said = _newest(session, Feedback, deployment_id, arrived)
        fresh = [(one, label) for one, label in arrived.items() if one not in said]
        _append(session, Feedback, deployment_id, fresh, Told(), at=at)


def _append(
    session: Session,
    table: type[Feedback | JoinedFeedback],
    deployment_id: UUID,
    said: Sequence[tuple[str, str | None]],
    told: Told,
    *,
    at: datetime,
) -> None:
    """A new revision for each label that differs from the newest one; `told` counts them."""
    subject = _subject(table).key
    newest = _newest(session, table, deployment_id, {about for about, _ in said})
    rows: list[dict[str, Any]] = []
    changes: list[Change] = []
    hour = (at - EPOCH) // HOUR
    for about, label in said:
        revision, before, came = newest.get(about, (0, None, at))
        if label == before:  # or never labelled, and withdrawn
            told.known += 1
            continue
        told.new += 1
        told.corrected += before is not None and label is not None
        told.withdrawn += label is None
        newest[about] = (revision + 1, label, at)
        of_before = (came - EPOCH) // HOUR
        changes.append(Change(about, before, label, not revision, hour, of_before))
        rows.append(
            {
                "deployment_id": deployment_id,
                subject: about,
                "revision": revision + 1,
                "label": label,
                "received_at": at,
            }
        )
    if rows:
        ids = new_ids(len(rows))
        session.execute(
            insert(table), [{"id": one, **row} for one, row in zip(ids, rows, strict=True)]
        )
    if rows and table is Feedback:
        note_changes(session, deployment_id, changes, at=at)


def _newest(
    session: Session,
    table: type[Feedback | JoinedFeedback],
    deployment_id: UUID,
    about: Collection[str],
) -> dict[str, tuple[int, str | None, datetime]]:
    """The newest revision and label of each that has any, and when it came."""
    subject = _subject(table)
    newest: dict[str, tuple[int, str | None, datetime]] = {}
    for some in in_batches(about):
        known = session.execute(
            select(subject, table.revision, table.label, table.received_at)
            .where(table.deployment_id == deployment_id, subject.in_(some))
            .order_by(table.revision)
        )
        newest.update((one, (revision, label, came)) for one, revision, label, came in known)
    return newest


def _carriers(
    session: Session, deployment_id: UUID, keys: Collection[str]
) -> list[tuple[str, str]]:
    """The records with these join keys: (record id, join key)."""
    found: list[tuple[str, str]] = []
    for some in in_batches(keys):
        rows = session.execute(
            select(InferenceRecord.record_id, InferenceRecord.join_key).where(
                InferenceRecord.deployment_id == deployment_id,
                InferenceRecord.join_key.is_not(None),
                InferenceRecord.join_key.in_(some),
            )
        )
        found += [(record_id, key) for record_id, key in rows if key is not None]
        archived = session.execute(
            select(ArchivedJoinKey.record_id, ArchivedJoinKey.join_key).where(
                ArchivedJoinKey.deployment_id == deployment_id, ArchivedJoinKey.join_key.in_(some)
            )
        )
        found += [(record_id, key) for record_id, key in archived]
    return sorted(found)


def _subject(table: type[Feedback | JoinedFeedback]) -> Any:
    return Feedback.record_id if table is Feedback else JoinedFeedback.join_key
