"""The names of things of many kinds, as far as the caller may see them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from bailiwick.lifecycle.rises import batches
from bailiwick.lineage import (
    WAIVABLE_DATASET_VERSIONS,
    WAIVABLE_DATASETS,
    Dataset,
    DatasetVersion,
    Run,
)
from bailiwick.policy import Waivable
from bailiwick.registry import (
    WAIVABLE_DEPLOYMENTS,
    WAIVABLE_VERSIONS,
    Deployment,
    ModelVersion,
    RegisteredModel,
)
from bailiwick.web.callers import Caller


@dataclass(frozen=True)
class Kind:
    """Where the things of one kind are, what they are called after, and who may see them.

    `owner`: what they are versions of; themselves where they have a name of their own.
    """

    table: Any
    owner: Any
    type: str
    action: str
    objects: str | None = None
    waivable: Waivable | None = None


KINDS = {
    "dataset": Kind(Dataset, Dataset, "Dataset", "dataset:read", "datasets", WAIVABLE_DATASETS),
    "dataset-version": Kind(
        DatasetVersion,
        Dataset,
        "DatasetVersion",
        "dataset:read",
        "datasets",
        WAIVABLE_DATASET_VERSIONS,
    ),
    "model": Kind(RegisteredModel, RegisteredModel, "Model", "model:read", "models"),
    "model-version": Kind(
        ModelVersion, RegisteredModel, "ModelVersion", "version:read", "models", WAIVABLE_VERSIONS
    ),
    "deployment": Kind(
        Deployment,
        Deployment,
        "Deployment",
        "deployment:read",
        "deployments",
        WAIVABLE_DEPLOYMENTS,
    ),
    "run": Kind(Run, Run, "Run", "run:read"),
}


def visible_names(caller: Caller, things: Iterable[tuple[str, UUID]]) -> dict[UUID, str]:
    """Names by id, of those of these (kind, id) pairs whose reading the policy allows.

    A query for each kind and 500 ids. Versions read `NAMESPACE/NAME@NUMBER`, runs
    `NAMESPACE/KIND`.
    """
    wanted = defaultdict[str, set[UUID]](set)
    for kind, identifier in things:
        wanted[kind].add(identifier)
    names: dict[UUID, str] = {}
    for kind, ids in wanted.items():
        names |= _names(caller, KINDS[kind], ids)
    return names


def _names(caller: Caller, kind: Kind, ids: set[UUID]) -> dict[UUID, str]:
    table, owner = kind.table, kind.owner
    seen = caller.visible(
        kind.type,
        owner.namespace,
        table.label_id,
        action=kind.action,
        objects=(kind.objects, owner.name) if kind.objects else None,
        waivable=kind.waivable,
    )
    if table is Run:
        query = select(Run.id, Run.namespace, Run.kind)
    elif table is owner:
        query = select(table.id, table.namespace, table.name)
    else:
        joined = table.dataset_id if owner is Dataset else table.model_id
        query = select(table.id, owner.namespace, owner.name, table.number)
        query = query.join(owner, owner.id == joined)
    return {
        row[0]: "@".join([f"{row[1]}/{row[2]}", *map(str, row[3:])])
        for batch in batches(ids)
        for row in caller.session.execute(query.where(table.id.in_(batch), seen))
    }
