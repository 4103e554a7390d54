"""Labels of requests, read as they are called now: as training reads them.

A sender may go on with a label's old name for months, and a model of before the rename answers
with it: neither is a wrong answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from bailiwick.lineage import DatasetVersion, LineageEdge
from bailiwick.lineage.taxonomies import NO_RENAMES, Renames, taxonomy_of
from bailiwick.monitoring import WindowRow


def renames_of(session: Session, dataset_id: UUID) -> Renames:
    """What old names of the dataset's labels mean now."""
    taxonomy = taxonomy_of(session, dataset_id)
    return NO_RENAMES if taxonomy is None else Renames(taxonomy.renames)


def renames_for(session: Session, version_id: UUID) -> Renames:
    """Those of the dataset that a model version learned from."""
    wrote, read = aliased(LineageEdge), aliased(LineageEdge)
    dataset_id = session.scalar(
        select(DatasetVersion.dataset_id)
        .join(read, read.node_id == DatasetVersion.id)
        .join(wrote, wrote.run_id == read.run_id)
        .where(read.direction == "input", wrote.direction == "output", wrote.node_id == version_id)
        .order_by(DatasetVersion.id)
        .limit(1)
    )
    return NO_RENAMES if dataset_id is None else renames_of(session, dataset_id)


def read_as(
    label: str | None, prediction: str, renames: Renames, classes: Collection[str]
) -> str | None:
    """A label in the words of the model that answered; None if it was given up.

    Where both are called the same now it is the model's own word. Otherwise a name that the model
    answers with stays, so that its classes are not split, and others are read as the new ones.

    >>> now = Renames({"Petrol": "Fuel", "Diesel": "Fuel", "Cheque": None})
    >>> [read_as(one, "Petrol", now, {"Petrol", "Diesel"}) for one in ("Fuel", "Diesel", "Cheque")]
    ['Petrol', 'Petrol', None]
    """
    if label is None or (named := renames.name_of(label)) is None:
        return None
    if named == renames.name_of(prediction):
        return prediction
    return label if label in classes else named


def rows_as_named(
    rows: Sequence[WindowRow], renames: Renames, classes: Collection[str]
) -> list[WindowRow]:
    """Rows with their labels in the words of the model that answered them."""
    if not renames.names:
        return list(rows)
    known = frozenset(classes)
    return [replace(row, label=read_as(row.label, row.prediction, renames, known)) for row in rows]
