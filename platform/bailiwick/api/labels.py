"""`…/label`: what a label is made of and how it moved, raising it, and what that would do."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import StringConstraints
from sqlalchemy import select

from bailiwick.api.breaches import BreachOut, breaches_shown
from bailiwick.api.deployments import governed_deployment
from bailiwick.api.schemas import Body, LabelIn, LabelOut, Schema
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.relabelling import (
    Relabelled,
    preview_relabelling,
    relabel_dataset,
    relabel_dataset_version,
)
from bailiwick.lineage import (
    Dataset,
    DatasetVersion,
    LineageEdge,
    Node,
    Run,
    dataset_resource,
    dataset_version_resource,
    find_dataset,
    find_dataset_version,
)
from bailiwick.lineage.explanation import Explained, Kind, explain_dataset, explain_label
from bailiwick.policy import Label, LabelMove, Resource, Unseen, load_label
from bailiwick.registry import find_model, find_version, version_resource, versions_served
from bailiwick.web import Caller, Governed, GovernedRoute, acts, visible_names

router = APIRouter(tags=["rules"], route_class=GovernedRoute)

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class LabelSourceOut(Schema):
    """Who gave a part of a label: declared with the dataset, or said later (`reason`).

    `version` is null where the whole dataset was meant.
    """

    dataset: str
    version: int | None
    by: UUID
    at: datetime
    reason: str | None


class LabelPartOut(Schema):
    """Parts of a label that come from one source, and the way from there to here.

    `names`: the level, the compartments, or the zones or purposes that are NOT allowed. What the
    caller may not see is counted in `unseen`, not named: then `source` may be null, and is so too
    for what was there when a version was registered and none of its inputs carries.
    """

    part: Kind
    names: list[str]
    source: LabelSourceOut | None
    path: list[str]
    unseen: int


class LabelMoveOut(Schema):
    """One rise. All that one act raised shares its `cause_id`."""

    old: LabelOut
    new: LabelOut
    reason: str
    cause_id: UUID
    by: UUID
    at: datetime


class LabelExplainedOut(Schema):
    """A label, where each of its parts comes from, and how it has moved, oldest first.

    `sealed`: no place or no purpose is left, so nothing may be done with what carries it.
    """

    label: LabelOut
    sealed: bool
    parts: list[LabelPartOut]
    moves: list[LabelMoveOut]


class RelabelIn(Body):
    """The label that it is to have, which must dominate the one it has, and why."""

    label: LabelIn
    reason: Reason


class RelabelledOut(Schema):
    """What one act raised, counted by kind; what it sealed; the breaches that it caused.

    `unseen_breaches`: those of deployments that the caller may not see.
    """

    old: LabelOut
    new: LabelOut
    cause_id: UUID | None
    moved: dict[str, int]
    sealed: int
    breaches: list[BreachOut]
    unseen_breaches: int


class RiseOut(Schema):
    """A label that would rise."""

    type: str
    id: UUID
    name: str
    old: LabelOut
    new: LabelOut


class WouldBreachOut(Schema):
    """A deployment that would be out of policy, with the policies that say so."""

    deployment_id: UUID
    deployment: str
    version_id: UUID
    policy_ids: list[str]
    reason: str


class WhatIfOut(Schema):
    """What raising a label would do. Things that the caller may not see are counted only."""

    new: LabelOut
    rises: list[RiseOut]
    unseen_rises: int
    out_of_policy: list[WouldBreachOut]
    unseen_out_of_policy: int


@router.get("/datasets/{ns}/{name}/label", **acts("dataset:read"))
def explain_dataset_label(ns: str, name: str, caller: Governed) -> LabelExplainedOut:
    """A dataset's own label: who declared it, and who raised it since."""
    dataset = find_dataset(caller.session, ns, name)
    caller.require(dataset_resource(caller.session, dataset))
    parts = explain_dataset(caller.session, caller.rules.scheme, dataset)
    return _explained(caller, dataset.id, dataset.label_id, parts)


