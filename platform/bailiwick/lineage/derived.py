"""What is quarantined because of what it was made from, and what has learned from it.

Nothing of this is stored: it follows from lineage and from the lists that are in force, so that
lifting a quarantine lifts it for all that was made from the version. Rows go from dataset version
to dataset version. Requests that a model answered are rows of their own, whatever the model had
learned: a path ends at the model and does not go on to what was prepared from its requests.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.batches import in_batches
from bailiwick.lineage.batches import Quarantine, quarantine_of
from bailiwick.lineage.graph import hops
from bailiwick.lineage.tables import Dataset, DatasetVersion

DATA: Final = "dataset-version"
MODEL: Final = "model-version"


@dataclass(frozen=True, slots=True)
class Reached:
    """What was made from quarantined versions: further versions, with why, and models."""

    data: dict[UUID, str]
    models: tuple[UUID, ...]


def why_quarantined(session: Session, versions: Sequence[DatasetVersion]) -> dict[UUID, str]:
    """Why versions may not be learned from, by id; those that may are not in it.

    A version that is not named itself is quarantined by the nearest one that it was made from.
    """
    parents = _made_from(session, [version.id for version in versions])
    known = _named(session, {*parents, *(one for made in parents.values() for one in made)})
    known |= {version.id: version for version in versions}
    lists = {one: quarantine_of(session, one) for one in {v.dataset_id for v in known.values()}}
    found = {}
    for version in versions:
        path = _to_quarantined(version.id, parents, known, lists)
        if path is not None:
            found[version.id] = _told([known[one] for one in path], lists)
    return found


def reached_by_quarantine(session: Session, dataset: Dataset) -> Reached:
    """What else is quarantined by the dataset's list, and which model versions learned from it."""
    quarantine = quarantine_of(session, dataset.id)
    numbers = [one.version for one in quarantine.batches if one.version is not None]
    named = session.scalars(
        select(DatasetVersion.id).where(
            DatasetVersion.dataset_id == dataset.id, DatasetVersion.number.in_(numbers)
        )
    ).all()
    seen, models = set(named), dict[UUID, None]()
    frontier, made = list(named), dict[UUID, None]()
    while frontier:
        following = []
        for source, _, target in hops(session, frontier, "down"):
            if target.id in seen or (source.type == MODEL and target.type == DATA):
                continue
            seen.add(target.id)
            following.append(target.id)
            (made if target.type == DATA else models)[target.id] = None
        frontier = following
    versions = list(_named(session, made).values())
    return Reached(why_quarantined(session, versions), tuple(models))


def _made_from(session: Session, ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The dataset versions that each was made from, through any number of hops."""
    parents: dict[UUID, list[UUID]] = {}
    seen, frontier = set(ids), list(ids)
    while frontier:
        following = []
        for source, _, target in hops(session, frontier, "up"):
            if source.type != DATA:
                continue
            parents.setdefault(target.id, []).append(source.id)
            if source.id not in seen:
                seen.add(source.id)
                following.append(source.id)
        frontier = following
    return parents


def _to_quarantined(
    start: UUID,
    parents: dict[UUID, list[UUID]],
    known: dict[UUID, DatasetVersion],
    lists: dict[UUID, Quarantine],
) -> list[UUID] | None:
    """The shortest way up to a version that is named in a quarantine, itself included."""
    waiting, seen = deque([[start]]), {start}
    while waiting:
        path = waiting.popleft()
        version = known[path[-1]]
        if lists[version.dataset_id].why_not(version.number) is not None:
            return path
        for parent in parents.get(path[-1], ()):
            if parent not in seen:
                seen.add(parent)
                waiting.append([*path, parent])
    return None


def _told(path: Sequence[DatasetVersion], lists: dict[UUID, Quarantine]) -> str:
    """The reason, with the way that it came: `sent twice; made from finance/purchases v3`.

    Who may read a version may read what it was made from, as labels only rise; but for other
    namespaces, of which this says nothing but that there is one.
    """
    own = path[0].dataset.namespace
    names = [
        f"{own}/{one.dataset.name} v{one.number}"
        if one.dataset.namespace == own
        else "a version of another namespace"
        for one in path[1:]
    ]
    last = path[-1]
    why = lists[last.dataset_id].why_not(last.number) if last.dataset.namespace == own else None
    way = "; made from " + ", made from ".join(names) if names else ""
    return (why or "for a reason of another namespace") + way


def _named(session: Session, ids: Collection[UUID]) -> dict[UUID, DatasetVersion]:
    found = {}
    for some in in_batches(sorted(ids)):
        rows = session.scalars(select(DatasetVersion).where(DatasetVersion.id.in_(some)))
        found.update({row.id: row for row in rows})
    return found
