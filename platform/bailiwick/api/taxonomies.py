"""`/datasets/{ns}/{name}/taxonomy`: labels that were renamed, merged or given up."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.schemas import Body, Schema, Text
from bailiwick.lifecycle.renaming import suggested_renames
from bailiwick.lineage import (
    Dataset,
    DatasetVersion,
    dataset_resource,
    dataset_version_resource,
    find_dataset,
)
from bailiwick.lineage.tables import Taxonomy
from bailiwick.lineage.taxonomies import Renames, set_taxonomy, taxonomy_of
from bailiwick.web import Governed, GovernedRoute, acts

MOST_VERSIONS = 20  # that suggestions are made from, the newest

router = APIRouter(prefix="/datasets", tags=["data"], route_class=GovernedRoute)


class TaxonomyIn(Body):
    """What old names of labels mean from now on, all of them; {} says that names are names."""

    renames: Annotated[
        dict[str, str | None],
        Field(description="Old name: new name; equal new names merge labels, null gives one up."),
    ]
    reason: Text


class TaxonomyOut(Schema):
    """What old names mean; `number` 0 where no label was ever renamed."""

    number: int
    renames: dict[str, str | None]
    reason: str | None = None
    made_by: UUID | None = None
    made_at: datetime | None = None


class LikelyRenameOut(Schema):
    """A name that went when another came, and how alike their texts are (0 to 1)."""

    old: str
    new: str
    likeness: float
    old_rows: int
    new_rows: int
    last_old: datetime
    first_new: datetime


class SuggestionsOut(Schema):
    """Renames that rows suggest, the likeliest first. Whether they are some, a person decides."""

    renames: list[LikelyRenameOut]


@router.get("/{ns}/{name}/taxonomy", **acts("dataset:read"))
def read_taxonomy(ns: str, name: str, caller: Governed) -> TaxonomyOut:
    """What old names of the dataset's labels mean."""
    dataset = _governed(caller, ns, name)
    return _shown(taxonomy_of(caller.session, dataset.id))


@router.put("/{ns}/{name}/taxonomy", **acts("dataset:update"))
def change_taxonomy(ns: str, name: str, body: TaxonomyIn, caller: Governed) -> TaxonomyOut:
    """Say what old names mean. Rows stay as they are; training reads them so from now on."""
    dataset = _governed(caller, ns, name)
    made = set_taxonomy(
        caller.session,
        dataset,
        Renames(body.renames),
        reason=body.reason,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return _shown(made)


@router.get("/{ns}/{name}/taxonomy/suggestions", **acts("dataset:read-rows"))
def suggest_renames(ns: str, name: str, caller: Governed) -> SuggestionsOut:
    """Which labels seem to have been renamed: one went as another came, and their texts are alike.

    Looks at the newest versions; the caller must be allowed to read the rows of all of them.
    """
    dataset = find_dataset(caller.session, ns, name)
    versions = caller.session.scalars(
        select(DatasetVersion)
        .where(DatasetVersion.dataset_id == dataset.id)
        .order_by(DatasetVersion.number.desc())
        .limit(MOST_VERSIONS)
    ).all()
    for version in versions:
        resource = dataset_version_resource(caller.session, version)
        caller.require(resource, context={"now": caller.at})
    if not versions:
        caller.require(dataset_resource(caller.session, dataset), action="dataset:read")
    found = suggested_renames(versions, caller.platform.blobs)
    return SuggestionsOut(renames=list(map(LikelyRenameOut.model_validate, found)))


def _governed(caller: Governed, ns: str, name: str) -> Dataset:
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    return dataset


def _shown(row: Taxonomy | None) -> TaxonomyOut:
    return TaxonomyOut(number=0, renames={}) if row is None else TaxonomyOut.model_validate(row)
