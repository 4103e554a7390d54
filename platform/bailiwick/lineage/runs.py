"""Runs: finished executions, written once with everything they read and wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.lineage.tables import LineageEdge, NodeType, Run


@dataclass(frozen=True, slots=True)
class Node:
    """A dataset version or a model version."""

    type: NodeType
    id: UUID


def record_run(
    session: Session,
    kind: str,
    *,
    namespace: str,
    label_id: str,
    inputs: Sequence[Node],
    outputs: Sequence[Node],
    parameters: Mapping[str, Any],
    metrics: Mapping[str, Any],
    started_at: datetime,
    actor_id: UUID,
    at: datetime,
    job_id: UUID | None = None,
    run_id: UUID | None = None,
) -> Run:
    """Write a finished run and its edges. `run_id` lets outputs refer to it beforehand."""
    run = Run(
        id=run_id or new_id(),
        kind=kind,
        namespace=namespace,
        label_id=label_id,
        job_id=job_id,
        actor_id=actor_id,
        parameters=dict(parameters),
        metrics=dict(metrics),
        started_at=started_at,
        finished_at=at,
    )
    session.add(run)
    session.flush()
    for direction, nodes in (("input", inputs), ("output", outputs)):
        for node in dict.fromkeys(nodes):
            session.add(
                LineageEdge(
                    run_id=run.id, direction=direction, node_type=node.type, node_id=node.id
                )
            )
    record(
        session,
        "run.recorded",
        subject_type="run",
        subject_id=run.id,
        actor_id=actor_id,
        at=at,
        details={
            "kind": kind,
            "inputs": [f"{node.type}:{node.id}" for node in inputs],
            "outputs": [f"{node.type}:{node.id}" for node in outputs],
            "label": label_id,
        },
    )
    return run
