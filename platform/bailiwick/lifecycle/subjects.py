"""What approvals and waivers are about, as it stands now: a few queries however many they are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy import ScalarResult, select
from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE
from bailiwick.lifecycle.retraining_policies import policy_subject_on
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lineage import (
    Dataset,
    DatasetVersion,
    dataset_resource,
    dataset_subject,
    dataset_version_resource,
    dataset_version_subject,
)
from bailiwick.policy import (
    ApprovalRequest,
    LabelMove,
    PolicyBundle,
    Resource,
    Subject,
    Waiver,
    why_void,
)
from bailiwick.policy.waivers import WAIVER, waiver_subject
from bailiwick.registry import (
    Deployment,
    ModelVersion,
    deployment_resource,
    deployment_subject,
    version_resource,
    version_subject,
)

Thing = ModelVersion | Dataset | DatasetVersion | Deployment
TABLES: Mapping[str, type[Thing]] = {
    "model-version": ModelVersion,
    "dataset": Dataset,
    "dataset-version": DatasetVersion,
    "deployment": Deployment,
}
RETRAINING_POLICY = "retraining-policy"
POLICY_BUNDLE = "policy-bundle"
LABEL_ROSE = "its label has risen since it was asked about: ask again under the label of now"


@dataclass(frozen=True, slots=True)
class Known:
    """A subject as it stands now, with the name that people know it by."""

    subject: Subject
    name: str


def named(thing: Thing) -> Known:
    """What a waiver can be about: `finance/coder@3`, `finance/purchases`, `finance/cards`."""
    match thing:
        case ModelVersion(model=owner, number=number):
            return Known(version_subject(thing), f"{owner.namespace}/{owner.name}@{number}")
        case DatasetVersion(dataset=owner, number=number):
            name = f"{owner.namespace}/{owner.name}@{number}"
            return Known(dataset_version_subject(thing), name)
        case Dataset():
            return Known(dataset_subject(thing), f"{thing.namespace}/{thing.name}")
        case Deployment():
            return Known(deployment_subject(thing), f"{thing.namespace}/{thing.name}")


def find_thing(session: Session, kind: str, identifier: UUID) -> Thing | None:
    """What that is, if it is there and a waiver can be about it."""
    table = TABLES.get(kind)
    return cast("Thing | None", session.get(table, identifier)) if table else None


def resource_of(session: Session, thing: Thing) -> Resource:
    """The same as the policy sees it."""
    match thing:
        case ModelVersion():
            return version_resource(session, thing)
        case DatasetVersion():
            return dataset_version_resource(session, thing)
        case Dataset():
            return dataset_resource(session, thing)
        case Deployment():
            return deployment_resource(session, thing)


def known_subjects(session: Session, wanted: Iterable[tuple[str, UUID]]) -> dict[UUID, Known]:
    """The subjects of these (type, id) pairs, by id; what cannot be looked up is left out."""
    by_type: dict[str, set[UUID]] = {}
    for kind, identifier in wanted:
        by_type.setdefault(kind, set()).add(identifier)
    found = [known for kind, ids in by_type.items() for known in _load(session, kind, ids)]
    return {known.subject.id: known for known in found}


def void_reasons(
    session: Session, requests: Sequence[ApprovalRequest], known: Mapping[UUID, Known]
) -> dict[UUID, str]:
    """Why requests count for nothing, by request id; `known`: their subjects as they stand."""
    rose = select(LabelMove.node_id).where(
        LabelMove.node_type == "approval", LabelMove.node_id.in_([one.id for one in requests])
    )
    reasons = dict.fromkeys(session.scalars(rose), LABEL_ROSE)
    for request in requests:
        found = known.get(request.subject_id)
        reason = why_void(request, found.subject if found else None)
        if reason is not None:
            reasons[request.id] = reason
    return reasons


def _load(session: Session, kind: str, ids: Iterable[UUID]) -> Iterator[Known]:
    if kind in TABLES:
        table = TABLES[kind]
        things: ScalarResult[Thing] = session.scalars(select(table).where(table.id.in_(ids)))
        yield from map(named, things)
    elif kind == RETRAINING_POLICY:
        policies = select(RetrainingPolicy, Deployment).join(
            Deployment, Deployment.id == RetrainingPolicy.deployment_id
        )
        for policy, deployment in session.execute(policies.where(RetrainingPolicy.id.in_(ids))):
            name = f"retraining of {deployment.namespace}/{deployment.name}"
            yield Known(policy_subject_on(policy, deployment), name)
    elif kind == POLICY_BUNDLE:
        # Under the label that was asked about: what a bundle says does not change.
        asked = (
            select(PolicyBundle, ApprovalRequest.label_id)
            .join(ApprovalRequest, ApprovalRequest.subject_id == PolicyBundle.id)
            .where(PolicyBundle.id.in_(ids))
            .order_by(ApprovalRequest.id)
        )
        for bundle, label_id in session.execute(asked):
            subject = Subject(kind, bundle.id, bundle.digest, EVERY_NAMESPACE, label_id)
            yield Known(subject, f"policies {bundle.digest[:12]}")
    elif kind == WAIVER:
        yield from _waivers(session, ids)


def _waivers(session: Session, ids: Iterable[UUID]) -> Iterator[Known]:
    found = session.scalars(select(Waiver).where(Waiver.id.in_(ids))).all()
    about = known_subjects(session, ((one.subject_type, one.subject_id) for one in found))
    for waiver in found:
        known = about.get(waiver.subject_id)
        if known is not None:
            what = f"gate {waiver.gate}" if waiver.gate else "label"
            yield Known(waiver_subject(waiver, known.subject), f"{what} of {known.name}")