@router.post("/datasets/{ns}/{name}/label", **acts("dataset:label"))
def raise_dataset_label(ns: str, name: str, body: RelabelIn, caller: Governed) -> RelabelledOut:
    """Raise a dataset's label, and with it those of all that was made from it, at once.

    Deployments that the policies no longer allow are reported to their owners, and stopped after
    the grace time that `classification.yaml` gives them. Only a waiver lowers a label.
    """
    caller.decided_by_use_case()
    done = relabel_dataset(
        caller.session,
        find_dataset(caller.session, ns, name),
        _given(body.label),
        reason=body.reason,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return _relabelled(caller, done)


@router.get("/datasets/{ns}/{name}/versions/{number}/label", **acts("dataset:read"))
def explain_dataset_version_label(
    ns: str, name: str, number: int, caller: Governed
) -> LabelExplainedOut:
    """A dataset version's label, back through all that its rows came from."""
    version = find_dataset_version(caller.session, find_dataset(caller.session, ns, name), number)
    caller.require(dataset_version_resource(caller.session, version))
    return _back_from(caller, version.id, version.label_id, [Node("dataset-version", version.id)])


@router.post("/datasets/{ns}/{name}/versions/{number}/label", **acts("dataset:label"))
def raise_dataset_version_label(
    ns: str, name: str, number: int, body: RelabelIn, caller: Governed
) -> RelabelledOut:
    """The same for one version: neither its dataset nor the other versions rise."""
    caller.decided_by_use_case()
    dataset = find_dataset(caller.session, ns, name)
    done = relabel_dataset_version(
        caller.session,
        find_dataset_version(caller.session, dataset, number),
        _given(body.label),
        reason=body.reason,
        rules=caller.rules,
        actor=caller.actor,
        at=caller.at,
    )
    return _relabelled(caller, done)


@router.get("/models/{ns}/{name}/versions/{number}/label", **acts("version:read"))
def explain_version_label(ns: str, name: str, number: int, caller: Governed) -> LabelExplainedOut:
    """A model version's label, back through all that it learned from."""
    version = find_version(caller.session, find_model(caller.session, ns, name), number)
    caller.require(version_resource(caller.session, version))
    return _back_from(caller, version.id, version.label_id, [Node("model-version", version.id)])


@router.get("/runs/{run_id}/label", **acts("run:read"))
def explain_run_label(run_id: UUID, caller: Governed) -> LabelExplainedOut:
    """A run's label, back through all that it read; through what it wrote if it read nothing."""
    run = caller.session.get(Run, run_id)
    if run is None:
        raise Unseen
    label = load_label(caller.session, run.label_id)
    caller.require(Resource("Run", str(run.id), run.namespace, label))
    edges = list(caller.session.scalars(select(LineageEdge).where(LineageEdge.run_id == run.id)))
    ends = [Node(edge.node_type, edge.node_id) for edge in edges if edge.direction == "input"]
    ends = ends or [Node(edge.node_type, edge.node_id) for edge in edges]
    return _back_from(caller, run.id, run.label_id, ends)


@router.get("/deployments/{deployment_id}/label", **acts("deployment:read"))
def explain_deployment_label(deployment_id: UUID, caller: Governed) -> LabelExplainedOut:
    """A deployment's label, back through every version that it serves or has served."""
    deployment = governed_deployment(caller, deployment_id)
    served = versions_served(caller.session, [deployment])[deployment.id]
    ends = [Node("model-version", version) for version in sorted(served, reverse=True)]
    return _back_from(caller, deployment.id, deployment.label_id, ends)


@router.get("/lineage/what-if", **acts("lineage:read"))
def what_if_label_rose(
    caller: Governed,
    dataset: Annotated[str, Query(description="`NS/NAME`, or `NS/NAME@N` for one version.")],
    level: str | None = None,
    compartment: Annotated[list[str] | None, Query(description="All that it would have.")] = None,
    residency: Annotated[list[str] | None, Query(description="The zones left to it.")] = None,
    purpose: Annotated[list[str] | None, Query(description="The purposes left to it.")] = None,
) -> WhatIfOut:
    """What raising a dataset's label would raise, and break; nothing is changed.

    What is left out of the new label stays as it is. `POST …/label` does exactly this.
    """
    target = _target(caller, dataset)
    old = load_label(caller.session, target.label_id)
    new = replace(
        old,
        level=level or old.level,
        compartments=old.compartments if compartment is None else frozenset(compartment),
        residency=old.residency if residency is None else frozenset(residency),
        purposes=old.purposes if purpose is None else frozenset(purpose),
    )
    preview = preview_relabelling(caller.session, target, new, rules=caller.rules, at=caller.at)
    names = visible_names(caller, ((rise.type, rise.id) for rise in preview.rises))
    rises = [
        RiseOut(
            type=rise.type,
            id=rise.id,
            name=names[rise.id],
            old=_shown(rise.old),
            new=_shown(rise.new),
        )
        for rise in preview.rises
        if rise.id in names
    ]
    broken = [
        WouldBreachOut(
            deployment_id=one.deployment.id,
            deployment=names[one.deployment.id],
            version_id=one.version.id,
            policy_ids=list(one.policy_ids),
            reason=one.reason,
        )
        for one in preview.out_of_policy
        if one.deployment.id in names
    ]
    return WhatIfOut(
        new=_shown(caller.rules.scheme.check(new)),
        rises=rises,
        unseen_rises=len(preview.rises) - len(rises),
        out_of_policy=broken,
        unseen_out_of_policy=len(preview.out_of_policy) - len(broken),
    )


def _target(caller: Caller, text: str) -> Dataset | DatasetVersion:
    """The dataset or version that a query names, after the policy has let the caller read it."""
    path, _, number = text.partition("@")
    namespace, _, name = path.partition("/")
    if not (namespace and name) or (number and not number.isdigit()) or text.endswith("@"):
        raise Invalid("dataset must read NAMESPACE/NAME or NAMESPACE/NAME@VERSION")
    dataset = find_dataset(caller.session, namespace, name)
    if not number:
        caller.require(dataset_resource(caller.session, dataset))
        return dataset
    version = find_dataset_version(caller.session, dataset, int(number))
    caller.require(dataset_version_resource(caller.session, version))
    return version


def _back_from(
    caller: Caller, identifier: UUID, label_id: str, ends: Sequence[Node]
) -> LabelExplainedOut:
    label = load_label(caller.session, label_id)
    parts = explain_label(caller.session, caller.rules.scheme, label, ends)
    return _explained(caller, identifier, label_id, parts)


def _explained(
    caller: Caller, identifier: UUID, label_id: str, parts: Sequence[Explained]
) -> LabelExplainedOut:
    sources = [one.source for one in parts if one.source is not None]
    names = visible_names(
        caller,
        [
            *(("dataset", source.dataset_id) for source in sources),
            *((node.type, node.id) for one in parts for node in one.path),
        ],
    )
    said = {source.move_id for source in sources if source.move_id is not None}
    moves = caller.session.scalars(
        select(LabelMove)
        .where((LabelMove.node_id == identifier) | LabelMove.id.in_(said))
        .order_by(LabelMove.id)
    ).all()
    reasons = {move.id: move.reason for move in moves}
    label = load_label(caller.session, label_id)
    return LabelExplainedOut(
        label=_shown(label),
        sealed=label.is_sealed,
        parts=[_part(one, names, reasons) for one in parts],
        moves=[
            LabelMoveOut(
                old=_shown(load_label(caller.session, move.old_label_id)),
                new=_shown(load_label(caller.session, move.new_label_id)),
                reason=move.reason,
                cause_id=move.cause_id,
                by=move.actor_id,
                at=move.at,
            )
            for move in moves
            if move.node_id == identifier
        ],
    )


def _part(one: Explained, names: dict[UUID, str], reasons: dict[UUID, str]) -> LabelPartOut:
    source = one.source
    seen = source is not None and source.dataset_id in names
    if source is not None and source.version is not None:
        seen = seen and source.version.id in names
    path = [names[node.id] for node in one.path if node.id in names]
    return LabelPartOut(
        part=one.kind,
        names=list(one.names),
        source=LabelSourceOut(
            dataset=names[source.dataset_id],
            version=source.version.number if source.version else None,
            by=source.actor_id,
            at=source.at,
            reason=reasons.get(source.move_id) if source.move_id else None,
        )
        if source is not None and seen
        else None,
        path=path,
        unseen=len(one.path) - len(path) + (source is not None and not seen and not one.path),
    )


def _relabelled(caller: Caller, done: Relabelled) -> RelabelledOut:
    things = (("deployment", breach.deployment_id) for breach in done.breaches)
    names = visible_names(caller, things)
    seen = [breach for breach in done.breaches if breach.deployment_id in names]
    return RelabelledOut(
        old=_shown(done.old),
        new=_shown(done.new),
        cause_id=done.cause_id,
        moved=dict(done.moved),
        sealed=done.sealed,
        breaches=breaches_shown(caller, seen),
        unseen_breaches=len(done.breaches) - len(seen),
    )


def _given(label: LabelIn) -> Label:
    return Label.from_dict(label.model_dump())


def _shown(label: Label) -> LabelOut:
    return LabelOut.model_validate(label.to_dict())
