"""Labels that change afterwards: they rise, and in one transaction all that was made from it does.

What was made already keeps its bytes and gets the join of its inputs' labels of now. Where that
leaves no place or no purpose it is sealed: nothing may be done with it until a waiver opens it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Invalid
from bailiwick.db.session import lock_labels
from bailiwick.lifecycle.compliance import review_deployments
from bailiwick.lifecycle.judging import Judgement, judge_deployments
from bailiwick.lifecycle.label_followers import end_what_was_said, followers_of
from bailiwick.lifecycle.rises import Rise, batches, plan_rises, write_rises
from bailiwick.lineage import (
    Content,
    Dataset,
    DatasetVersion,
    add_dataset_version,
    dataset_resource,
    dataset_version_resource,
)
from bailiwick.policy import Actor, Label, Rules, Scheme, load_label, require
from bailiwick.registry import (
    ACTIVE,
    Breach,
    Deployment,
    ModelVersion,
    raise_deployment_label,
)

ACTION = "dataset:label"
CAUSE = "the label of something that its model learned from rose"
COPIED = "the same rows were brought in under a higher label"
MAX_REASON = 2_000


@dataclass(frozen=True, slots=True)
class Relabelled:
    """What one act moved: how many of each kind, how many of them were sealed, what it broke."""

    cause_id: UUID | None  # None: the label was that one already
    old: Label
    new: Label
    moved: Mapping[str, int]
    sealed: int
    breaches: tuple[Breach, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a relabelling would move, and the deployments that would be out of policy."""

    rises: tuple[Rise, ...]
    out_of_policy: tuple[Judgement, ...]


