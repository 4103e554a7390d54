"""Datasets and their immutable versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from bailiwick.access import checked_name
from bailiwick.audit.log import record
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Conflict
from bailiwick.core.ids import new_id
from bailiwick.db.session import hold_labels
from bailiwick.lineage.runs import Node, record_run
from bailiwick.lineage.tables import Dataset, DatasetVersion
from bailiwick.policy import (
    Label,
    Resource,
    Scheme,
    Subject,
    Unseen,
    Waivable,
    intern_label,
    join_stored,
    load_label,
    waived_label,
)

WAIVABLE_DATASETS = Waivable("dataset", Dataset.id)
WAIVABLE_DATASET_VERSIONS = Waivable(
    "dataset-version", DatasetVersion.id, DatasetVersion.content_digest
)


@dataclass(frozen=True, slots=True)
class Content:
    """What an ingestion or a preparation produced; the blobs are kept already."""

    content_digest: str
    rows_blob: str
    columns: list[dict[str, Any]]
    text_columns: tuple[str, ...]
    label_column: str
    date_column: str
    rows: int
    first_time: datetime
    last_time: datetime
    rejected_rows: int = 0
    rejected_reasons: dict[str, int] | None = None
    rejected_blob: str | None = None
    source_blob: str | None = None


def create_dataset(
    session: Session,
    namespace: str,
    name: str,
    *,
    label: Label,
    description: str,
    actor_id: UUID,
    at: datetime,
) -> Dataset:
    """A new, empty dataset owned by the actor."""
    checked_name(namespace, "namespace")
    checked_name(name, "dataset name")
    taken = select(Dataset.id).where(Dataset.namespace == namespace, Dataset.name == name)
    if session.scalar(taken):
        raise Conflict(f"there is a dataset {namespace}/{name} already; add a version to it")
    dataset = Dataset(
        id=new_id(),
        namespace=namespace,
        name=name,
        description=description,
        owner_id=actor_id,
        label_id=intern_label(session, label),
        retention_days=None,
        created_at=at,
    )
    session.add(dataset)
    session.flush()
    record(
        session,
        "dataset.created",
        subject_type="dataset",
        subject_id=dataset.id,
        actor_id=actor_id,
        at=at,
        details={"name": f"{namespace}/{name}", "label": label.to_dict()},
    )
    return dataset


def update_dataset(
    session: Session,
    dataset: Dataset,
    changes: Mapping[str, Any],
    *,
    actor_id: UUID,
    at: datetime,
) -> Dataset:
    """Change `description` or `retention_days`; saying the same again changes nothing.

    `retention_days`: how long after its registration a version's rows may be read; None: without
    end. It counts for the versions that there are, too.
    """
    old = {name: getattr(dataset, name) for name in changes}
    if old != changes:
        for name, value in changes.items():
            setattr(dataset, name, value)
        session.flush()
        record(
            session,
            "dataset.updated",
            subject_type="dataset",
            subject_id=dataset.id,
            actor_id=actor_id,
            at=at,
            details={"old": old, "new": dict(changes)},
        )
    return dataset


def find_dataset(session: Session, namespace: str, name: str) -> Dataset:
    """The dataset of that name, or `Unseen`."""
    dataset = session.scalar(
        select(Dataset).where(Dataset.namespace == namespace, Dataset.name == name)
    )
    if dataset is None:
        raise Unseen
    return dataset


def find_dataset_version(session: Session, dataset: Dataset, number: int) -> DatasetVersion:
    """That version of the dataset, or `Unseen`."""
    version = session.scalar(
        select(DatasetVersion).where(
            DatasetVersion.dataset_id == dataset.id, DatasetVersion.number == number
        )
    )
    if version is None:
        raise Unseen
    return version


def add_dataset_version(
    session: Session,
    dataset: Dataset,
    content: Content,
    *,
    scheme: Scheme,
    kind: str,
    inputs: Sequence[tuple[Node, str, str]],
    started_at: datetime,
    actor_id: UUID,
    at: datetime,
    job_id: UUID | None = None,
) -> DatasetVersion:
    """Register rows as the next version, with the run that made them.

    `inputs`: (node, its name, its label id). The version's label is the join of the dataset's
    own label with theirs. The same content again is the version that stands already; in another
    dataset it is a copy, and what it is a copy of is an input too. NOT noticed: a part of the
    rows, or rows that were changed, brought in as a file of their own.
    """
    hold_labels(session)
    inputs = [*inputs, *_same_content(session, content)]
    session.refresh(dataset, with_for_update=True)  # the same file may arrive twice at once
    standing = session.scalar(
        select(DatasetVersion).where(
            DatasetVersion.dataset_id == dataset.id,
            DatasetVersion.content_digest == content.content_digest,
        )
    )
    if standing is not None:
        return standing
    own = f"{dataset.namespace}/{dataset.name}"
    joined_id, joined = join_stored(
        session, scheme, [(own, dataset.label_id), *((name, label) for _, name, label in inputs)]
    )
    newest = session.scalar(
        select(func.max(DatasetVersion.number)).where(DatasetVersion.dataset_id == dataset.id)
    )
    version = DatasetVersion(
        id=new_id(),
        dataset_id=dataset.id,
        number=(newest or 0) + 1,
        content_digest=content.content_digest,
        source_digest=content.source_blob,
        rows_blob=content.rows_blob,
        rejected_blob=content.rejected_blob,
        source_blob=content.source_blob,
        columns=content.columns,
        text_columns=list(content.text_columns),
        label_column=content.label_column,
        date_column=content.date_column,
        rows=content.rows,
        rejected_rows=content.rejected_rows,
        rejected_reasons=content.rejected_reasons or {},
        first_time=content.first_time,
        last_time=content.last_time,
        label_id=joined_id,
        created_by=actor_id,
        created_at=at,
    )
    session.add(version)
    session.flush()
    session.refresh(version, ["dataset"])
    record(
        session,
        "dataset-version.registered",
        subject_type="dataset-version",
        subject_id=version.id,
        actor_id=actor_id,
        at=at,
        details={
            "dataset": own,
            "number": version.number,
            "content_digest": version.content_digest,
            "rows": version.rows,
            "rejected_rows": version.rejected_rows,
            "label": joined.to_dict(),
        },
    )
    record_run(
        session,
        kind,
        namespace=dataset.namespace,
        label_id=joined_id,
        inputs=[node for node, _, _ in inputs],
        outputs=[Node("dataset-version", version.id)],
        parameters={"dataset": own, "number": version.number},
        metrics={"rows": version.rows, "rejected_rows": version.rejected_rows},
        started_at=started_at,
        actor_id=actor_id,
        at=at,
        job_id=job_id,
    )
    return version


def with_copies(versions: Select[UUID]) -> Select[UUID]:
    """The ids of these dataset versions and of all that hold the same rows or came in one file."""
    own = select(DatasetVersion.content_digest, DatasetVersion.source_digest).where(
        DatasetVersion.id.in_(versions)
    )
    rows, files = own.subquery(), own.where(DatasetVersion.source_digest.is_not(None)).subquery()
    return select(DatasetVersion.id).where(
        DatasetVersion.content_digest.in_(select(rows.c.content_digest))
        | DatasetVersion.source_digest.in_(select(files.c.source_digest))
    )


def _same_content(session: Session, content: Content) -> list[tuple[Node, str, str]]:
    """The versions, of whatever dataset, with these very rows or from this very file."""
    same = DatasetVersion.content_digest == content.content_digest
    if content.source_blob is not None:
        same |= DatasetVersion.source_digest == content.source_blob
    found = session.execute(
        select(DatasetVersion.id, DatasetVersion.label_id).where(same).order_by(DatasetVersion.id)
    )
    # No name: whoever brings the rows in may not see where else they are.
    return [
        (Node("dataset-version", identifier), "the same rows, registered before", label_id)
        for identifier, label_id in found
    ]


def dataset_subject(dataset: Dataset) -> Subject:
    """What people waive about: the dataset's name, description and marks, none of its rows."""
    return Subject(
        type="dataset",
        id=dataset.id,
        digest=digest_of({"dataset": str(dataset.id)}),
        namespace=dataset.namespace,
        label_id=dataset.label_id,
        trained_by=dataset.owner_id,
    )


