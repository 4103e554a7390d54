"""`/datasets`: data, and the files that bring it in."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.api.acting_waivers import ActingWaiverOut, waivers_shown
from bailiwick.api.marks import MarkOnColumn, marks_shown
from bailiwick.api.schemas import Body, LabelIn, LabelOut, Schema, Slug, Text, labels_by_id
from bailiwick.core.errors import Unavailable
from bailiwick.lifecycle.leftovers import UPLOAD
from bailiwick.lifecycle.relabelling import bring_in
from bailiwick.lineage import (
    WAIVABLE_DATASET_VERSIONS,
    WAIVABLE_DATASETS,
    Content,
    Dataset,
    DatasetVersion,
    create_dataset,
    dataset_resource,
    dataset_subject,
    dataset_version_resource,
    dataset_version_subject,
    find_dataset,
    find_dataset_version,
    update_dataset,
)
from bailiwick.lineage.rows import Ingested, RowSpec, ingest
from bailiwick.policy import Resource
from bailiwick.web import (
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

router = APIRouter(prefix="/datasets", tags=["data"], route_class=GovernedRoute)
COPY_BYTES = 1024 * 1024
SHOWN_REJECTED = 20


class DatasetIn(Body):
    """A new dataset; its label is inherited by all that learns from it."""

    namespace: Slug
    name: Slug
    description: Text = ""
    label: LabelIn


class DatasetPatch(Body):
    """What to change; what is left out stays."""

    description: Text = ""
    retention_days: Annotated[
        int | None, Field(ge=1, le=36_500, description="null: rows may be read without end.")
    ] = None


class DatasetOut(Schema):
    """A dataset."""

    id: UUID
    namespace: str
    name: str
    description: str
    owner_id: UUID
    label: LabelOut
    waivers: list[ActingWaiverOut]
    retention_days: int | None
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
    waivers: list[ActingWaiverOut]
    marks: list[MarkOnColumn]
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
            caller.visible(
                "Dataset",
                Dataset.namespace,
                Dataset.label_id,
                action="dataset:read",
                objects=("datasets", Dataset.name),
                waivable=WAIVABLE_DATASETS,
            )
        ),
        Dataset.id,
        limit=limit,
        cursor=cursor,
    )
    return DatasetPage(items=_shown(caller, rows), next_cursor=following)


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
    return _shown(caller, [dataset])[0]


@router.get("/{ns}/{name}", **acts("dataset:read"))
def read(ns: str, name: str, caller: Governed, response: Response) -> DatasetOut:
    """One dataset."""
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    tag(response, dataset)
    return _shown(caller, [dataset])[0]


@router.patch("/{ns}/{name}", **acts("dataset:update"))
def update(
    ns: str,
    name: str,
    body: DatasetPatch,
    caller: Governed,
    response: Response,
    seen: Precondition,
) -> DatasetOut:
    """Change a dataset's description, or for how many days its rows may be read."""
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    seen.check(dataset)
    changes = body.model_dump(exclude_unset=True)
    update_dataset(caller.session, dataset, changes, actor_id=caller.principal_id, at=caller.at)
    tag(response, dataset)
    return _shown(caller, [dataset])[0]


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
    with _folder(platform.settings.work_folder) as folder:
        arrived = folder / "arrived"
        _write_down(file, arrived)
        ingested = ingest(
            arrived,
            spec,
            folder,
            max_bytes=platform.settings.max_upload_bytes,
            not_after=caller.at,
        )
        content = _kept(caller, ingested, spec, arrived)
        rejected = _first_rejected(ingested.rejected_path)
    with platform.database.transaction() as session:
        dataset = find_dataset(session, ns, name)
        caller.require(dataset_resource(session, dataset), within=session)
        version = bring_in(
            session,
            dataset,
            content,
            started_at=caller.at,
            rules=caller.rules,
            actor=caller.actor,
            at=platform.clock.now(),
        )
        (shown,) = _versions_shown(caller, dataset, [version], session)
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
                "DatasetVersion",
                Dataset.namespace,
                DatasetVersion.label_id,
                action="dataset:read",
                objects=("datasets", Dataset.name),
                waivable=WAIVABLE_DATASET_VERSIONS,
            ),
        )
    )
    rows, following = page_of(caller.session, query, DatasetVersion.id, limit=limit, cursor=cursor)
    return DatasetVersionPage(
        items=_versions_shown(caller, dataset, rows, caller.session), next_cursor=following
    )


@router.get("/{ns}/{name}/versions/{number}", **acts("dataset:read"))
def read_version(
    ns: str, name: str, number: int, caller: Governed, response: Response
) -> DatasetVersionOut:
    """One dataset version."""
    version = find_dataset_version(caller.session, find_dataset(caller.session, ns, name), number)
    caller.require(dataset_version_resource(caller.session, version))
    response.headers["ETag"] = f'"{version.content_digest}"'
    return _versions_shown(caller, version.dataset, [version], caller.session)[0]


@contextmanager
def _folder(work_folder: Path) -> Iterator[Path]:
    """A folder to take a file apart in; it goes away with the block."""
    try:
        work_folder.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix=UPLOAD, dir=work_folder)
    except OSError as error:
        raise _no_room(error) from error
    with made as folder:
        yield Path(folder)


def _write_down(file: UploadFile, target: Path) -> None:
    try:
        with target.open("wb") as stream:
            shutil.copyfileobj(file.file, stream, COPY_BYTES)
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> Unavailable:
    return Unavailable(
        f"the file cannot be kept in the work folder ({error.strerror}); nothing was "
        "registered: free some space below BAILIWICK_HOME, then try again"
    )


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


def _shown(caller: Governed, datasets: Sequence[Dataset]) -> list[DatasetOut]:
    """Datasets with labels and waivers, in two queries however many they are."""
    labels = labels_by_id(caller.session, [dataset.label_id for dataset in datasets])
    waivers = waivers_shown(caller, map(dataset_subject, datasets))
    fields = set(DatasetOut.model_fields) - {"label", "waivers"}
    return [
        DatasetOut(
            label=labels[dataset.label_id],
            waivers=waivers[dataset.id],
            **{field: getattr(dataset, field) for field in fields},
        )
        for dataset in datasets
    ]


def _versions_shown(
    caller: Governed, dataset: Dataset, versions: Sequence[DatasetVersion], session: Session
) -> list[DatasetVersionOut]:
    """A dataset's versions with labels, waivers and marks. `session` knows their labels."""
    labels = labels_by_id(session, [version.label_id for version in versions])
    waivers = waivers_shown(caller, map(dataset_version_subject, versions))
    marks = marks_shown(caller, dataset, versions)
    fields = set(DatasetVersionOut.model_fields) - {"dataset", "label", "waivers", "marks"}
    return [
        DatasetVersionOut(
            dataset=f"{dataset.namespace}/{dataset.name}",
            label=labels[version.label_id],
            waivers=waivers[version.id],
            marks=marks[version.id],
            **{field: getattr(version, field) for field in fields},
        )
        for version in versions
    ]
