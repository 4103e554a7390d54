"""The one way in: whatever format records came in, they are screened, stored and counted here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.core.errors import Invalid
from bailiwick.db.session import hold_layout
from bailiwick.monitoring.archive import closed_until
from bailiwick.monitoring.embeddings import packed_rows
from bailiwick.monitoring.hours import add_part, newest_layout
from bailiwick.monitoring.intake.bulk import insert_records
from bailiwick.monitoring.intake.feedback import label_arrivals
from bailiwick.monitoring.intake.pseudonyms import Pseudonyms
from bailiwick.monitoring.intake.quarantine import set_aside
from bailiwick.monitoring.intake.records import Batch, Fault
from bailiwick.monitoring.intake.rules import Terms, terms_of
from bailiwick.monitoring.moments import EPOCH, MICROSECOND, microseconds
from bailiwick.monitoring.texts import TextVault, sealed_columns
from bailiwick.texts import TextMeasures, measures_of

NEW = timedelta(days=1)  # archived days are older
_MEASURED = tuple(field.name for field in fields(TextMeasures))


@dataclass(frozen=True, slots=True)
class Inference:
    """One answered request, as it is stored: keys are pseudonyms, the embedding is packed.

    `text` is None where the deployment does not keep it.
    """

    record_id: str
    at: datetime
    prediction: str
    confidence: float | None
    characters: int | None
    words: int | None
    unseen_words_ratio: float | None
    text: str | None
    latency_ms: float | None = None
    tokens: int | None = None
    mean_log_probability: float | None = None
    segments: dict[str, str] | None = None
    features: dict[str, float | str] | None = None
    subject_key: str | None = None
    join_key: str | None = None
    tokens_per_word: float | None = None
    non_letter_ratio: float | None = None
    language: str | None = None
    text_key: str | None = None
    form_key: str | None = None
    embedding: bytes | None = None
    entropy: float | None = None
    refusal: bool | None = None
    repetition_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many rows were new, and how many were known already and so counted once."""

    new: int
    known: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: rows that were new, known already, or turned away with a reason."""

    new: int
    known: int
    rejected: list[Fault]


def take(
    session: Session,
    deployment_id: UUID,
    version_id: UUID,
    batch: Batch,
    *,
    keeps_text: bool,
    pseudonyms: Pseudonyms,
    vault: TextVault,
    at: datetime,
) -> Taken:
    """Store the records of a batch that can be used, and set the others aside.

    A record whose id the deployment has already is left as it is. When the transaction has been
    committed, nothing of the batch is lost; to send it again changes nothing.
    """
    terms = terms_of(session, deployment_id)
    closed = _closed(session, deployment_id, batch.columns["at"], at=at)
    screened = screen(batch, terms, keeps_text=keeps_text, closed=closed, at=at)
    columns = measured(screened.columns)
    for name in ("text_key", "form_key"):
        columns[name] = pseudonyms.text_keys(columns[name])
    columns["embedding"] = packed_rows(columns["embedding"])
    columns["subject_key"] = pseudonyms.subjects(columns["subject"])
    if not keeps_text:
        columns["features"] = pseudonyms.categories(columns["features"])
    columns["join_key"] = pseudonyms.join_keys(columns["join_key"])
    new = _store(session, deployment_id, version_id, columns, vault=vault, at=at)
    set_aside(
        session,
        deployment_id,
        screened.faults,
        pseudonyms=pseudonyms,
        vault=vault if keeps_text else None,
        days=terms.rejected_days,
        at=at,
    )
    faults = sorted(screened.faults, key=attrgetter("place"))
    return Taken(new=new, known=len(screened) - new, rejected=faults)


def log_inferences(
    session: Session,
    deployment_id: UUID,
    version_id: UUID,
    inferences: Sequence[Inference],
    *,
    vault: TextVault | None = None,
    at: datetime,
) -> Accepted:
    """Append the platform's own answers; one whose `record_id` is known is left as it is.

    Answers with texts need the `vault`.
    """
    columns: dict[str, Sequence[Any]] = {
        field.name: [getattr(inference, field.name) for inference in inferences]
        for field in fields(Inference)
    }
    columns["at"] = microseconds(columns["at"])
    closed = _closed(session, deployment_id, columns["at"], at=at)
    if closed is not None and min(columns["at"]) < closed:
        raise Invalid("a time lies in days whose records have been archived; give a later one")
    new = _store(session, deployment_id, version_id, columns, vault=vault, at=at)
    return Accepted(new=new, known=len(inferences) - new)


def screen(
    batch: Batch, terms: Terms, *, keeps_text: bool, closed: int | None = None, at: datetime
) -> Batch:
    """The batch without the records that this deployment does not take, which become faults.

    What is before `closed` (microseconds since 1970) has been archived.
    """
    if not len(batch):
        return batch
    columns = batch.columns
    found: dict[int, tuple[str, str]] = {}
    now = (at - EPOCH) // MICROSECOND
    latest = now + terms.max_ahead_seconds * 1_000_000
    earliest = now - terms.max_age_days * 86_400_000_000
    if closed is not None:
        why = ("too-old", "at lies in days that have been archived")
        found |= {row: why for row, one in enumerate(columns["at"]) if one < closed}
    if max(columns["at"]) > latest or min(columns["at"]) < earliest:
        ahead = f"at is more than {terms.max_ahead_seconds:,} seconds ahead of the server's clock"
        old = f"at is more than {terms.max_age_days:,} days ago"
        found |= {row: ("future", ahead) for row, one in enumerate(columns["at"]) if one > latest}
        found |= {row: ("too-old", old) for row, one in enumerate(columns["at"]) if one < earliest}
    if not keeps_text and any(columns["text"]):
        why = ("text-not-kept", "this deployment does not keep text; send the record without it")
        found |= {row: why for row, text in enumerate(columns["text"]) if text}
    for name, declared in (("segments", terms.segments), ("features", terms.features)):
        if any(columns[name]):
            one, known = name[:-1], set(declared)
            why = (
                f"undeclared-{one}",
                f"a {one}'s name is not declared; see PUT /deployments/{{id}}/intake",
            )
            found |= {
                row: why
                for row, given in enumerate(columns[name])
                if given and not given.keys() <= known
            }
    return batch.without(found)


def measured(columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The columns; of records that bring their text with what is quickly measured of it.

    What a record says itself stands. Its language is not looked for: that takes longer than all
    the rest.
    """
    found = dict(columns)
    if not any(columns["text"]):
        return found
    measures = [measures_of(text) if text else None for text in columns["text"]]
    for name in _MEASURED:
        found[name] = [
            value if own is None or value is not None else getattr(own, name)
            for value, own in zip(columns[name], measures, strict=True)
        ]
    return found


def _closed(
    session: Session, deployment_id: UUID, moments: Sequence[int], *, at: datetime
) -> int | None:
    """Before when days have been archived; not asked for what is new, as those days are old."""
    if not moments or min(moments) > (at - NEW - EPOCH) // MICROSECOND:
        return None
    until = closed_until(session, deployment_id)
    return None if until is None else (until - EPOCH) // MICROSECOND


def _store(
    session: Session,
    deployment_id: UUID,
    version_id: UUID,
    columns: dict[str, Sequence[Any]],
    *,
    vault: TextVault | None,
    at: datetime,
) -> int:
    """Append the rows, and count those that are new in the windows of their hours."""
    columns = sealed_columns(session, vault, deployment_id, columns, at=at)
    hold_layout(session, deployment_id)
    with label_arrivals(session, deployment_id, columns, at=at):
        new = insert_records(session, deployment_id, version_id, columns, at=at)
    layout = newest_layout(session, deployment_id, version_id) if new else None
    if layout is not None:
        if len(new) < len(columns["record_id"]):
            columns = {name: [values[row] for row in new] for name, values in columns.items()}
        add_part(session, layout, columns)
    return len(new)
