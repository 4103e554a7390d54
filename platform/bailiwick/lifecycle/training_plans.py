"""What a training job will do, decided before anything runs: inputs, base, rows, policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.db.session import hold_labels
from bailiwick.lifecycle.evaluation_settings import NOTHING_DECLARED, JudgedBy, judged_by
from bailiwick.lifecycle.jobs import JobKind, enqueue
from bailiwick.lifecycle.sampling import Sampling
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.tables import Job
from bailiwick.lineage import DatasetVersion, Node, dataset_version_resource
from bailiwick.lineage.batches import Quarantine, quarantine_of
from bailiwick.lineage.derived import why_quarantined
from bailiwick.lineage.taxonomies import NO_RENAMES, Renames, taxonomy_of
from bailiwick.policy import Actor, Label, Rules, join_stored, load_label, require
from bailiwick.registry import (
    CHAMPION,
    ModelVersion,
    RegisteredModel,
    model_resource,
    pointed_at,
    version_resource,
)
from bailiwick.training import AnyRecipe, any_recipe_of

DEFAULT_SELECTION = Selection(holdout_ratio=0.15, max_rows=12_000)


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What somebody, or a retraining policy, wants trained. Travels as a job's payload."""

    model_id: UUID
    dataset_version_ids: tuple[UUID, ...]
    recipe: AnyRecipe
    selection: Selection
    purpose: str
    risk_tier: str
    seed: int
    from_champion: bool
    retraining_policy_id: UUID | None = None
    taxonomy: int = 0  # that labels are named by: that of the dataset when it is carried out
    quarantine: int = 0  # the dataset's when it is carried out, likewise

    def to_payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "model_id": str(self.model_id),
            "dataset_version_ids": [str(identifier) for identifier in self.dataset_version_ids],
            "recipe": self.recipe.to_dict(),
            "holdout_ratio": self.selection.holdout_ratio,
            "max_rows": self.selection.max_rows,
            "window_days": self.selection.window_days,
            "sampling": self.selection.sampling.to_dict(),
            "purpose": self.purpose,
            "risk_tier": self.risk_tier,
            "seed": self.seed,
            "from_champion": self.from_champion,
            "taxonomy": self.taxonomy,
            "quarantine": self.quarantine,
            "retraining_policy_id": (
                str(self.retraining_policy_id) if self.retraining_policy_id else None
            ),
        }

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> "TrainingOrder":
        """The inverse of `to_payload`."""
        policy_id = payload["retraining_policy_id"]
        return cls(
            model_id=UUID(payload["model_id"]),
            dataset_version_ids=tuple(map(UUID, payload["dataset_version_ids"])),
            recipe=any_recipe_of(payload["recipe"]),
            selection=Selection(
                holdout_ratio=payload["holdout_ratio"],
                max_rows=payload["max_rows"],
                window_days=payload["window_days"],
                sampling=Sampling.from_dict(payload.get("sampling", {})),
            ),
            purpose=payload["purpose"],
            risk_tier=payload["risk_tier"],
            seed=payload["seed"],
            from_champion=payload["from_champion"],
            retraining_policy_id=UUID(policy_id) if policy_id else None,
            taxonomy=payload.get("taxonomy", 0),
            quarantine=payload.get("quarantine", 0),
        )


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """An order whose inputs exist and may be learned from."""

    order: TrainingOrder
    data: tuple[DatasetVersion, ...]
    champion: ModelVersion | None
    text_columns: tuple[str, ...]
    label_id: str
    renames: Renames = NO_RENAMES
    quarantines: Mapping[UUID, Quarantine] = field(default_factory=dict)  # by dataset
    judged: JudgedBy = NOTHING_DECLARED  # as it was said when the plan was made

    @property
    def base(self) -> ModelVersion | None:
        """The version to start from."""
        return self.champion if self.order.from_champion else None

    @property
    def inputs(self) -> list[Node]:
        """Everything that the resulting version learns from."""
        nodes = [Node("dataset-version", version.id) for version in self.data]
        return nodes + ([Node("model-version", self.base.id)] if self.base else [])


def plan_training(
    session: Session, order: TrainingOrder, *, rules: Rules, actor: Actor, at: datetime
) -> TrainingPlan:
    """Check an order: inputs exist, fit together, and the policy lets the actor learn from them.

    Raises `IncompatibleLabels` naming two inputs whose residency or purposes exclude each
    other, `DeniedByPolicy`, `Invalid` or `NotFound`.
    """
    hold_labels(session)
    model = session.get(RegisteredModel, order.model_id)
    data = [session.get(DatasetVersion, identifier) for identifier in order.dataset_version_ids]
    found = tuple(version for version in data if version is not None)
    if model is None or not found or len(found) != len(data):
        raise NotFound("the model or one of the dataset versions does not exist")
    champion = pointed_at(session, model.id, CHAMPION)
    order = replace(order, from_champion=order.from_champion and champion is not None)
    judged = judged_by(session, model.id)
    plan = TrainingPlan(order, found, champion, text_columns=(), label_id="", judged=judged)
    plan = _labelled(session, plan, model, rules=rules, actor=actor, at=at)
    plan = _without_quarantined(session, plan)
    taxonomy = taxonomy_of(session, found[0].dataset_id)
    if taxonomy is not None:
        named = replace(plan.order, taxonomy=taxonomy.number)
        plan = replace(plan, order=named, renames=Renames(taxonomy.renames))
    return replace(plan, text_columns=_text_columns(order, found, champion))


