"""Datasets and their versions. Counts and reasons, never a row."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select

from bailiwick.access import Principal
from bailiwick.console.queries import explained, labels_of, names_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_dataset_versions, visible_datasets
from bailiwick.lineage import Dataset, DatasetVersion, dataset_resource, find_dataset
from bailiwick.policy import Label
from bailiwick.web import Caller, Cursor, Governed, acts, page_of

DATASETS_PER_PAGE, VERSIONS_PER_PAGE = 50, 25

router = APIRouter(prefix="/console", include_in_schema=False, route_class=GovernedPage)


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset as the list shows it."""

    dataset: Dataset
    label: Label
    versions: int
    newest: DatasetVersion | None
    owner: str


@router.get("/datasets", **acts("dataset:list"))
def datasets(request: Request, caller: Governed, cursor: Cursor = None) -> Response:
    """All datasets, newest first."""
    rows, following = page_of(
        caller.session,
        select(Dataset).where(visible_datasets(caller)),
        Dataset.id,
        limit=DATASETS_PER_PAGE,
        cursor=cursor,
    )
    return page(
        request,
        caller,
        "datasets.html",
        title="Datasets",
        section="datasets",
        rows=_rows(caller, rows),
        following=following,
    )


@router.get("/datasets/{namespace}/{name}", **acts("dataset:read"))
def dataset(
    request: Request, caller: Governed, namespace: str, name: str, cursor: Cursor = None
) -> Response:
    """One dataset with its versions, newest first."""
    session = caller.session
    found = find_dataset(session, namespace, name)
    caller.require(dataset_resource(session, found))
    versions, following = page_of(
        session,
        select(DatasetVersion)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(DatasetVersion.dataset_id == found.id, visible_dataset_versions(caller)),
        DatasetVersion.id,
        limit=VERSIONS_PER_PAGE,
        cursor=cursor,
    )
    labels = labels_of(session, [found.label_id, *(one.label_id for one in versions)])
    return page(
        request,
        caller,
        "dataset.html",
        title=f"{namespace}/{name}",
        section="datasets",
        dataset=found,
        label=labels[found.label_id],
        labels=labels,
        explained=explained(caller.rules.scheme, labels[found.label_id]),
        versions=versions,
        following=following,
        owner=session.get_one(Principal, found.owner_id).name,
        names=names_of(session, [one.created_by for one in versions]),
    )


def _rows(caller: Caller, found: list[Dataset]) -> list[DatasetRow]:
    session = caller.session
    newest_number = func.max(DatasetVersion.number).label("newest")
    seen = (
        select(DatasetVersion.dataset_id, func.count(), newest_number)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(
            DatasetVersion.dataset_id.in_([one.id for one in found]),
            visible_dataset_versions(caller),
        )
        .group_by(DatasetVersion.dataset_id)
    )
    counted = seen.subquery("counted")
    counts = {row[0]: row[1] for row in session.execute(seen)}
    newest = session.scalars(
        select(DatasetVersion).join(
            counted,
            (counted.c.dataset_id == DatasetVersion.dataset_id)
            & (counted.c.newest == DatasetVersion.number),
        )
    )
    latest = {one.dataset_id: one for one in newest}
    labels = labels_of(session, [one.label_id for one in found])
    names = names_of(session, [one.owner_id for one in found])
    return [
        DatasetRow(
            one,
            labels[one.label_id],
            counts.get(one.id, 0),
            latest.get(one.id),
            names[one.owner_id],
        )
        for one in found
    ]
