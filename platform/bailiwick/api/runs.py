"""`/runs` and `/lineage`: what was made from what."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import select

from bailiwick.api.schemas import LabelOut, Schema, labels_by_id
from bailiwick.core.errors import Invalid
from bailiwick.lineage import (
    WAIVABLE_DATASET_VERSIONS,
    WAIVABLE_DATASETS,
    ColumnMark,
    Dataset,
    DatasetVersion,
    LineageEdge,
    Node,
    Run,
    dataset_version_resource,
    find_dataset,
    find_dataset_version,
    walk,
)
from bailiwick.lineage.marks import ACCEPTED
from bailiwick.policy import Resource, Unseen, load_label
from bailiwick.registry import (
    CHAMPION,
    WAIVABLE_DEPLOYMENTS,
    WAIVABLE_VERSIONS,
    Alias,
    Deployment,
    ModelVersion,
    RegisteredModel,
    find_model,
    find_version,
    version_resource,
)
from bailiwick.web import Cursor, Governed, GovernedRoute, Limit, Page, acts, page_of

router = APIRouter(tags=["lineage"], route_class=GovernedRoute)


class RunOut(Schema):
    """A finished execution with everything that it read and wrote."""

    id: UUID
    kind: str
    namespace: str
    label: LabelOut
    job_id: UUID | None
    actor_id: UUID
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    started_at: datetime
    finished_at: datetime


class RunPage(Page):
    """Runs, newest first."""

    items: list[RunOut]


class LineageNode(Schema):
    """A dataset version or model version. `name` is null where the caller may not see it.

    `marks`: what stewards have said that columns of the dataset version hold.
    """

    type: str
    id: UUID
    name: str | None
    marks: list[str]


class LineageStep(Schema):
    """One hop: the run read `source` and wrote `target`."""

    source: LineageNode
    run_id: UUID
    target: LineageNode
    depth: int


class LineageOut(Schema):
    """Every hop from `start` in the direction asked for, nearest first."""

    start: LineageNode
    direction: str
    steps: list[LineageStep]


class ImpactOut(Schema):
    """What learned from a dataset version, through any number of hops, and where it runs."""

    dataset: str
    model_versions: list[LineageNode]
    deployments: list[str]


@router.get("/runs", **acts("run:list"))
def list_runs(
    caller: Governed,
    kind: Literal["ingest", "prepare", "train", "evaluate"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RunPage:
    """The runs that the caller may see, newest first."""
    query = select(Run).where(caller.visible("Run", Run.namespace, Run.label_id, action="run:read"))
    if kind is not None:
        query = query.where(Run.kind == kind)
    runs, following = page_of(caller.session, query, Run.id, limit=limit, cursor=cursor)
    return RunPage(items=_shown(caller, runs), next_cursor=following)


@router.get("/runs/{run_id}", **acts("run:read"))
def read_run(run_id: UUID, caller: Governed) -> RunOut:
    """One run."""
    run = caller.session.get(Run, run_id)
    if run is None:
        raise Unseen
    label = load_label(caller.session, run.label_id)
    caller.require(Resource("Run", str(run.id), run.namespace, label))
    return _shown(caller, [run])[0]


@router.get("/lineage", **acts("lineage:read"))
def read_lineage(
    caller: Governed,
    node: Annotated[
        str, Query(description="`dataset:NS/NAME@N` or `model:NS/NAME@N`, N the version.")
    ],
    direction: Literal["up", "down"] = "up",
    depth: Annotated[int, Query(ge=1, le=100)] = 10,
) -> LineageOut:
    """What a version was made from (`up`), or what was made from it (`down`)."""
    start = _start(caller, node)
    steps = walk(caller.session, start, direction, depth=depth)
    ends = [start, *(step.source for step in steps), *(step.target for step in steps)]
    shown = named_nodes(caller, ends)
    return LineageOut(
        start=shown[start],
        direction=direction,
        steps=[
            LineageStep(
                source=shown[step.source],
                run_id=step.run_id,
                target=shown[step.target],
                depth=step.depth,
            )
            for step in steps
        ],
    )


@router.get("/lineage/impact", **acts("lineage:read"))
def read_impact(
    caller: Governed,
    dataset: Annotated[str, Query(description="`NS/NAME@N`, N the version.")],
    depth: Annotated[int, Query(ge=1, le=100)] = 100,
) -> ImpactOut:
    """Which models learned from a dataset version, and where they are running."""
    start = _start(caller, f"dataset:{dataset}")
    steps = walk(caller.session, start, "down", depth=depth)
    reached = {step.target for step in steps if step.target.type == "model-version"}
    shown = named_nodes(caller, reached)
    versions = [node for node in shown.values() if node.name is not None]
    running = caller.session.execute(
        select(Deployment.namespace, Deployment.name)
        .outerjoin(
            Alias,
            (Alias.model_id == Deployment.model_id)
            & (Alias.alias == CHAMPION)
            & Deployment.pinned_version_id.is_(None),
        )
        .where(
            Alias.version_id.in_([node.id for node in versions])
            | Deployment.pinned_version_id.in_([node.id for node in versions]),
            caller.visible(
                "Deployment",
                Deployment.namespace,
                Deployment.label_id,
                action="deployment:read",
                objects=("deployments", Deployment.name),
                waivable=WAIVABLE_DEPLOYMENTS,
            ),
        )
        .order_by(Deployment.id)
    )
    return ImpactOut(
        dataset=dataset,
        model_versions=sorted(versions, key=lambda node: str(node.name)),
        deployments=[f"{namespace}/{name}" for namespace, name in running],
    )


def _start(caller: Governed, text: str) -> Node:
    """The node that a query names, after the policy has let the caller read it."""
    kind, _, rest = text.partition(":")
    path, _, number = rest.partition("@")
    namespace, _, name = path.partition("/")
    if kind not in ("dataset", "model") or not (namespace and name and number.isdigit()):
        raise Invalid(
            "node must read dataset:NAMESPACE/NAME@VERSION or model:NAMESPACE/NAME@VERSION"
        )
    if kind == "dataset":
        dataset = find_dataset(caller.session, namespace, name)
        data = find_dataset_version(caller.session, dataset, int(number))
        caller.require(dataset_version_resource(caller.session, data))
        return Node("dataset-version", data.id)
    model = find_model(caller.session, namespace, name)
    version = find_version(caller.session, model, int(number))
    caller.require(version_resource(caller.session, version))
    return Node("model-version", version.id)


def named_nodes(caller: Governed, nodes: set[Node] | list[Node]) -> dict[Node, LineageNode]:
    """Names of the nodes that the caller may read; the others keep their place without one."""
    ids = {node.id for node in nodes}
    data = select(DatasetVersion.id, Dataset.namespace, Dataset.name, DatasetVersion.number).join(
        Dataset, Dataset.id == DatasetVersion.dataset_id
    )
    data = data.where(
        DatasetVersion.id.in_(ids),
        caller.visible(
            "DatasetVersion",
            Dataset.namespace,
            DatasetVersion.label_id,
            action="dataset:read",
            objects=("datasets", Dataset.name),
            waivable=WAIVABLE_DATASET_VERSIONS,
        ),
    )
    models = select(
        ModelVersion.id, RegisteredModel.namespace, RegisteredModel.name, ModelVersion.number
    ).join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    models = models.where(
        ModelVersion.id.in_(ids),
        caller.visible(
            "ModelVersion",
            RegisteredModel.namespace,
            ModelVersion.label_id,
            action="version:read",
            objects=("models", RegisteredModel.name),
            waivable=WAIVABLE_VERSIONS,
        ),
    )
    rows = [*caller.session.execute(data), *caller.session.execute(models)]
    names = {row[0]: f"{row[1]}/{row[2]}@{row[3]}" for row in rows}
    marks = _marks(caller, [node.id for node in nodes if node.id in names])
    return {
        node: LineageNode(
            type=node.type, id=node.id, name=names.get(node.id), marks=marks.get(node.id, [])
        )
        for node in nodes
    }


def _marks(caller: Governed, ids: list[UUID]) -> dict[UUID, list[str]]:
    """The kinds of accepted marks on each of these dataset versions, as far as one may see them."""
    query = (
        select(DatasetVersion.id, DatasetVersion.columns, ColumnMark.column, ColumnMark.mark)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .join(ColumnMark, ColumnMark.dataset_id == Dataset.id)
        .where(
            DatasetVersion.id.in_(ids),
            ColumnMark.state == ACCEPTED,
            caller.visible(
                "Dataset",
                Dataset.namespace,
                Dataset.label_id,
                action="mark:read",
                objects=("datasets", Dataset.name),
                waivable=WAIVABLE_DATASETS,
            ),
        )
        .order_by(ColumnMark.mark)
    )
    found: dict[UUID, dict[str, None]] = {}
    for identifier, columns, column, mark in caller.session.execute(query):
        if any(one["name"] == column for one in columns):
            found.setdefault(identifier, {})[mark] = None
    return {identifier: list(marks) for identifier, marks in found.items()}


def _shown(caller: Governed, runs: list[Run]) -> list[RunOut]:
    labels = labels_by_id(caller.session, [run.label_id for run in runs])
    edges = list(
        caller.session.scalars(
            select(LineageEdge)
            .where(LineageEdge.run_id.in_([run.id for run in runs]))
            .order_by(LineageEdge.id)
        )
    )

    def ends(run: Run, direction: str) -> list[str]:
        return [
            f"{edge.node_type}:{edge.node_id}"
            for edge in edges
            if edge.run_id == run.id and edge.direction == direction
        ]

    return [
        RunOut(
            **{
                field: getattr(run, field)
                for field in RunOut.model_fields
                if field not in ("label", "inputs", "outputs")
            },
            label=labels[run.label_id],
            inputs=ends(run, "input"),
            outputs=ends(run, "output"),
        )
        for run in runs
    ]
