"""The inference log: what a deployment answered, and the labels that come later."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.monitoring.tables import Feedback, InferenceRecord

# Both databases bound the variables of one statement (SQLite 32,766; PostgreSQL 65,535).
BATCH_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Inference:
    """One answered request. `text` is None where the deployment does not keep it."""

    record_id: str
    at: datetime
    prediction: str
    confidence: float
    characters: int
    words: int
    unseen_words_ratio: float
    text: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A label that came later for the record with this id."""

    record_id: str
    label: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many rows were new, and how many were known already and so counted once."""

    new: int
    known: int


def log_inferences(
    session: Session,
    deployment_id: UUID,
    version_id: UUID,
    inferences: Sequence[Inference],
    *,
    at: datetime,
) -> Accepted:
    """Append records; one whose `record_id` the deployment has already is left as it is."""
    unique = {inference.record_id: inference for inference in reversed(inferences)}
    for known in _known_ids(session, deployment_id, list(unique)):
        del unique[known]
    rows = [
        {
            "id": new_id(),
            "deployment_id": deployment_id,
            "version_id": version_id,
            "received_at": at,
            **asdict(inference),
        }
        for inference in reversed(unique.values())
    ]
    if rows:
        # Two clients may send the same ids at the same moment: the key decides.
        on_postgresql = session.get_bind().dialect.name == "postgresql"
        construct = postgresql_insert if on_postgresql else sqlite_insert
        session.execute(construct(InferenceRecord).on_conflict_do_nothing(), rows)
    return Accepted(new=len(rows), known=len(inferences) - len(rows))


def log_feedback(
    session: Session,
    deployment_id: UUID,
    outcomes: Sequence[Outcome],
    *,
    actor_id: UUID,
    at: datetime,
) -> Accepted:
    """Append labels. The same label again changes nothing; another one is a correction.

    Feedback may arrive before its inference record does: they meet when windows are read.
    Corrections are audited (a label decides whether a model is replaced), one event a batch.
    """
    newest: dict[str, tuple[int, str]] = {}
    ids = [outcome.record_id for outcome in outcomes]
    for start in range(0, len(ids), BATCH_ROWS):
        known = session.execute(
            select(Feedback.record_id, Feedback.revision, Feedback.label)
            .where(
                Feedback.deployment_id == deployment_id,
                Feedback.record_id.in_(ids[start : start + BATCH_ROWS]),
            )
            .order_by(Feedback.revision)
        )
        newest.update((record_id, (revision, label)) for record_id, revision, label in known)
    rows: list[dict[str, Any]] = []
    corrected = 0
    for outcome in outcomes:
        revision, label = newest.get(outcome.record_id, (0, None))
        if label == outcome.label:
            continue
        corrected += revision > 0
        newest[outcome.record_id] = (revision + 1, outcome.label)
        rows.append(
            {
                "id": new_id(),
                "deployment_id": deployment_id,
                "record_id": outcome.record_id,
                "revision": revision + 1,
                "label": outcome.label,
                "received_at": at,
            }
        )
    if rows:
        session.execute(insert(Feedback), rows)
    if corrected:
        record(
            session,
            "feedback.corrected",
            subject_type="deployment",
            subject_id=deployment_id,
            actor_id=actor_id,
            at=at,
            details={"corrections": corrected},
        )
    return Accepted(new=len(rows), known=len(outcomes) - len(rows))


def _known_ids(session: Session, deployment_id: UUID, ids: list[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(ids), BATCH_ROWS):
        found += session.scalars(
            select(InferenceRecord.record_id).where(
                InferenceRecord.deployment_id == deployment_id,
                InferenceRecord.record_id.in_(ids[start : start + BATCH_ROWS]),
            )
        )
    return found
