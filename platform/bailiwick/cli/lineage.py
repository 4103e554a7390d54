"""`bailiwick lineage`: what was made from what, as a tree."""

from collections import defaultdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.tree import Tree

from bailiwick.cli.api_client import command
from bailiwick.cli.output import plain, short
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Impact, Lineage, LineageNode

app = typer.Typer(no_args_is_help=True, help="What was made from what.")


class Direction(StrEnum):
    """Towards what it was made from, or towards what was made from it."""

    UP = "up"
    DOWN = "down"


def lineage_tree(_: object, found: Lineage) -> RenderableType:
    """The hops as a tree; what was opened once is not opened again."""
    upwards = found["direction"] == Direction.UP
    following: dict[str, list[LineageNode]] = defaultdict(list)
    for step in found["steps"]:
        near, far = step["target"], step["source"]
        if not upwards:
            near, far = far, near
        if far["id"] not in {known["id"] for known in following[near["id"]]}:
            following[near["id"]].append(far)
    root = Tree(plain(_named(found["start"])))
    opened = {found["start"]["id"]}
    waiting = [(root, found["start"]["id"])]
    while waiting:
        branch, identifier = waiting.pop()
        for node in following[identifier]:
            again = node["id"] in opened
            leaf = branch.add(plain(_named(node) + (" (see above)" if again else "")))
            if not again:
                opened.add(node["id"])
                waiting.append((leaf, node["id"]))
    return root


def _impact(_: Bailiwick, found: Impact) -> RenderableType:
    root = Tree(plain(f"dataset {found['dataset']}"))
    learned = root.add(plain(f"models that learned from it: {len(found['model_versions'])}"))
    for version in found["model_versions"]:
        learned.add(plain(_named(version)))
    running = root.add(plain(f"deployments that run one of them: {len(found['deployments'])}"))
    for deployment in found["deployments"]:
        running.add(plain(deployment))
    return root


@command(app, "show", show=lineage_tree)
def show_lineage(
    client: Bailiwick,
    node: Annotated[
        str, typer.Argument(help="model:NAMESPACE/NAME@VERSION or dataset:NAMESPACE/NAME@VERSION.")
    ],
    direction: Annotated[
        Direction, typer.Option(help="up: made from what; down: what was made from it.")
    ] = Direction.UP,
    depth: Annotated[int, typer.Option(min=1, max=100, help="At most so many hops.")] = 10,
) -> Lineage:
    """What a version was made from, or what was made from it."""
    return client.lineage.of(node, direction=direction.value, depth=depth)


@command(app, "impact", show=_impact)
def show_impact(
    client: Bailiwick,
    dataset: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME@VERSION")],
) -> Impact:
    """Which models learned from a dataset version, and where they are running."""
    return client.impact(dataset)


def _named(node: LineageNode) -> str:
    kind = "dataset" if node["type"] == "dataset-version" else "model"
    return f"{kind} {node['name'] or 'that you may not see, ' + short(node['id'])}"
