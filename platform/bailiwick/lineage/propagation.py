"""How a label that rises is carried on: along runs, to all that was made from what it is on."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from bailiwick.lineage.graph import Direction
from bailiwick.lineage.runs import Node
from bailiwick.lineage.tables import LineageEdge
from bailiwick.policy import Label, Scheme

Reached = Select[UUID]


@dataclass(frozen=True, slots=True)
class Edge:
    """A run read (`input`) or wrote (`output`) a node."""

    run_id: UUID
    direction: Literal["input", "output"]
    node: Node


def reached_from(starts: Select[Any], direction: Direction = "down") -> Reached:
    """The ids of the start nodes and of all that was made from them, as a query.

    `starts` selects ids of dataset versions or model versions; `up` finds what they were made
    from. One recursive statement whatever the number of hops; a node that is reached twice ends
    the recursion.
    """
    near, far = ("input", "output") if direction == "down" else ("output", "input")
    reached = select(starts.subquery().c[0].label("id")).cte("reached", recursive=True)
    known, found = aliased(LineageEdge), aliased(LineageEdge)
    reached = reached.union(
        select(found.node_id)
        .join(known, (known.run_id == found.run_id) & (known.direction == near))
        .join(reached, reached.c.id == known.node_id)
        .where(found.direction == far)
    )
    return select(reached.c.id)


def edges_of(session: Session, reached: Reached) -> list[Edge]:
    """Every edge of the nodes reached: the runs that read them, and those that wrote them."""
    rows = session.execute(
        select(
            LineageEdge.run_id, LineageEdge.direction, LineageEdge.node_type, LineageEdge.node_id
        ).where(LineageEdge.node_id.in_(reached))
    )
    return [Edge(run, direction, Node(kind, node)) for run, direction, kind, node in rows]  # type: ignore[arg-type]  # a check constraint says so


def carry_on(
    scheme: Scheme,
    labels: Mapping[UUID, Label],
    edges: Iterable[Edge],
    rises: Mapping[UUID, Label],
) -> dict[UUID, Label]:
    """The labels of all nodes and runs that rise, by id, once those in `rises` have.

    `labels` are the present ones, of nodes and of runs. What a run wrote dominates all that it
    read, and the run dominates both; where that leaves nothing, the label is sealed. Each node
    is looked at again only when it has risen further, so the order of the edges does not matter.
    """
    readers, writers, outputs = (defaultdict[UUID, list[UUID]](list) for _ in range(3))
    for edge in edges:
        if edge.direction == "input":
            readers[edge.node.id].append(edge.run_id)
        else:
            writers[edge.node.id].append(edge.run_id)
            outputs[edge.run_id].append(edge.node.id)
    risen: dict[UUID, Label] = {}
    joined: dict[tuple[Label, Label], Label] = {}  # few labels, many nodes

    def rise(identifier: UUID, at_least: Label) -> bool:
        now = risen.get(identifier, labels[identifier])
        if (now, at_least) not in joined:
            joined[now, at_least] = scheme.join_or_seal((now, at_least))
        if joined[now, at_least] == now:
            return False
        risen[identifier] = joined[now, at_least]
        return True

    waiting = deque(identifier for identifier, label in rises.items() if rise(identifier, label))
    while waiting:
        node = waiting.popleft()
        for run in writers[node]:
            rise(run, risen[node])
        for run in readers[node]:
            rise(run, risen[node])
            waiting.extend(made for made in outputs[run] if rise(made, risen[node]))
    return risen
