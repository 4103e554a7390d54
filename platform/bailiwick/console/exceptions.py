"""What approvals and waivers are about, and which waivers act, as pages show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.lifecycle.subjects import RETRAINING_POLICY, Known
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.policy import Label, Subject, Waiver, acting_waivers, load_label
from bailiwick.web import Caller


@dataclass(frozen=True, slots=True)
class Acting:
    """A waiver that acts for what a page shows; `label` is the lower one, if it is about that."""

    waiver: Waiver
    label: Label | None


def acting_for(caller: Caller, subject: Subject) -> list[Acting]:
    """The waivers that act for it now."""
    return [
        Acting(waiver, lower_label(caller.session, waiver))
        for waiver in acting_waivers(caller.session, [subject], at=caller.at)[subject.id]
    ]


def lower_label(session: Session, waiver: Waiver) -> Label | None:
    """What a declassification lets its subject count as."""
    lower = waiver.waived_label_id
    return load_label(session, lower) if lower is not None else None


def pages_of(session: Session, known: Iterable[Known]) -> dict[UUID, str]:
    """The page of each subject, by its id."""
    found = {one.subject.id: one for one in known}
    policies = [i for i, one in found.items() if one.subject.type == RETRAINING_POLICY]
    watched = select(RetrainingPolicy.id, RetrainingPolicy.deployment_id)
    deployments = dict(session.execute(watched.where(RetrainingPolicy.id.in_(policies))).all())
    return {i: _page(one, deployments.get(i)) for i, one in found.items()}


def _page(known: Known, deployment_id: UUID | None) -> str:
    name, _, number = known.name.partition("@")
    match known.subject.type:
        case "model-version":
            return f"/console/models/{name}/versions/{number}"
        case "dataset-version":
            return f"/console/datasets/{name}#v{number}"
        case "dataset":
            return f"/console/datasets/{name}"
        case "policy-bundle":
            return f"/console/policies/{known.subject.digest}"
        case "waiver":
            return f"/console/waivers/{known.subject.id}"
        case _:
            return f"/console/deployments/{deployment_id or known.subject.id}"


def excused(acting: Sequence[Acting]) -> dict[str, Waiver]:
    """The gates that are excused, with the waiver that does."""
    return {one.waiver.gate: one.waiver for one in acting if one.waiver.gate is not None}
