"""`/datasets`: data, and the files that bring it in."""

import json
import shutil
import tempfile
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Form, Response, UploadFile
from sqlalchemy import select

from bailiwick.api.schemas import Body, LabelIn, LabelOut, Schema, Slug, Text, labels_by_id
from bailiwick.core.errors import Unavailable
from bailiwick.lineage import (
    Content,
    Dataset,
    DatasetVersion,
    add_dataset_version,
    create_dataset,
    dataset_resource,
    dataset_version_resource,
    find_dataset,
    find_dataset_version,
)
from bailiwick.lineage.rows import Ingested, RowSpec, ingest
from bailiwick.policy import Resource
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of, tag

router = APIRouter(prefix="/datasets", tags=["data"], route_class=GovernedRoute)
COPY_BYTES = 1024 * 1024
SHOWN_REJECTED = 20


class DatasetIn(Body):
    """A new dataset; its label is inherited by all that learns from it."""

    namespace: Slug
    name: Slug
    description: Text = ""
    label: LabelIn


class DatasetOut(Schema):
    """A dataset."""

    id: UUID
    namespace: str
    name: str
    description: str
    owner_id: UUID
    label: LabelOut
    created_at: datetime


class DatasetPage(Page):
    """Datasets, newest first."""

    items: list[DatasetOut]


class RejectedOut(Schema):
    """A row that was kept aside: where it stands and why. Never what it says."""

    line: int
    reason: str


class DatasetVersionOut(Schema):
    """Immutable rows."""

    id: UUID
    dataset: str
    number: int
    content_digest: str
    source_digest: str | None
    columns: list[dict[str, Any]]
    text_columns: list[str]
    label_column: str
    date_column: str
    rows: int
    rejected_rows: int
    rejected_reasons: dict[str, int]
    first_time: datetime
    last_time: datetime
    label: LabelOut
    created_by: UUID
    created_at: datetime


class RegisteredOut(DatasetVersionOut):
    """A version just registered, with the first rows that were kept aside."""

    rejected: list[RejectedOut]


class DatasetVersionPage(Page):
    """Versions, newest first."""

    items: list[DatasetVersionOut]


@router.get("", **acts("dataset:list"))
def list_datasets(caller: Governed, limit: Limit = 50, cursor: Cursor = None) -> DatasetPage:
    """The datasets that the caller may see, newest first."""
    rows, following = page_of(
        caller.session,
        select(Dataset).where(
            caller.visible("Dataset", Dataset.namespace, Dataset.label_id, action="dataset:read")
        ),
        Dataset.id,
        limit=limit,
        cursor=cursor,
    )
    labels = labels_by_id(caller.session, [row.label_id for row in rows])
    return DatasetPage(
        items=[_shown(row, labels[row.label_id]) for row in rows], next_cursor=following
    )


@router.post("", status_code=201, **acts("dataset:create"))
def create(body: DatasetIn, caller: Governed, response: Response) -> DatasetOut:
    """Create an empty dataset."""
    label = caller.rules.scheme.parse(body.label.model_dump())
    caller.require(Resource("Dataset", f"{body.namespace}/{body.name}", body.namespace, label))
    dataset = create_dataset(
        caller.session,
        body.namespace,
        body.name,
        label=label,
        description=body.description,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    tag(response, dataset)
    return _shown(dataset, LabelOut.model_validate(label.to_dict()))


@router.get("/{ns}/{name}", **acts("dataset:read"))
def read(ns: str, name: str, caller: Governed, response: Response) -> DatasetOut:
    """One dataset."""
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    tag(response, dataset)
    return _shown(dataset, labels_by_id(caller.session, [dataset.label_id])[dataset.label_id])


@router.post(
    "/{ns}/{name}/versions",
    status_code=201,
    **acts("dataset:register-version", own_transaction=True),
)
def register_version(
    ns: str,
    name: str,
    caller: Governed,
    file: Annotated[UploadFile, File(description="CSV, gzipped CSV or Parquet.")],
    text: Annotated[str, Form(description="Text columns, comma-separated.")],
    label: Annotated[str, Form(description="The column to predict.")],
    date: Annotated[str, Form(description="The column that dates a row.")],
) -> RegisteredOut:
    """Register a file's rows as the next version; the same rows again give the same version.

    Unusable rows are kept aside and counted, with line numbers and reasons; a file that is
    unusable as a whole is refused with 422.
    """
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    platform = caller.platform
    spec = RowSpec(text=tuple(part.strip() for part in text.split(",")), label=label, date=date)
    platform.settings.work_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=platform.settings.work_folder) as folder:
        arrived = Path(folder) / "arrived"
        _write_down(file, arrived)
        ingested = ingest(
            arrived,
            spec,
            Path(folder),
            max_bytes=platform.settings.max_upload_bytes,
            not_after=caller.at,
        )
        content = _kept(caller, ingested, spec, arrived)
        rejected = _first_rejected(ingested.rejected_path)
    with platform.database.transaction() as session:
        dataset = find_dataset(session, ns, name)
        caller.require(dataset_resource(session, dataset), within=session)
        version = add_dataset_version(
            session,
            dataset,
            content,
            scheme=caller.rules.scheme,
            kind="ingest",
            inputs=[],
            started_at=caller.at,
            actor_id=caller.principal_id,
            at=platform.clock.now(),
        )
        labels = labels_by_id(session, [version.label_id])
        shown = _version_shown(version, labels[version.label_id])
    return RegisteredOut(**shown.model_dump(), rejected=rejected)