def relabel_dataset(
    session: Session,
    dataset: Dataset,
    label: Label,
    *,
    reason: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Relabelled:
    """Raise a dataset's label, and those of all that was made from any of its versions.

    Deployments are held to the policies at once, and their owners told. The same label again
    changes nothing. Raises `Invalid` for a label that does not dominate the present one.
    """
    lock_labels(session)
    session.refresh(dataset, with_for_update=True)
    resource = dataset_resource(session, dataset)
    require(session, rules, actor=actor, action=ACTION, resource=resource, at=at)
    return _relabel(session, dataset, label, reason=reason, rules=rules, actor=actor, at=at)


def relabel_dataset_version(
    session: Session,
    version: DatasetVersion,
    label: Label,
    *,
    reason: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Relabelled:
    """The same for one version: neither the dataset nor its other versions rise."""
    lock_labels(session)
    session.refresh(version)
    resource = dataset_version_resource(session, version)
    require(session, rules, actor=actor, action=ACTION, resource=resource, at=at)
    return _relabel(session, version, label, reason=reason, rules=rules, actor=actor, at=at)


def preview_relabelling(
    session: Session,
    target: Dataset | DatasetVersion,
    label: Label,
    *,
    rules: Rules,
    at: datetime,
) -> Preview:
    """What relabelling would do, without doing it: the same plan, put to the same policies."""
    new = _risen(session, rules.scheme, target, label)
    if new == load_label(session, target.label_id):
        return Preview((), ())
    rises = plan_rises(session, rules.scheme, target, new)
    risen = {rise.id: rise.new for rise in rises}
    running = [one for one in _deployments(session, rises) if one.state == ACTIVE]
    judged = judge_deployments(session, running, rules=rules, at=at, risen=risen)
    return Preview(tuple(rises), tuple(one for one in judged if not one.allowed))


def bring_in(
    session: Session,
    dataset: Dataset,
    content: Content,
    *,
    started_at: datetime,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> DatasetVersion:
    """Register rows that came from outside. What holds the same rows has one label from now on.

    The version takes the labels of those that are known; where its own is higher, they rise to
    it, and with them all that was made from them.
    """
    lock_labels(session)  # two copies may arrive at once
    version = add_dataset_version(
        session,
        dataset,
        content,
        scheme=rules.scheme,
        kind="ingest",
        inputs=[],
        started_at=started_at,
        actor_id=UUID(actor.id),
        at=at,
    )
    own = load_label(session, version.label_id)
    rises = [rise for rise in plan_rises(session, rules.scheme, version, own) if rise.old != own]
    if rises:
        _carry_out_and_review(session, rises, reason=COPIED, rules=rules, actor=actor, at=at)
    return version


def raise_served(
    session: Session,
    deployment: Deployment,
    version: ModelVersion,
    *,
    rules: Rules,
    actor_id: UUID,
    at: datetime,
) -> None:
    """A deployment that serves the version takes its label, and so does what is about it."""
    old = load_label(session, deployment.label_id)
    raise_deployment_label(session, deployment, version, rules=rules)
    new = load_label(session, deployment.label_id)
    if new != old:
        session.flush()
        rise = Rise("deployment", deployment.id, old, new)
        reason = f"it serves version {version.number}"
        _carry_out(session, [rise], reason=reason, rules=rules, actor_id=actor_id, at=at)


def _relabel(
    session: Session,
    target: Dataset | DatasetVersion,
    label: Label,
    *,
    reason: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Relabelled:
    if not reason.strip() or len(reason) > MAX_REASON:
        raise Invalid(f"say why the label rises, in at most {MAX_REASON} characters")
    old = load_label(session, target.label_id)
    new = _risen(session, rules.scheme, target, label)
    if new == old:
        return Relabelled(None, old, new, {}, 0, ())
    rises = plan_rises(session, rules.scheme, target, new)
    rises, cause_id, breaches = _carry_out_and_review(
        session, rises, reason=reason.strip(), rules=rules, actor=actor, at=at
    )
    moved = Counter(rise.type for rise in rises)
    sealed = sum(rise.new.is_sealed and not rise.old.is_sealed for rise in rises)
    return Relabelled(cause_id, old, new, moved, sealed, tuple(breaches))


def _carry_out_and_review(
    session: Session,
    rises: Sequence[Rise],
    *,
    reason: str,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> tuple[list[Rise], UUID, list[Breach]]:
    """Write the rises, and hold the deployments among them to the policies."""
    everything, cause_id = _carry_out(
        session, rises, reason=reason, rules=rules, actor_id=UUID(actor.id), at=at
    )
    breaches = review_deployments(
        session,
        rules=rules,
        deployments=_deployments(session, everything),
        cause=CAUSE,
        actor=actor,
        at=at,
    )
    return everything, cause_id, breaches


def _carry_out(
    session: Session,
    rises: Sequence[Rise],
    *,
    reason: str,
    rules: Rules,
    actor_id: UUID,
    at: datetime,
) -> tuple[list[Rise], UUID]:
    """Write the rises and those of what is about them; all of them, and their cause."""
    everything = [*rises, *followers_of(session, rules.scheme, rises)]
    cause_id = write_rises(session, everything, reason=reason, actor_id=actor_id, at=at)
    end_what_was_said(session, everything, actor_id=actor_id, at=at)
    return everything, cause_id


def _risen(
    session: Session, scheme: Scheme, target: Dataset | DatasetVersion, label: Label
) -> Label:
    """The label in normal form, if it dominates the target's."""
    new, old = scheme.check(label), load_label(session, target.label_id)
    if not scheme.dominates(new, old):
        raise Invalid(
            "a label only rises: the new one needs at least the old one's level and all of its "
            "compartments, and no zone or purpose that the old one lacks. To let this count as "
            "less for a time, ask for a waiver (POST /api/v1/waivers), which another person "
            "approves."
        )
    return new


def _deployments(session: Session, rises: Sequence[Rise]) -> list[Deployment]:
    return [
        one
        for batch in batches(rise.id for rise in rises if rise.type == "deployment")
        for one in session.scalars(select(Deployment).where(Deployment.id.in_(batch)))
    ]
