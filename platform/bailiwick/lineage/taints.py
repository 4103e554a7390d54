"""What of a version may not be learned from: quarantines reach everything that was made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.batches import in_batches
from bailiwick.lineage.batches import quarantine_of
from bailiwick.lineage.graph import MAX_DEPTH, walk
from bailiwick.lineage.runs import Node
from bailiwick.lineage.tables import DatasetVersion


@dataclass(frozen=True, slots=True)
class Taint:
    """Why a version may not be learned from (None: it may), and which spans of it may not."""

    why: str | None = None
    spans: tuple[tuple[datetime, datetime], ...] = ()


def taint_of(session: Session, version: DatasetVersion) -> Taint:
    """What the quarantines of its dataset, and of all data it was made from, say of a version.

    Answers that people labelled are not tainted by what their model had learned from: lineage is
    followed through data, and not through models.
    """
    spans = []
    for origin in (version, *_origins(session, version)):
        quarantine = quarantine_of(session, origin.dataset_id)
        spans += quarantine.spans
        if (why := quarantine.why_not(origin.number)) is not None:
            return Taint(why=_said(version, origin, why))
    return Taint(spans=tuple(sorted(set(spans))))


def _origins(session: Session, version: DatasetVersion) -> Sequence[DatasetVersion]:
    """The dataset versions that it was made from, through any number of others, by name."""
    start = Node("dataset-version", version.id)
    steps = walk(session, start, "up", depth=MAX_DEPTH, through="dataset-version")
    ids: set[UUID] = {step.source.id for step in steps if step.source.type == start.type}
    found: list[DatasetVersion] = []
    for some in in_batches(sorted(ids - {version.id})):
        found += session.scalars(select(DatasetVersion).where(DatasetVersion.id.in_(some)))
    return sorted(found, key=lambda one: (one.dataset.namespace, one.dataset.name, one.number))


def _said(version: DatasetVersion, origin: DatasetVersion, why: str) -> str:
    if origin.id == version.id:
        return f"{_name(version)} is quarantined ({why})"
    return f"{_name(version)} was made from {_name(origin)}, which is quarantined ({why})"


def _name(version: DatasetVersion) -> str:
    return f"{version.dataset.namespace}/{version.dataset.name} v{version.number}"
