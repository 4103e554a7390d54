"""Stored labels: each distinct classification is kept once and referred to by id."""

from sqlalchemy.orm import Session

from bailiwick.core.canonical import digest_of
from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.tables import StoredLabel

ID_LENGTH = 16


def label_id(label: Label) -> str:
    """The id of a label: the beginning of its digest."""
    return digest_of(label.to_dict())[:ID_LENGTH]


def intern_label(session: Session, label: Label) -> str:
    """Make sure that the label is stored; its id."""
    identifier = label_id(label)
    if session.get(StoredLabel, identifier) is None:
        session.add(StoredLabel(id=identifier, **label.to_dict()))
        session.flush()
    return identifier


def load_label(session: Session, identifier: str) -> Label:
    """The label with that id."""
    return as_label(session.get_one(StoredLabel, identifier))


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
    """The id of `current` joined with `at_least`: containers never rank below their content."""
    if current == at_least:
        return current
    identifier, _ = join_stored(session, scheme, [(name, current), ("new content", at_least)])
    return identifier
