"""Labels of requests, read as they are called now: as training reads them.

A sender may go on with a label's old name for months, and a model of before the rename answers
with it: neither is a wrong answer.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from bailiwick.lineage import DatasetVersion, LineageEdge
from bailiwick.lineage.tables import Taxonomy
from bailiwick.lineage.taxonomies import NO_RENAMES, Renames
from bailiwick.registry import Deployment, ModelVersion


@dataclass(frozen=True, slots=True)
class Naming:
    """The classes of a version, and what they and other labels were called when, oldest first."""

    classes: frozenset[str] = frozenset()
    taxonomies: tuple[tuple[datetime, Renames], ...] = ()

    def at(self, moment: datetime) -> Renames:
        """What names meant at a moment."""
        made = [renames for at, renames in self.taxonomies if at <= moment]
        return made[-1] if made else NO_RENAMES

    @property
    def now(self) -> Renames:
        """What names mean by the newest taxonomy."""
        return self.taxonomies[-1][1] if self.taxonomies else NO_RENAMES

    def read(self, label: str | None, prediction: str, *, at: datetime | None = None) -> str | None:
        """`read_as`, by what names meant at a moment, or by the newest taxonomy."""
        renames = self.now if at is None else self.at(at)
        return read_as(label, prediction, renames, self.classes) if renames.names else label


AS_SENT: Final = Naming()  # of versions whose labels were never renamed
AS_THEY_CAME: Final[Mapping[UUID, Naming]] = {}  # all of them


def namings_of(session: Session, *deployment_ids: UUID) -> Mapping[UUID, Naming]:
    """Those of the versions of the deployments' models whose labels were ever renamed."""
    models = select(Deployment.model_id).where(Deployment.id.in_(deployment_ids))
    return _namings(session, ModelVersion.model_id.in_(models))


def naming_for(session: Session, version_id: UUID) -> Naming:
    """That of one version."""
    return _namings(session, ModelVersion.id == version_id).get(version_id, AS_SENT)


def _namings(session: Session, which: ColumnElement[bool]) -> dict[UUID, Naming]:
    """By version: a version that learned from several datasets goes by the first one."""
    wrote, read = aliased(LineageEdge), aliased(LineageEdge)
    query = (
        select(ModelVersion.id, DatasetVersion.dataset_id)
        .join(wrote, wrote.node_id == ModelVersion.id)
        .join(read, read.run_id == wrote.run_id)
        .join(DatasetVersion, DatasetVersion.id == read.node_id)
        .where(which, wrote.direction == "output", read.direction == "input")
        .order_by(DatasetVersion.id)
    )
    learned_from: dict[UUID, UUID] = {}
    for version_id, dataset_id in session.execute(query):
        learned_from.setdefault(version_id, dataset_id)
    made: defaultdict[UUID, list[tuple[datetime, Renames]]] = defaultdict(list)
    taxonomies = select(Taxonomy).where(Taxonomy.dataset_id.in_(set(learned_from.values())))
    for one in session.scalars(taxonomies.order_by(Taxonomy.number)):
        made[one.dataset_id].append((one.made_at, Renames(one.renames)))
    renamed = [version_id for version_id, dataset in learned_from.items() if dataset in made]
    labels = select(ModelVersion.id, ModelVersion.labels).where(ModelVersion.id.in_(renamed))
    return {
        version_id: Naming(frozenset(classes), tuple(made[learned_from[version_id]]))
        for version_id, classes in session.execute(labels)
    }


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
