"""Stored labels: each distinct classification is kept once and referred to by id."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bailiwick.core.canonical import digest_of
from bailiwick.core.ids import new_id
from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.tables import LabelMove, StoredLabel

ID_LENGTH = 16
HELD = "bailiwick.labels"
_known: dict[str, Label] = {}


@lru_cache(maxsize=4096)
def label_id(label: Label) -> str:
    """The id of a label: the beginning of its digest."""
    return digest_of(label.to_dict())[:ID_LENGTH]


def intern_label(session: Session, label: Label) -> str:
    """Make sure that the label is stored; its id."""
    identifier = label_id(label)
    stored = session.get(StoredLabel, identifier)
    if stored is None:
        stored = StoredLabel(id=identifier, **label.to_dict())
        session.add(stored)
        session.flush()
    session.info.setdefault(HELD, set()).add(stored)  # or the session forgets it, and asks again
    return identifier


def load_label(session: Session, identifier: str) -> Label:
    """The label with that id, which is its digest: what was read once need not be read again."""
    return load_labels(session, (identifier,))[identifier]


def load_labels(session: Session, identifiers: Iterable[str]) -> dict[str, Label]:
    """The labels with these ids; those that this process has not met yet in one query."""
    wanted = set(identifiers)
    fresh = wanted - _known.keys()
    if fresh:
        found = session.scalars(_WITH_IDS, {"ids": list(fresh)})
        _known.update((stored.id, as_label(stored)) for stored in found)
    return {identifier: _known[identifier] for identifier in wanted}


def all_labels(session: Session) -> dict[str, Label]:
    """Every label that is stored, by id."""
    return load_labels(session, session.scalars(_IDS))


def as_label(stored: StoredLabel) -> Label:
    """A stored label as the lattice's value."""
    return Label(
        level=stored.level,
        compartments=frozenset(stored.compartments),
        residency=frozenset(stored.residency),
        purposes=frozenset(stored.purposes),
    )


def join_stored(
    session: Session, scheme: Scheme, named: list[tuple[str, str]]
) -> tuple[str, Label]:
    """Join the labels of (name, label id) pairs; the id and the value.

    Raises `IncompatibleLabels`, which names two inputs, when nothing may be done with all
    of them together.
    """
    joined = scheme.join([(name, load_label(session, identifier)) for name, identifier in named])
    return intern_label(session, joined), joined


def raise_to(session: Session, scheme: Scheme, *, current: str, at_least: str, name: str) -> str:
    """The id of `current` joined with `at_least`: containers never rank below their content.

    Raises `IncompatibleLabels` where that would seal a container; a sealed one stays so.
    """
    if current == at_least:
        return current
    container = load_label(session, current)
    if container.is_sealed:
        joined = scheme.join_or_seal([container, load_label(session, at_least)])
        return intern_label(session, joined)
    identifier, _ = join_stored(session, scheme, [(name, current), ("new content", at_least)])
    return identifier


def note_rise(
    session: Session,
    node_type: str,
    node_id: UUID,
    *,
    old: str,
    new: str,
    reason: str,
    actor_id: UUID,
    at: datetime,
) -> UUID:
    """Write down that one label rose by itself, if it did; the id of the move.

    Where one act raises many labels, the first move's id is the cause of them all.
    """
    identifier = new_id()
    if old != new:
        session.add(
            LabelMove(
                id=identifier,
                node_type=node_type,
                node_id=node_id,
                old_label_id=old,
                new_label_id=new,
                reason=reason,
                cause_id=identifier,
                actor_id=actor_id,
                at=at,
            )
        )
    return identifier


# Composed once, as each request needs them: composing costs more than running them.
_IDS = select(StoredLabel.id)
_WITH_IDS = select(StoredLabel).where(StoredLabel.id.in_(bindparam("ids", expanding=True)))
