"""Batches of a dataset that nothing may learn from: quarantined versions and spans of time.

Rows are facts and stay; what is quarantined is left out by whoever learns. Each change is a row
that stays; the newest is in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lineage.tables import BatchQuarantine, Dataset, DatasetVersion

MOST_BATCHES, MOST_CHARACTERS = 200, 500


@dataclass(frozen=True, slots=True)
class Batch:
    """A version of the dataset, or all rows from `start` up to and without `end`, and why."""

    why: str
    version: int | None = None
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        spans = (self.start is not None, self.end is not None)
        if (self.version is None) is not all(spans) or (self.version is not None and any(spans)):
            raise Invalid("a batch is a version, or a span with start and end")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise Invalid("a span of a batch ends after it starts")
        if not self.why.strip() or len(self.why) > MOST_CHARACTERS:
            raise Invalid(f"say why a batch is quarantined, in up to {MOST_CHARACTERS} characters")

    def to_json(self) -> dict[str, Any]:
        """As rows keep it."""
        if self.start is None or self.end is None:
            return {"version": self.version, "why": self.why}
        return {"start": self.start.isoformat(), "end": self.end.isoformat(), "why": self.why}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        start, end = values.get("start"), values.get("end")
        return cls(
            why=values["why"],
            version=values.get("version"),
            start=datetime.fromisoformat(start) if start else None,
            end=datetime.fromisoformat(end) if end else None,
        )


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What is quarantined now; `number` 0: nothing ever was."""

    number: int = 0
    batches: tuple[Batch, ...] = ()

    @property
    def spans(self) -> list[tuple[datetime, datetime]]:
        """Start and end of each span."""
        return [(b.start, b.end) for b in self.batches if b.start is not None and b.end is not None]

    def why_not(self, version: int) -> str | None:
        """Why a version may not be learned from; None: it may."""
        return next((batch.why for batch in self.batches if batch.version == version), None)


NOTHING: Final = Quarantine()


def quarantine_of(session: Session, dataset_id: UUID) -> Quarantine:
    """What is quarantined of a dataset."""
    row = quarantine_row(session, dataset_id)
    if row is None:
        return NOTHING
    return Quarantine(row.number, tuple(Batch.from_json(batch) for batch in row.batches))


def quarantine_row(session: Session, dataset_id: UUID) -> BatchQuarantine | None:
    """The row that is in force, with who made it and why."""
    return session.scalar(
        select(BatchQuarantine)
        .where(BatchQuarantine.dataset_id == dataset_id)
        .order_by(BatchQuarantine.number.desc())
        .limit(1)
    )


def set_quarantine(
    session: Session,
    dataset: Dataset,
    batches: Sequence[Batch],
    *,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> BatchQuarantine:
    """Say which batches nothing may learn from, all of them; what was said before stays on record.

    The same again changes nothing.
    """
    if len(batches) > MOST_BATCHES:
        raise Invalid(f"at most {MOST_BATCHES} batches can be quarantined; join spans that touch")
    _require_versions(session, dataset, {b.version for b in batches if b.version is not None})
    session.refresh(dataset, with_for_update=True)  # of two at once, each gets its number
    standing = quarantine_row(session, dataset.id)
    said = [batch.to_json() for batch in batches]
    if standing is not None and standing.batches == said:
        return standing
    row = BatchQuarantine(
        id=new_id(),
        dataset_id=dataset.id,
        number=standing.number + 1 if standing else 1,
        batches=said,
        reason=reason,
        made_by=actor_id,
        made_at=at,
    )
    session.add(row)
    session.flush()
    record(
        session,
        "quarantine.set",
        subject_type="dataset",
        subject_id=dataset.id,
        actor_id=actor_id,
        at=at,
        details={"number": row.number, "batches": said, "reason": reason},
    )
    return row


def _require_versions(session: Session, dataset: Dataset, numbers: set[int]) -> None:
    """`Invalid` if one of them is no version of the dataset: a typo would quarantine nothing."""
    query = select(DatasetVersion.number).where(
        DatasetVersion.dataset_id == dataset.id, DatasetVersion.number.in_(numbers)
    )
    if missing := sorted(numbers - set(session.scalars(query))):
        told = ", ".join(f"v{number}" for number in missing)
        raise Invalid(f"{dataset.namespace}/{dataset.name} has no {told}; see its versions")
