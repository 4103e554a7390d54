"""Walking lineage: what a version learned from, and what learned from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from bailiwick.core.errors import Invalid
from bailiwick.lineage.runs import Node
from bailiwick.lineage.tables import LineageEdge

Direction = Literal["up", "down"]
MAX_DEPTH = 100
BATCH = 500  # ids in one IN clause; SQLite's limit on variables is far above


@dataclass(frozen=True, slots=True)
class Step:
    """One hop: `run_id` read `source` and wrote `target`; `depth` counts from the start."""

    source: Node
    run_id: UUID
    target: Node
    depth: int


def walk(session: Session, start: Node, direction: Direction, *, depth: int) -> list[Step]:
    """Every hop within `depth`, nearest first; each node is expanded once.

    A query per level and batch, whatever the number of nodes. Runs and versions are written
    after what they read, so there are no cycles; a repeated node would still end the walk.
    """
    if not 1 <= depth <= MAX_DEPTH:
        raise Invalid(f"depth must lie between 1 and {MAX_DEPTH}")
    steps: list[Step] = []
    seen = {start.id}
    frontier = [start.id]
    for level in range(1, depth + 1):
        found = hops(session, frontier, direction)
        if not found:
            break
        frontier = []
        for source, run_id, target in found:
            steps.append(Step(source, run_id, target, level))
            reached = source if direction == "up" else target
            if reached.id not in seen:
                seen.add(reached.id)
                frontier.append(reached.id)
    return steps


def hops(session: Session, ids: list[UUID], direction: Direction) -> list[tuple[Node, UUID, Node]]:
    """Every hop from these nodes: what was read, by which run, and what it wrote."""
    return [step for batch in _batches(ids) for step in _hop(session, batch, direction)]


def _batches(ids: list[UUID]) -> Iterable[list[UUID]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _hop(
    session: Session, ids: list[UUID], direction: Direction
) -> Iterable[tuple[Node, UUID, Node]]:
    read, wrote = aliased(LineageEdge), aliased(LineageEdge)
    known = wrote if direction == "up" else read
    rows = session.execute(
        select(read.node_type, read.node_id, read.run_id, wrote.node_type, wrote.node_id)
        .join(wrote, (wrote.run_id == read.run_id) & (wrote.direction == "output"))
        .where(read.direction == "input", known.node_id.in_(ids))
        .order_by(read.run_id, read.node_id, wrote.node_id)
    )
    for source_type, source_id, run_id, target_type, target_id in rows:
        yield Node(source_type, source_id), run_id, Node(target_type, target_id)