def dataset_version_subject(version: DatasetVersion) -> Subject:
    """What people waive about: exactly these rows."""
    return Subject(
        type="dataset-version",
        id=version.id,
        digest=version.content_digest,
        namespace=version.dataset.namespace,
        label_id=version.label_id,
        trained_by=version.created_by,
    )


def dataset_resource(session: Session, dataset: Dataset) -> Resource:
    """The dataset as the policy sees it."""
    return Resource(
        type="Dataset",
        id=str(dataset.id),
        namespace=dataset.namespace,
        label=load_label(session, dataset.label_id),
        belongs_to=(_place(dataset),),
        waived=waived_label(session, dataset_subject(dataset)),
    )


def dataset_version_resource(session: Session, version: DatasetVersion) -> Resource:
    """The version as the policy sees it."""
    return Resource(
        type="DatasetVersion",
        id=str(version.id),
        namespace=version.dataset.namespace,
        label=load_label(session, version.label_id),
        attributes={"retain_until": _retain_until(version)},
        belongs_to=(_place(version.dataset),),
        waived=waived_label(session, dataset_version_subject(version)),
    )


def _place(dataset: Dataset) -> str:
    return f"{dataset.namespace}/datasets/{dataset.name}"


def _retain_until(version: DatasetVersion) -> datetime | None:
    days = version.dataset.retention_days
    return None if days is None else version.created_at + timedelta(days=days)
