"""Labels that rise together: which ones, and writing them down."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, insert, inspect, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from bailiwick.audit.log import record
from bailiwick.core.ids import new_id
from bailiwick.db.base import Base, Revised
from bailiwick.lifecycle.tables import Job, Schedule
from bailiwick.lineage import Dataset, DatasetVersion, LineageEdge, Run, with_copies
from bailiwick.lineage.propagation import carry_on, edges_of, reached_from
from bailiwick.monitoring import InferenceRecord, RecordSegment
from bailiwick.policy import (
    ApprovalRequest,
    Label,
    LabelMove,
    Scheme,
    Waiver,
    intern_label,
    label_id,
    load_label,
)
from bailiwick.registry import Deployment, ModelVersion, RegisteredModel, versions_served

Labels = Mapping[UUID, Label]
Members = Mapping[UUID, set[UUID]]

BATCH = 500
READ_HIGHER = "what it reads is labelled higher"
FOLLOWS = "it follows what it was made from, or what it is about"
TABLES: Mapping[str, Any] = {
    "dataset": Dataset,
    "dataset-version": DatasetVersion,
    "run": Run,
    "model-version": ModelVersion,
    "model": RegisteredModel,
    "deployment": Deployment,
    "job": Job,
    "schedule": Schedule,
    "approval": ApprovalRequest,
    "waiver": Waiver,
}


@dataclass(frozen=True, slots=True)
class Rise:
    """One label that rises; `type` is a key of `TABLES`."""

    type: str
    id: UUID
    old: Label
    new: Label


def plan_rises(
    session: Session, scheme: Scheme, target: Dataset | DatasetVersion, label: Label
) -> list[Rise]:
    """What rises when the target's label does, the target first. Changes nothing.

    Its versions, their copies in other datasets, all that was made from them, the runs between,
    the models whose versions rise and the deployments that serve or have served one. A fixed
    number of queries.
    """
    if isinstance(target, Dataset):
        starts = select(DatasetVersion.id).where(DatasetVersion.dataset_id == target.id)
        first = Rise("dataset", target.id, load_label(session, target.label_id), label)
    else:
        starts = select(DatasetVersion.id).where(DatasetVersion.id == target.id)
        first = Rise("dataset-version", target.id, load_label(session, target.label_id), label)
    starts = with_copies(starts)
    reached = reached_from(starts)
    read_or_wrote = select(LineageEdge.run_id).where(LineageEdge.node_id.in_(reached))
    by_type = {
        "dataset-version": _labels(session, DatasetVersion, reached),
        "model-version": _labels(session, ModelVersion, reached),
        "run": _labels(session, Run, read_or_wrote),
    }
    known = {one: own for labels in by_type.values() for one, own in labels.items()}
    rises = dict.fromkeys(session.scalars(starts), label)
    risen = carry_on(scheme, known, edges_of(session, reached), rises)
    made = [
        Rise(kind, one, own, risen[one])
        for kind, labels in by_type.items()
        for one, own in labels.items()
        if one in risen
    ]
    members = defaultdict[UUID, set[UUID]](set)  # the versions that rise, by their model
    of_model = select(ModelVersion.id, ModelVersion.model_id).where(ModelVersion.id.in_(reached))
    for version, model in session.execute(of_model):
        members[model] |= {version} & risen.keys()
    models = select(ModelVersion.model_id).where(ModelVersion.id.in_(reached))
    around = [
        *_models(session, scheme, models, members, risen),
        *_deployments(session, scheme, models, members, risen),
    ]
    return [first, *(rise for rise in [*made, *around] if rise.id != target.id)]


def write_rises(
    session: Session, rises: Sequence[Rise], *, reason: str, actor_id: UUID, at: datetime
) -> UUID:
    """Move the labels, with a move's row and an audit event each; the id of their common cause.

    The first rise is the cause, and carries the reason; the others follow it.
    """
    ids = {label: intern_label(session, label) for label in {rise.new for rise in rises}}
    cause_id = new_id()
    moves = [
        {
            "id": cause_id if place == 0 else new_id(),
            "node_type": rise.type,
            "node_id": rise.id,
            "old_label_id": label_id(rise.old),
            "new_label_id": ids[rise.new],
            "reason": reason if place == 0 else FOLLOWS,
            "cause_id": cause_id,
            "actor_id": actor_id,
            "at": at,
        }
        for place, rise in enumerate(rises)
    ]
    session.flush()
    groups = defaultdict[tuple[str, str], list[UUID]](list)
    for rise in rises:
        groups[rise.type, ids[rise.new]].append(rise.id)
    for (kind, identifier), members in groups.items():
        _move(session, TABLES[kind], members, identifier)
    _show(session, {rise.id: ids[rise.new] for rise in rises})
    session.execute(insert(LabelMove), moves)
    for rise, move in zip(rises, moves, strict=True):
        record(
            session,
            f"{rise.type}.label-raised",
            subject_type=rise.type,
            subject_id=rise.id,
            actor_id=actor_id,
            at=at,
            details={
                "old": move["old_label_id"],
                "new": move["new_label_id"],
                "cause": str(cause_id),
            },
        )
    session.flush()
    return cause_id


def raise_job(
    session: Session,
    scheme: Scheme,
    job: Job,
    read: Iterable[Label],
    *,
    actor_id: UUID,
    at: datetime,
) -> None:
    """A job tells of what it reads, in its result and in its errors: it never ranks below that."""
    old = load_label(session, job.label_id)
    new = scheme.join_or_seal([old, *read])
    if new != old:
        rise = Rise("job", job.id, old, new)
        write_rises(session, [rise], reason=READ_HIGHER, actor_id=actor_id, at=at)


def batches(ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    """The ids in lists that fit into one statement."""
    known = list(ids)
    return (known[start : start + BATCH] for start in range(0, len(known), BATCH))


def _labels(session: Session, table: type[Base], ids: Select[Any]) -> dict[UUID, Label]:
    columns: Any = table
    rows = session.execute(select(columns.id, columns.label_id).where(columns.id.in_(ids)))
    return {identifier: load_label(session, label) for identifier, label in rows}


def _models(
    session: Session, scheme: Scheme, models: Select[Any], members: Members, risen: Labels
) -> Iterator[Rise]:
    """A model's label dominates that of its versions."""
    for model, own in _labels(session, RegisteredModel, models).items():
        yield from _raised("model", model, own, (risen[one] for one in members[model]), scheme)


