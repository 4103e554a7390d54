"""Marks on a dataset's columns, and the scan that proposes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import select

from bailiwick.api.schemas import Body, Schema
from bailiwick.lineage import (
    ColumnMark,
    Dataset,
    DatasetVersion,
    Mark,
    dataset_resource,
    decide_mark,
    find_dataset,
    marks_by_dataset,
    marks_on,
    set_mark,
)
from bailiwick.lineage.marks import ACCEPTED, PROPOSED, State
from bailiwick.lineage.scanning import SAMPLED_ROWS
from bailiwick.web import (
    Caller,
    Cursor,
    Governed,
    GovernedRoute,
    Limit,
    Page,
    Precondition,
    acts,
    page_of,
    tag,
)
from bailiwick.web.scans import scan_as, seen_columns, seen_mark, seen_versions

router = APIRouter(prefix="/datasets", tags=["data"], route_class=GovernedRoute)
MAX_SAMPLED_ROWS = 20_000


class ColumnMarkOut(Schema):
    """What a column holds, who says so, and what a scan counted; never a value of it."""

    id: UUID
    column: str
    mark: Mark
    source: str
    entity: str
    recogniser: str | None
    score: float | None
    sampled: int | None
    matched: int | None
    state: State
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


class MarkOnColumn(Schema):
    """A mark as a dataset version shows it: accepted, or proposed and still to be decided."""

    column: str
    mark: Mark
    entity: str
    state: State


class ColumnMarkPage(Page):
    """Marks, newest first."""

    items: list[ColumnMarkOut]


class MarkIn(Body):
    """What a column holds, in a steward's judgement."""

    column: Annotated[str, Field(min_length=1, max_length=200)]
    mark: Mark


class MarkDecisionIn(Body):
    """Whether the mark is right."""

    accept: bool


class ScanIn(Body):
    """How many rows are looked at, and whether Presidio's patterns are asked, too."""

    rows: Annotated[int, Field(ge=1, le=MAX_SAMPLED_ROWS)] = SAMPLED_ROWS
    presidio: bool = False


class ScanOut(Schema):
    """What a scan looked at, and the proposals that it leaves for a steward to decide."""

    dataset: str
    number: int
    rows: int
    sampled_rows: int
    sampled: dict[str, int]
    proposals: list[ColumnMarkOut]


@router.get("/{ns}/{name}/marks", **acts("mark:read"))
def list_marks(
    ns: str,
    name: str,
    caller: Governed,
    state: State | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ColumnMarkPage:
    """The marks on a dataset's columns, newest first.

    Columns that only versions have which the caller may not see are left out.
    """
    dataset = _governed(caller, ns, name)
    query = select(ColumnMark).where(
        ColumnMark.dataset_id == dataset.id,
        ColumnMark.column.in_(seen_columns(caller, dataset)),
    )
    if state is not None:
        query = query.where(ColumnMark.state == state)
    rows, following = page_of(caller.session, query, ColumnMark.id, limit=limit, cursor=cursor)
    return ColumnMarkPage(items=[_shown(row) for row in rows], next_cursor=following)


@router.post("/{ns}/{name}/marks", status_code=201, **acts("mark:write"))
def mark_column(
    ns: str, name: str, body: MarkIn, caller: Governed, response: Response
) -> ColumnMarkOut:
    """Say what a column holds. Said already: the mark that stands."""
    dataset = _governed(caller, ns, name)
    made = set_mark(
        caller.session,
        dataset,
        body.column,
        body.mark,
        actor_id=caller.principal_id,
        at=caller.at,
        seen=seen_versions(caller),
    )
    tag(response, made)
    return _shown(made)


@router.post("/{ns}/{name}/marks/{mark_id}/decide", **acts("mark:write"))
def decide(
    ns: str,
    name: str,
    mark_id: UUID,
    body: MarkDecisionIn,
    caller: Governed,
    condition: Precondition,
    response: Response,
) -> ColumnMarkOut:
    """Accept or reject a mark, be it a proposal or one that stood."""
    dataset = _governed(caller, ns, name)
    mark = seen_mark(caller, dataset, mark_id)
    condition.check(mark)
    decide_mark(
        caller.session, mark, accept=body.accept, actor_id=caller.principal_id, at=caller.at
    )
    tag(response, mark)
    return _shown(mark)


@router.post("/{ns}/{name}/versions/{number}/scan", **acts("dataset:scan", own_transaction=True))
def scan_version(
    ns: str,
    name: str,
    number: int,
    caller: Governed,
    body: ScanIn | None = None,
) -> ScanOut:
    """Look for personal data, free text and identifiers in a sample of a version's rows.

    What is found is proposed as marks, with counts; the caller must be allowed to read the rows.
    """
    wanted = body or ScanIn()
    found, proposals = scan_as(
        caller, ns, name, number, sampled_rows=wanted.rows, with_presidio=wanted.presidio
    )
    return ScanOut(
        dataset=f"{ns}/{name}",
        number=number,
        rows=found.rows,
        sampled_rows=found.sampled_rows,
        sampled=dict(found.sampled),
        proposals=[_shown(mark) for mark in proposals],
    )


def marks_shown(
    caller: Caller, dataset: Dataset, versions: Sequence[DatasetVersion]
) -> dict[UUID, list[MarkOnColumn]]:
    """The marks on each of a dataset's versions; none for callers who may not read marks."""
    if not caller.may(dataset_resource(caller.session, dataset), "mark:read"):
        return {version.id: [] for version in versions}
    marks = marks_by_dataset(caller.session, [dataset.id], ACCEPTED, PROPOSED).get(dataset.id, [])
    return {
        version.id: [MarkOnColumn.model_validate(mark) for mark in marks_on(version, marks)]
        for version in versions
    }


def _governed(caller: Caller, ns: str, name: str) -> Dataset:
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    return dataset


def _shown(mark: ColumnMark) -> ColumnMarkOut:
    return ColumnMarkOut.model_validate(mark)
