"""Waivers as the lifecycle knows them: what they are about, and what follows when one moves."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Conflict, Invalid
from bailiwick.db.session import hold_labels
from bailiwick.lifecycle.compliance import review_deployments
from bailiwick.lifecycle.gates import WAIVABLE_GATES, Tier, tier_named
from bailiwick.lifecycle.subjects import Known, Thing, known_subjects, named, resource_of
from bailiwick.lifecycle.tables import Evaluation
from bailiwick.policy import (
    Actor,
    ApprovalRequest,
    Rules,
    Waiver,
    acting_waivers,
    decide_approval,
    load_actor,
    load_label,
)
from bailiwick.policy import waivers as exceptions
from bailiwick.policy.waived import ACTIVE, DECLASSIFICATION, GATE
from bailiwick.policy.waivers import WAIVER, Terms, standing_of
from bailiwick.registry import Deployment, ModelVersion, RegisteredModel, version_subject


def request_waiver(
    session: Session,
    thing: Thing,
    terms: Terms,
    *,
    rules: Rules,
    tiers: Mapping[str, Tier],
    actor: Actor,
    at: datetime,
) -> Waiver:
    """Ask other people for an exception for this very thing.

    A lower label needs the approvals that `classification.yaml` names for the thing's level; a
    gate, which the version must have failed, those of the version's risk tier, at least one.
    """
    hold_labels(session)
    session.refresh(thing, ["label_id"])
    subject = named(thing).subject
    if terms.gate is None:
        level = load_label(session, subject.label_id).level
        required = rules.scheme.approvals_to_waive(level)
    else:
        required = _approvals_for_gate(session, thing, terms.gate, tiers)
    return exceptions.request_waiver(
        session,
        subject,
        terms,
        resource=resource_of(session, thing),
        required=required,
        rules=rules,
        actor=actor,
        at=at,
    )


def end_waiver(
    session: Session, waiver: Waiver, *, reason: str, rules: Rules, actor: Actor, at: datetime
) -> Waiver:
    """End an active waiver early, and look at once what is out of policy without it."""
    _take_turns(session, [waiver])
    exceptions.end_waiver(session, waiver, reason=reason, rules=rules, actor=actor, at=at)
    _review(session, waiver, "was ended", rules=rules, actor=actor, at=at)
    return waiver


def end_expired_waivers(session: Session, *, rules: Rules, at: datetime) -> int:
    """Note the waivers whose time is over, and review what ran by them; how many there were.

    They have not acted since their end, noted or not. Each review happens in the name of whoever
    asked for the waiver.
    """
    due = exceptions.expired(session, at=at)
    if not due:
        return 0
    _take_turns(session, due)
    over = exceptions.end_expired(session, at=at)
    for waiver in over:
        actor = load_actor(session, waiver.requested_by)
        _review(session, waiver, "ran out", rules=rules, actor=actor, at=at)
    return len(over)


def decide(
    session: Session,
    request: ApprovalRequest,
    *,
    rules: Rules,
    approve: bool,
    comment: str,
    actor: Actor,
    at: datetime,
    voice_id: UUID | None = None,
) -> ApprovalRequest:
    """Answer a request, as `policy.decide_approval` does, about its subject as it stands now.

    A waiver that begins to act may bring deployments back into policy, which is looked at here.
    """
    waivers = (
        [session.get_one(Waiver, request.subject_id)] if request.subject_type == WAIVER else []
    )
    _take_turns(session, waivers)
    wanted = [(request.subject_type, request.subject_id)]
    known = known_subjects(session, wanted).get(request.subject_id)
    decide_approval(
        session,
        request,
        rules=rules,
        approve=approve,
        comment=comment,
        actor=actor,
        at=at,
        voice_id=voice_id,
        subject=known.subject if known else None,
    )
    for waiver in waivers:
        if waiver.state == ACTIVE:
            _review(session, waiver, "began", rules=rules, actor=actor, at=at)
    return request


def excused_gates(session: Session, version: ModelVersion, *, at: datetime) -> dict[str, Waiver]:
    """The gates that this exact version need not pass now, each with the waiver that says so."""
    acting = acting_waivers(session, [version_subject(version)], at=at)[version.id]
    return {waiver.gate: waiver for waiver in acting if waiver.gate is not None}


def gates_passed(evaluation: Evaluation | None, excused: Iterable[str]) -> bool:
    """Whether every gate was passed or is excused. What was not evaluated has passed none."""
    if evaluation is None:
        return False
    failed = {rejection["gate"] for rejection in evaluation.rejections}
    return evaluation.passed or (bool(failed) and failed <= set(excused) & WAIVABLE_GATES)


def why_void(waiver: Waiver, about: Known | None, *, at: datetime) -> str | None:
    """Why an active waiver does not act on what it is `about`; None if it does, or has ended."""
    if standing_of(waiver, at) != ACTIVE or about is None:
        return None
    subject = about.subject
    if subject.digest != waiver.subject_digest:
        return "what it is about has changed since it was approved"
    if subject.label_id != waiver.label_id:
        return "the label of what it is about has changed since it was approved"
    return None


def _approvals_for_gate(
    session: Session, thing: Thing, gate: str, tiers: Mapping[str, Tier]
) -> int:
    if not isinstance(thing, ModelVersion):
        raise Invalid("gates are for model versions; name the version that failed this one")
    if gate not in WAIVABLE_GATES:
        raise Invalid(
            f"there is no gate {gate!r} that can be waived; there are "
            f"{', '.join(sorted(WAIVABLE_GATES))}"
        )
    evaluation = session.scalar(select(Evaluation).where(Evaluation.version_id == thing.id))
    if evaluation is None:
        raise Conflict("the gates have not seen this version, so there is nothing to waive yet")
    if gate not in {rejection["gate"] for rejection in evaluation.rejections}:
        raise Conflict(f"this version passed the gate {gate}; there is nothing to waive")
    return max(tier_named(tiers, evaluation.risk_tier).approvals, 1)


def _take_turns(session: Session, waivers: Collection[Waiver]) -> None:
    """Hold labels, then lock the models concerned, then waivers: as whoever deploys one does."""
    hold_labels(session)
    about = [waiver.subject_id for waiver in waivers if waiver.kind == DECLASSIFICATION]
    if not about:
        return
    versions = select(ModelVersion.model_id).where(ModelVersion.id.in_(about))
    running = select(Deployment.model_id).where(Deployment.id.in_(about))
    session.execute(
        select(RegisteredModel.id)
        .where(RegisteredModel.id.in_(versions.union(running)))
        .order_by(RegisteredModel.id)
        .with_for_update()
    )


def _review(
    session: Session, waiver: Waiver, happened: str, *, rules: Rules, actor: Actor, at: datetime
) -> None:
    """Ask the policy again about the deployments that the waiver's subject runs in."""
    if waiver.kind == GATE:
        return
    concerned = select(Deployment)
    if waiver.subject_type == "deployment":
        concerned = concerned.where(Deployment.id == waiver.subject_id)
    elif waiver.subject_type == "model-version":
        model = select(ModelVersion.model_id).where(ModelVersion.id == waiver.subject_id)
        concerned = concerned.where(Deployment.model_id.in_(model))
    else:
        return
    review_deployments(
        session,
        rules=rules,
        deployments=session.scalars(concerned).all(),
        cause=f"waiver {waiver.id} {happened}",
        actor=actor,
        at=at,
    )
