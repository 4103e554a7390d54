"""`/datasets/{ns}/{name}/quarantine`: batches that nothing may learn from."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from bailiwick.api.runs import named_nodes
from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.lineage import Dataset, Node, dataset_resource, find_dataset
from bailiwick.lineage.batches import (
    MOST_BATCHES,
    MOST_CHARACTERS,
    Batch,
    quarantine_row,
    set_quarantine,
)
from bailiwick.lineage.derived import DATA, MODEL, reached_by_quarantine
from bailiwick.lineage.tables import BatchQuarantine
from bailiwick.web import Governed, GovernedRoute, acts

router = APIRouter(prefix="/datasets", tags=["data"], route_class=GovernedRoute)


class BatchIn(Body):
    """A version, or all rows from `start` up to and without `end`, requests included."""

    version: Annotated[int | None, Field(ge=1)] = None
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    why: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class QuarantineIn(Body):
    """All batches that are quarantined from now on; [] lifts every quarantine."""

    batches: list[BatchIn] = Field(max_length=MOST_BATCHES)
    reason: Text


class BatchOut(Schema):
    """A batch that nothing may learn from."""

    version: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    why: str


class DerivedOut(Schema):
    """A dataset version (`NS/NAME@N`) that was made from a quarantined one, and by which way."""

    name: str
    why: str


class BatchQuarantineOut(Schema):
    """What is quarantined; `number` 0 where nothing ever was.

    `derived` versions are quarantined as well, as long as what they were made from is;
    `learned_by` are the model versions (`NS/NAME@N`) that learned from any of them. Of both those
    that the caller may see.
    """

    number: int
    batches: list[BatchOut]
    derived: list[DerivedOut]
    learned_by: list[str]
    reason: str | None = None
    made_by: UUID | None = None
    made_at: datetime | None = None


@router.get("/{ns}/{name}/quarantine", **acts("dataset:read"))
def read_quarantine(ns: str, name: str, caller: Governed) -> BatchQuarantineOut:
    """Which batches of the dataset nothing may learn from, and why."""
    dataset = _governed(caller, ns, name)
    return _shown(caller, dataset, quarantine_row(caller.session, dataset.id))


@router.put("/{ns}/{name}/quarantine", **acts("dataset:update"))
def change_quarantine(
    ns: str, name: str, body: QuarantineIn, caller: Governed
) -> BatchQuarantineOut:
    """Quarantine batches, and with a version all that was made from it.

    Trainings leave them out from now on. Models that learned from them go on; the answer names
    them.
    """
    dataset = _governed(caller, ns, name)
    made = set_quarantine(
        caller.session,
        dataset,
        [Batch(**one.model_dump()) for one in body.batches],
        reason=body.reason,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return _shown(caller, dataset, made)


def _governed(caller: Governed, ns: str, name: str) -> Dataset:
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    return dataset


def _shown(caller: Governed, dataset: Dataset, row: BatchQuarantine | None) -> BatchQuarantineOut:
    if row is None:
        return BatchQuarantineOut(number=0, batches=[], derived=[], learned_by=[])
    reached = reached_by_quarantine(caller.session, dataset)
    data = named_nodes(caller, [Node(DATA, one) for one in reached.data])
    models = named_nodes(caller, [Node(MODEL, one) for one in reached.models])
    return BatchQuarantineOut.of_row(
        row,
        derived=[
            DerivedOut(name=node.name, why=reached.data[node.id])
            for node in data.values()
            if node.name is not None
        ],
        learned_by=[node.name for node in models.values() if node.name is not None],
    )
