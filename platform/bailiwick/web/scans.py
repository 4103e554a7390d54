"""Marks on behalf of a caller: what API and console do alike.

A version can be above its dataset, and so can the names of columns that only it has.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import Session

from bailiwick.lineage import (
    WAIVABLE_DATASET_VERSIONS,
    ColumnMark,
    Dataset,
    DatasetVersion,
    dataset_version_resource,
    find_dataset,
    find_dataset_version,
    find_mark,
    propose_marks,
)
from bailiwick.lineage.marks import columns_of_dataset
from bailiwick.lineage.scanning import SAMPLED_ROWS, scan
from bailiwick.lineage.tallies import Scan
from bailiwick.policy import Unseen
from bailiwick.web.callers import Caller


def scan_as(
    caller: Caller,
    namespace: str,
    name: str,
    number: int,
    *,
    sampled_rows: int = SAMPLED_ROWS,
    with_presidio: bool = False,
) -> tuple[Scan, list[ColumnMark]]:
    """Scan the version if the caller may scan it and read its rows; what was found and proposed.

    For routes with a transaction of their own: the rows are read before it begins.
    """
    dataset = find_dataset(caller.session, namespace, name)
    version = find_dataset_version(caller.session, dataset, number)
    _require(caller, version, caller.session)
    path = caller.platform.blobs.verified_path(version.rows_blob)
    found = scan(path, sampled_rows=sampled_rows, with_presidio=with_presidio)
    with caller.platform.database.transaction() as session:
        version = session.get_one(DatasetVersion, version.id)
        _require(caller, version, session)
        at = caller.platform.clock.now()
        return found, propose_marks(session, version, found, actor_id=caller.principal_id, at=at)


def seen_versions(caller: Caller) -> ColumnElement[bool]:
    """Which versions of a dataset tell their columns to a caller who may read the dataset.

    Those that are no higher than it, and those that the caller may read. Join `Dataset`.
    """
    readable = caller.visible(
        "DatasetVersion",
        Dataset.namespace,
        DatasetVersion.label_id,
        action="dataset:read",
        objects=("datasets", Dataset.name),
        waivable=WAIVABLE_DATASET_VERSIONS,
    )
    return or_(DatasetVersion.label_id == Dataset.label_id, readable)


def seen_columns(caller: Caller, dataset: Dataset) -> list[str]:
    """The columns of a dataset of which a caller who may read it may know."""
    return columns_of_dataset(caller.session, dataset, seen=seen_versions(caller))


def seen_mark(caller: Caller, dataset: Dataset, mark_id: UUID) -> ColumnMark:
    """That mark of the dataset, if the caller may know of its column; else `Unseen`."""
    mark = find_mark(caller.session, dataset, mark_id)
    if mark.column not in seen_columns(caller, dataset):
        raise Unseen
    return mark


def _require(caller: Caller, version: DatasetVersion, session: Session) -> None:
    resource = dataset_version_resource(session, version)
    within = None if session is caller.session else session
    caller.require(resource, action="dataset:scan", within=within)
    caller.require(resource, action="dataset:read-rows", context={"now": caller.at}, within=within)
