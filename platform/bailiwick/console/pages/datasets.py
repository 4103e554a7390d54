"""Datasets and their versions. Counts and reasons, never a row."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import func, select

from bailiwick.access import Principal, names_of
from bailiwick.console.exceptions import acting_for
from bailiwick.console.queries import explained, labels_of
from bailiwick.console.rendering import page
from bailiwick.console.routing import GovernedPage
from bailiwick.console.visibility import visible_dataset_versions, visible_datasets
from bailiwick.lineage import (
    ColumnMark,
    Dataset,
    DatasetVersion,
    Mark,
    dataset_resource,
    dataset_subject,
    decide_mark,
    find_dataset,
    marks_by_dataset,
    set_mark,
)
from bailiwick.policy import Label
from bailiwick.web import Caller, Cursor, Governed, acts, page_of
from bailiwick.web.scans import scan_as, seen_columns, seen_mark, seen_versions

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
    resource = dataset_resource(session, found)
    caller.require(resource)
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
        marks=_marks(caller, found) if caller.may(resource, "mark:read") else {},
        may_mark=caller.may(resource, "mark:write"),
        may_scan=caller.may(resource, "dataset:scan"),
        acting=acting_for(caller, dataset_subject(found)),
        may_waive=caller.may(resource, "waiver:request"),
    )


@router.post(
    "/datasets/{namespace}/{name}/versions/{number}/scan",
    **acts("dataset:scan", own_transaction=True),
)
def scan(caller: Governed, namespace: str, name: str, number: int) -> Response:
    """Look for personal data in a sample of the rows; what is found is proposed."""
    scan_as(caller, namespace, name, number)
    return _back(namespace, name)


@router.post("/datasets/{namespace}/{name}/marks", **acts("mark:write"))
def mark(
    caller: Governed,
    namespace: str,
    name: str,
    column: Annotated[str, Form(max_length=200)],
    mark: Annotated[Mark, Form()],
) -> Response:
    """Say what a column holds."""
    found = _governed(caller, namespace, name)
    set_mark(
        caller.session,
        found,
        column,
        mark,
        actor_id=caller.principal_id,
        at=caller.at,
        seen=seen_versions(caller),
    )
    return _back(namespace, name)


@router.post("/datasets/{namespace}/{name}/marks/{mark_id}/decide", **acts("mark:write"))
def decide(
    caller: Governed,
    namespace: str,
    name: str,
    mark_id: UUID,
    answer: Annotated[Literal["accept", "reject"], Form()],
) -> Response:
    """Accept or reject a mark."""
    found = seen_mark(caller, _governed(caller, namespace, name), mark_id)
    accept = answer == "accept"
    decide_mark(caller.session, found, accept=accept, actor_id=caller.principal_id, at=caller.at)
    return _back(namespace, name)


def _governed(caller: Caller, namespace: str, name: str) -> Dataset:
    found = find_dataset(caller.session, namespace, name)
    caller.require(dataset_resource(caller.session, found))
    return found


def _back(namespace: str, name: str) -> Response:
    return RedirectResponse(f"/console/datasets/{namespace}/{name}#columns", 303)


def _marks(caller: Caller, found: Dataset) -> dict[str, list[ColumnMark]]:
    """The dataset's marks by column, of columns that the caller may know of."""
    by_column: dict[str, list[ColumnMark]] = {}
    seen = set(seen_columns(caller, found))
    for one in marks_by_dataset(caller.session, [found.id]).get(found.id, []):
        if one.column in seen:
            by_column.setdefault(one.column, []).append(one)
    return by_column


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
