"""Scanning a dataset version on behalf of a caller, which API and console do alike."""

from sqlalchemy.orm import Session

from bailiwick.lineage import (
    ColumnMark,
    DatasetVersion,
    dataset_version_resource,
    find_dataset,
    find_dataset_version,
    propose_marks,
)
from bailiwick.lineage.scanning import SAMPLED_ROWS, scan
from bailiwick.lineage.tallies import Scan
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


def _require(caller: Caller, version: DatasetVersion, session: Session) -> None:
    resource = dataset_version_resource(session, version)
    within = None if session is caller.session else session
    caller.require(resource, action="dataset:scan", within=within)
    caller.require(resource, action="dataset:read-rows", context={"now": caller.at}, within=within)