def _without_quarantined(session: Session, plan: TrainingPlan) -> TrainingPlan:
    """The plan with what is left out of it; `Invalid` if it names a quarantined version.

    `Conflict` where a retraining gathered it: what it was made from was quarantined since, and
    the next attempt gathers without.
    """
    quarantines = _quarantines(session, plan.data)
    quarantined = why_quarantined(session, plan.data)
    for version in plan.data:
        if (why := quarantined.get(version.id)) is not None:
            said = f"{_name(version)} is quarantined ({why})"
            if plan.order.retraining_policy_id is not None:
                raise Conflict(f"{said} since it was gathered")
            raise Invalid(f"{said}; leave it out, or have the quarantine lifted")
    order = replace(plan.order, quarantine=quarantines[plan.data[0].dataset_id].number)
    return replace(plan, order=order, quarantines=quarantines)


def _quarantines(session: Session, data: Sequence[DatasetVersion]) -> dict[UUID, Quarantine]:
    """What is quarantined of each of the datasets."""
    return {one: quarantine_of(session, one) for one in {version.dataset_id for version in data}}


def plan_again(
    session: Session, plan: TrainingPlan, *, rules: Rules, actor: Actor, at: datetime
) -> TrainingPlan:
    """The same plan with the labels that hold now: training takes hours, and labels rise.

    Everything is asked again. Until the transaction ends no label moves: one that rises at the
    same moment finds the new version.
    """
    hold_labels(session)
    ids = [version.id for version in plan.data]
    champion = plan.champion and session.get_one(
        ModelVersion, plan.champion.id, populate_existing=True
    )
    data = tuple(session.get_one(DatasetVersion, one, populate_existing=True) for one in ids)
    model = session.get_one(RegisteredModel, plan.order.model_id, populate_existing=True)
    if _quarantines(session, data) != plan.quarantines or why_quarantined(session, data):
        raise Conflict("batches of the dataset were quarantined while the model learned from it")
    again = replace(plan, data=data, champion=champion)
    return _labelled(session, again, model, rules=rules, actor=actor, at=at)


def _labelled(
    session: Session,
    plan: TrainingPlan,
    model: RegisteredModel,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> TrainingPlan:
    """The plan with its label, if the actor may learn from all of its inputs for its purpose."""
    for version in plan.data:
        require(
            session,
            rules,
            actor=actor,
            action="dataset:read-rows",
            resource=dataset_version_resource(session, version),
            context={"now": at},
            at=at,
        )
    named = [(_name(version), version.label_id) for version in plan.data]
    if plan.base is not None:
        require(
            session,
            rules,
            actor=actor,
            action="version:read-artifact",
            resource=version_resource(session, plan.base),
            at=at,
        )
        named.append((f"{model.namespace}/{model.name} v{plan.base.number}", plan.base.label_id))
    label_id, label = join_stored(session, rules.scheme, named)
    _require_training(session, model, label, plan.order, rules=rules, actor=actor, at=at)
    return replace(plan, label_id=label_id)


def order_training(
    session: Session,
    order: TrainingOrder,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
    key: str | None = None,
    limits: Mapping[str, int] | None = None,
) -> Job:
    """Queue a training job; it is checked now, so that a wrong order fails where it is given."""
    plan = plan_training(session, order, rules=rules, actor=actor, at=at)
    model = session.get_one(RegisteredModel, order.model_id)
    return enqueue(
        session,
        JobKind.TRAIN,
        namespace=model.namespace,
        label_id=plan.label_id,
        subject_id=model.id,
        acts_as=UUID(actor.id),
        payload=plan.order.to_payload(),
        actor_id=UUID(actor.id),
        at=at,
        dedupe_key=digest_of([actor.id, key]) if key else None,
        limits=limits,
    )


def _require_training(
    session: Session,
    model: RegisteredModel,
    label: Label,
    order: TrainingOrder,
    *,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> None:
    target = load_label(session, model.label_id)
    require(
        session,
        rules,
        actor=actor,
        action="training:start",
        resource=model_resource(session, model),
        context={
            "purpose": order.purpose,
            "input_label": label,
            "target_level": target.level,
            "target_compartments": sorted(target.compartments),
        },
        at=at,
    )


def _text_columns(
    order: TrainingOrder, data: tuple[DatasetVersion, ...], champion: ModelVersion | None
) -> tuple[str, ...]:
    """The columns that callers of the model send: the champion's, if there is one to succeed."""
    if order.retraining_policy_id is not None and champion is not None:
        return tuple(champion.text_columns)
    if len({tuple(version.text_columns) for version in data}) > 1:
        raise Invalid(
            "the dataset versions have different text columns: "
            + "; ".join(f"{_name(v)}: {', '.join(v.text_columns)}" for v in data)
        )
    return tuple(data[0].text_columns)


def _name(version: DatasetVersion) -> str:
    return f"{version.dataset.namespace}/{version.dataset.name} v{version.number}"