def _deployments(
    session: Session, scheme: Scheme, models: Select[Any], members: Members, risen: Labels
) -> Iterator[Rise]:
    """A deployment's label dominates that of what it serves, has served, or has logged."""
    found = session.scalars(select(Deployment).where(Deployment.model_id.in_(models))).all()
    served = versions_served(session, found)
    rises = {}
    for one in found:
        labels = (risen[version] for version in served[one.id] & members[one.model_id])
        own = load_label(session, one.label_id)
        rises[one.id] = scheme.join_or_seal([own, *labels])
    above = {
        (one.id, version)
        for one in found
        for version in members[one.model_id]
        if not scheme.dominates(rises[one.id], risen[version])
    }
    for deployment, version in _logged(session, above):
        rises[deployment] = scheme.join_or_seal([rises[deployment], risen[version]])
    for one in found:
        own = load_label(session, one.label_id)
        yield from _raised("deployment", one.id, own, [rises[one.id]], scheme)


def _logged(session: Session, pairs: set[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Of these deployments and versions, those that an answer was logged of.

    Answers of a version that a deployment has never served can be logged for it.
    """
    found: set[tuple[UUID, UUID]] = set()
    for batch in batches({deployment for deployment, _ in pairs}):
        rows = session.execute(
            select(InferenceRecord.deployment_id, InferenceRecord.version_id)
            .where(InferenceRecord.deployment_id.in_(batch))
            .distinct()
        )
        archived = session.execute(
            select(RecordSegment.deployment_id, RecordSegment.version_ids).where(
                RecordSegment.deployment_id.in_(batch)
            )
        )
        found |= {(deployment, version) for deployment, version in rows} & pairs
        found |= {(deployment, UUID(one)) for deployment, ids in archived for one in ids} & pairs
    return found


def _raised(
    kind: str, identifier: UUID, own: Label, others: Iterable[Label], scheme: Scheme
) -> Iterator[Rise]:
    joined = scheme.join_or_seal([own, *others])
    if joined != own:
        yield Rise(kind, identifier, own, joined)


def _move(session: Session, table: Any, ids: Sequence[UUID], label: str) -> None:
    values: dict[str, Any] = {"label_id": label}
    if issubclass(table, Revised):
        values["revision"] = table.revision + 1
    for batch in batches(ids):
        session.execute(
            update(table).where(table.id.in_(batch)).values(values),
            execution_options={"synchronize_session": False},  # see `_show`
        )


def _show(session: Session, moved: Mapping[UUID, str]) -> None:
    """What this transaction has loaded already shows the labels that were moved behind it."""
    for thing in session.identity_map.values():
        (identifier, *_) = inspect(thing).identity
        if isinstance(thing, tuple(TABLES.values())) and identifier in moved:
            set_committed_value(thing, "label_id", moved[identifier])
            if isinstance(thing, Revised):
                set_committed_value(thing, "revision", thing.revision + 1)
