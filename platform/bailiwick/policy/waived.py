"""Waivers where they act: on exactly their subject, in the state and with the label that it had.

Whatever has changed since is not what people approved, so the waiver does nothing for it. It
acts from its approval until `expires_at`, by the moment of each question.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, SQLColumnExpression, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bailiwick.policy.decisions import Resource, Waived
from bailiwick.policy.labels import load_label
from bailiwick.policy.subjects import Subject
from bailiwick.policy.tables import Waiver

DECLASSIFICATION, GATE = "declassification", "gate"
REQUESTED, ACTIVE, REJECTED, ENDED = "requested", "active", "rejected", "ended"


@dataclass(frozen=True, slots=True)
class Waivable:
    """Rows of a list whose labels can be waived.

    `digest`: the column that says which state they are in; None where that never changes.
    """

    type: str
    id: InstrumentedAttribute[UUID]
    digest: InstrumentedAttribute[str] | None = None

    def label_in_force(
        self, label_id: SQLColumnExpression[str] | SQLColumnExpression[str | None], at: datetime
    ) -> ColumnElement[str | None]:
        """A row's own label, or the lower one that acts for it at `at`."""
        lower = select(Waiver.waived_label_id).where(
            Waiver.subject_type == self.type,
            Waiver.subject_id == self.id,
            Waiver.label_id == label_id,
            Waiver.kind == DECLASSIFICATION,
            *acts_at(at),
        )
        if self.digest is not None:
            lower = lower.where(Waiver.subject_digest == self.digest)
        return func.coalesce(lower.scalar_subquery(), label_id)


def acts_at(at: datetime | BindParameter[datetime]) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a waiver acts at a moment, its subject being what it was."""
    return Waiver.state == ACTIVE, Waiver.started_at <= at, Waiver.expires_at > at


def waived_label(session: Session, subject: Subject) -> Waived | None:
    """The lower label that others approved for the subject; `Resource.at` minds its expiry."""
    of = {"type": subject.type, "id": subject.id, "digest": subject.digest}
    waiver = session.scalar(_ACTIVE, of | {"label_id": subject.label_id})
    if waiver is None or waiver.waived_label_id is None:
        return None
    return Waived(waiver.id, load_label(session, waiver.waived_label_id), waiver.expires_at)


def acting_waivers(
    session: Session, subjects: Iterable[Subject], *, at: datetime
) -> dict[UUID, list[Waiver]]:
    """The waivers of both kinds that act for these subjects, by subject id, in one query."""
    standing = {subject.id: subject for subject in subjects}
    found = session.scalars(_ACTING, {"ids": list(standing), "at": at})
    acting: dict[UUID, list[Waiver]] = {identifier: [] for identifier in standing}
    for waiver in found:
        subject = standing[waiver.subject_id]
        if (waiver.subject_digest, waiver.label_id) == (subject.digest, subject.label_id):
            acting[waiver.subject_id].append(waiver)
    return acting


def held(session: Session, resource: Resource) -> Resource:
    """The resource, its waiver kept from ending until this transaction has ended.

    Whoever ends the waiver waits for changes that rest on it, and so finds what they made.
    """
    if resource.waived is None:
        return resource
    state = session.scalar(
        select(Waiver.state)
        .where(Waiver.id == resource.waived.waiver_id)
        .with_for_update(read=True)
    )
    return resource if state == ACTIVE else replace(resource, waived=None)


# Composed once, as each request needs them: composing costs more than running them.
_ACTIVE = select(Waiver).where(
    Waiver.subject_type == bindparam("type"),
    Waiver.subject_id == bindparam("id"),
    Waiver.subject_digest == bindparam("digest"),
    Waiver.label_id == bindparam("label_id"),
    Waiver.kind == DECLASSIFICATION,
    Waiver.state == ACTIVE,
)
_ACTING = (
    select(Waiver)
    .where(
        Waiver.subject_id.in_(bindparam("ids", expanding=True)),
        *acts_at(bindparam("at")),
    )
    .order_by(Waiver.id)
)