@router.get("/{ns}/{name}/versions", **acts("dataset:read"))
def list_versions(
    ns: str, name: str, caller: Governed, limit: Limit = 50, cursor: Cursor = None
) -> DatasetVersionPage:
    """A dataset's versions that the caller may see, newest first."""
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    query = (
        select(DatasetVersion)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(
            DatasetVersion.dataset_id == dataset.id,
            caller.visible(
                "DatasetVersion", Dataset.namespace, DatasetVersion.label_id, action="dataset:read"
            ),
        )
    )
    rows, following = page_of(caller.session, query, DatasetVersion.id, limit=limit, cursor=cursor)
    labels = labels_by_id(caller.session, [row.label_id for row in rows])
    return DatasetVersionPage(
        items=[_version_shown(row, labels[row.label_id]) for row in rows], next_cursor=following
    )


@router.get("/{ns}/{name}/versions/{number}", **acts("dataset:read"))
def read_version(
    ns: str, name: str, number: int, caller: Governed, response: Response
) -> DatasetVersionOut:
    """One dataset version."""
    version = find_dataset_version(caller.session, find_dataset(caller.session, ns, name), number)
    caller.require(dataset_version_resource(caller.session, version))
    response.headers["ETag"] = f'"{version.content_digest}"'
    labels = labels_by_id(caller.session, [version.label_id])
    return _version_shown(version, labels[version.label_id])


def _write_down(file: UploadFile, target: Path) -> None:
    try:
        with target.open("wb") as stream:
            shutil.copyfileobj(file.file, stream, COPY_BYTES)
    except OSError as error:
        raise Unavailable(
            f"the file cannot be kept in the work folder ({error.strerror}); nothing was "
            "registered: free some space below BAILIWICK_HOME, then try again"
        ) from error


def _kept(caller: Governed, ingested: Ingested, spec: RowSpec, arrived: Path) -> Content:
    """Keep the three files as blobs: accepted, rejected, and the file as it arrived."""
    blobs = caller.platform.blobs
    return Content(
        content_digest=ingested.content_digest,
        rows_blob=blobs.put_file(ingested.accepted_path),
        rejected_blob=blobs.put_file(ingested.rejected_path) if ingested.rejected else None,
        source_blob=blobs.put_file(arrived),
        columns=[dict(column) for column in ingested.schema],
        text_columns=spec.text,
        label_column=spec.label,
        date_column=spec.date,
        rows=ingested.rows,
        first_time=ingested.first_time,
        last_time=ingested.last_time,
        rejected_rows=ingested.rejected,
        rejected_reasons=ingested.reasons,
    )


def _first_rejected(path: Path) -> list[RejectedOut]:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, SHOWN_REJECTED)]
    return [RejectedOut(line=row["line"], reason=row["reason"]) for row in rows]


def _shown(dataset: Dataset, label: LabelOut) -> DatasetOut:
    return DatasetOut(
        id=dataset.id,
        namespace=dataset.namespace,
        name=dataset.name,
        description=dataset.description,
        owner_id=dataset.owner_id,
        label=label,
        created_at=dataset.created_at,
    )


def _version_shown(version: DatasetVersion, label: LabelOut) -> DatasetVersionOut:
    named = f"{version.dataset.namespace}/{version.dataset.name}"
    fields = set(DatasetVersionOut.model_fields) - {"dataset", "label"}
    values = {field: getattr(version, field) for field in fields}
    return DatasetVersionOut(dataset=named, label=label, **values)
