"""A version's lineage as a graph and as a table: datasets, runs, versions, deployments."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from markupsafe import Markup
from sqlalchemy import or_, select

from bailiwick.console.graphs import Box, graph
from bailiwick.console.visibility import (
    visible_dataset_versions,
    visible_deployments,
    visible_versions,
)
from bailiwick.lineage import Dataset, DatasetVersion, Node, Run, Step, walk
from bailiwick.registry import (
    CHAMPION,
    Deployment,
    ModelVersion,
    RegisteredModel,
    pointed_at,
)
from bailiwick.web import Caller

MAX_HOPS = 8
HIDDEN = "not visible to you"


@dataclass(frozen=True, slots=True)
class Hop:
    """One line of the table: a run read the inputs and wrote the output."""

    run: Run
    inputs: list[Box]
    output: Box


@dataclass(frozen=True, slots=True)
class LineageView:
    """What a page shows. `cut`: the walk ended before the beginning was reached."""

    drawing: Markup
    hops: list[Hop]
    cut: bool


def lineage_view(caller: Caller, version: ModelVersion) -> LineageView:
    """Everything within some hops that the version learned from, and where it is deployed.

    What the caller may not see keeps its place without a name.
    """
    start = Node("model-version", version.id)
    steps = walk(caller.session, start, "up", depth=MAX_HOPS)
    nodes = dict.fromkeys([start, *(end for s in steps for end in (s.target, s.source))])
    boxes = _named(caller, nodes, start)
    runs = _runs(caller, {step.run_id for step in steps})
    drawn = [*boxes.values(), *(_run_box(run) for run in runs.values())]
    edges = _edges(steps)
    for deployment in _deployed(caller, version):
        drawn.append(_deployment_box(deployment))
        edges.append((str(version.id), str(deployment.id)))
    name = f"{version.model.namespace}/{version.model.name} version {version.number}"
    return LineageView(
        drawing=graph(
            drawn,
            edges,
            title=f"Lineage of {name}",
            description=f"{len(nodes)} versions and {len(runs)} runs; the table says the same.",
        ),
        hops=_hops(steps, boxes, runs),
        cut=any(step.depth == MAX_HOPS for step in steps),
    )


def _edges(steps: Iterable[Step]) -> list[tuple[str, str]]:
    pairs = (
        pair
        for step in steps
        for pair in (
            (str(step.source.id), str(step.run_id)),
            (str(step.run_id), str(step.target.id)),
        )
    )
    return list(dict.fromkeys(pairs))


def _hops(steps: Iterable[Step], boxes: dict[UUID, Box], runs: dict[UUID, Run]) -> list[Hop]:
    written: dict[tuple[UUID, UUID], list[Box]] = {}
    for step in steps:
        inputs = written.setdefault((step.run_id, step.target.id), [])
        if boxes[step.source.id] not in inputs:
            inputs.append(boxes[step.source.id])
    return [
        Hop(runs[run_id], inputs, boxes[target_id])
        for (run_id, target_id), inputs in written.items()
    ]


def _runs(caller: Caller, ids: set[UUID]) -> dict[UUID, Run]:
    """Runs say when and by which job, nothing about their inputs, and so keep their place."""
    found = caller.session.scalars(select(Run).where(Run.id.in_(ids)))
    return {run.id: run for run in found}


def _named(caller: Caller, nodes: Iterable[Node], start: Node) -> dict[UUID, Box]:
    ids = [node.id for node in nodes]
    data = caller.session.scalars(
        select(DatasetVersion)
        .join(Dataset, Dataset.id == DatasetVersion.dataset_id)
        .where(DatasetVersion.id.in_(ids), visible_dataset_versions(caller))
    )
    models = caller.session.scalars(
        select(ModelVersion)
        .join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
        .where(ModelVersion.id.in_(ids), visible_versions(caller))
    )
    shown = {one.id: _dataset_box(one) for one in data}
    shown |= {one.id: _model_box(one, current=one.id == start.id) for one in models}
    return {
        node.id: shown.get(node.id, Box(str(node.id), f"{node.type} hidden", HIDDEN, node.type))
        for node in nodes
    }


def _dataset_box(version: DatasetVersion) -> Box:
    name = f"{version.dataset.namespace}/{version.dataset.name}"
    return Box(
        str(version.id),
        "dataset",
        f"{version.dataset.name} v{version.number}",
        f"{version.rows:,} rows",
        f"/console/datasets/{name}#v{version.number}",
    )


def _model_box(version: ModelVersion, *, current: bool) -> Box:
    name = f"{version.model.namespace}/{version.model.name}"
    accuracy = version.metrics.get("accuracy")
    return Box(
        str(version.id),
        "model",
        f"{version.model.name} v{version.number}",
        f"accuracy {accuracy:.1%}" if isinstance(accuracy, float) else "model version",
        f"/console/models/{name}/versions/{version.number}",
        current,
    )


def _run_box(run: Run) -> Box:
    path = f"/console/jobs/{run.job_id}" if run.job_id else None
    return Box(str(run.id), "run", run.kind, f"{run.finished_at:%-d %b %y}", path)


def _deployment_box(deployment: Deployment) -> Box:
    return Box(
        str(deployment.id),
        "deployment",
        deployment.name,
        f"in {deployment.environment.name}",
        f"/console/deployments/{deployment.id}",
    )


def _deployed(caller: Caller, version: ModelVersion) -> list[Deployment]:
    """Where exactly this version answers now."""
    champion = pointed_at(caller.session, version.model_id, CHAMPION)
    here = [Deployment.pinned_version_id == version.id]
    if champion is not None and champion.id == version.id:
        here.append(
            (Deployment.model_id == version.model_id) & Deployment.pinned_version_id.is_(None)
        )
    query = select(Deployment).where(or_(*here), visible_deployments(caller))
    return list(caller.session.scalars(query.order_by(Deployment.id)))
