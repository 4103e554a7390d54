"""Carrying out a training job: a process of its own trains, one transaction registers.

Nothing is half-registered: until the last transaction there are only files in the job's work
folder and unreferenced blobs.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.blobs import file_digest
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.children import run_child
from bailiwick.lifecycle.gates import Evidence, Paired, reasons_to_reject, tier_named
from bailiwick.lifecycle.jobs import Lease, held_job, succeed
from bailiwick.lifecycle.measuring import Figures, ToMeasure, figures_of, to_measure
from bailiwick.lifecycle.placing import placed
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.promotion import lesser_tier, mark_challenger, promote
from bailiwick.lifecycle.retraining_policies import is_approved, is_carried_out
from bailiwick.lifecycle.rises import raise_job
from bailiwick.lifecycle.selection import (
    frame_of,
    renamed,
    split,
    without_quarantined,
    write_frame,
)
from bailiwick.lifecycle.tables import Evaluation, Job, RetrainingPolicy
from bailiwick.lifecycle.training_plans import (
    TrainingOrder,
    TrainingPlan,
    plan_again,
    plan_training,
)
from bailiwick.lineage import Node, record_run
from bailiwick.monitoring import add_baseline
from bailiwick.policy import Actor, load_actor, load_label, require
from bailiwick.registry import (
    Artifact,
    Deployment,
    ModelVersion,
    RegisteredModel,
    materialise,
    register_version,
    version_resource,
)

Beat = Callable[[dict[str, Any] | None], None]
SAID: Final = {
    "rejected": "was rejected",
    "passed": "passed its gates",
    "rolling-out": "is being rolled out",
    "promoted": "was promoted",
}  # of verdicts


def carry_out_training(
    platform: Platform, lease: Lease, order: TrainingOrder, folder: Path, beat: Beat
) -> None:
    """Train, evaluate, register, judge; for a retraining policy also promote or reject."""
    started_at = platform.clock.now()
    with platform.database.transaction() as session:
        held_job(session, lease)
        actor, rules = load_actor(session, lease.acts_as), platform.in_force(session).rules
        plan = plan_training(session, order, rules=rules, actor=actor, at=started_at)
        _require_promotable(session, platform, plan)
        asked = _to_measure(session, platform.in_force(session), plan, actor=actor, at=started_at)
    spec = _spec(platform, plan, asked, folder)
    outcome = run_child(
        *placed(platform, lease, "bailiwick.training.run", spec, label_ids=_labels(plan, asked)),
        folder,
        threads=platform.settings.threads,
        beat=beat,
        beat_seconds=platform.beat_seconds,
    )
    for file in outcome["files"]:
        platform.blobs.put_file(folder / "artifact" / file["path"])
    reference = platform.blobs.put_file(folder / "reference.parquet")
    with platform.database.transaction() as session:
        held_job(session, lease)
        finish_training(
            session,
            platform,
            lease,
            plan,
            outcome,
            reference_blob=reference,
            started_at=started_at,
            at=platform.clock.now(),
        )


def _require_promotable(session: Session, platform: Platform, plan: TrainingPlan) -> None:
    """A policy's risk tier must do for its model, or its trainings would all be in vain."""
    if plan.order.retraining_policy_id is not None:
        tier = tier_named(platform.tiers, plan.order.risk_tier)
        if problem := lesser_tier(session, tier, plan.champion, platform.tiers):
            raise Invalid(problem)


def _to_measure(
    session: Session, platform: Platform, plan: TrainingPlan, *, actor: Actor, at: datetime
) -> ToMeasure:
    tier = tier_named(platform.tiers, plan.order.risk_tier)
    return to_measure(session, plan, tier=tier, rules=platform.rules, actor=actor, at=at)


def _spec(platform: Platform, plan: TrainingPlan, asked: ToMeasure, folder: Path) -> dict[str, Any]:
    """Write the job's input files; the description that the training process reads."""
    frames = [
        without_quarantined(
            renamed(
                frame_of(
                    platform.blobs.verified_path(version.rows_blob),
                    version.text_columns,
                    version.label_column,
                    plan.judged.marks,
                ),
                plan.renames,
            ),
            plan.quarantines[version.dataset_id],
        )
        for version in plan.data
    ]
    spec: dict[str, Any] = {
        "recipe": plan.order.recipe.to_dict(),
        "seed": plan.order.seed,
        "threads": platform.settings.threads,
        "base": None,
        "compare_with": None,
        "renames": dict(plan.renames.names),
        "measures": asked.spec(platform.blobs, folder),
    }
    parts = split(frames, plan.order.selection, seed=plan.order.seed)
    files = {"train": parts.train, "holdout": parts.holdout, "older": parts.older}
    for name, frame in files.items():
        path = folder / f"{name}.parquet"
        write_frame(frame, path)
        spec[name] = {"path": str(path), "sha256": file_digest(path)}
    spec["hard_rows"] = parts.hard_rows
    if plan.champion is not None:
        artifact = {
            "path": str(materialise(plan.champion, platform.blobs, platform.artifact_folder))
        }
        spec["compare_with"] = artifact
        spec["base"] = artifact if plan.base is not None else None
        spec["reference_accuracy"] = plan.champion.metrics.get("accuracy")
    return spec


def _labels(plan: TrainingPlan, asked: ToMeasure) -> list[str]:
    """Of all that its process gets: what is learned from, and what it is compared with."""
    compared = [one.label_id for one in (plan.champion, asked.golden) if one is not None]
    return [plan.label_id, *compared]


def finish_training(
    session: Session,
    platform: Platform,
    lease: Lease,
    plan: TrainingPlan,
    outcome: dict[str, Any],
    *,
    reference_blob: str,
    started_at: datetime,
    at: datetime,
) -> ModelVersion:
    """In one transaction: run, version, evaluation, baseline, and what follows from the gates."""
    platform = platform.in_force(session)  # the rules may have changed while it trained
    actor = load_actor(session, lease.acts_as)
    plan = plan_again(session, plan, rules=platform.rules, actor=actor, at=at)
    learned, job = load_label(session, plan.label_id), session.get_one(Job, lease.job_id)
    raise_job(session, platform.rules.scheme, job, [learned], actor_id=lease.acts_as, at=at)
    version = _register(session, platform, lease, plan, outcome, actor, started_at, at)
    now = _to_measure(session, platform, plan, actor=actor, at=at)
    measured = figures_of(outcome["measured"], plan.judged, now)
    evaluation = _evaluate(session, platform, plan, version, outcome, measured, at=at)
    add_baseline(
        session,
        version.id,
        rows_blob=reference_blob,
        rows=outcome["holdout"]["rows"],
        accuracy=outcome["holdout"]["accuracy"],
        actor_id=lease.acts_as,
        at=at,
    )
    mark_challenger(session, version, reason="trained", actor=actor, at=at)
    verdict = _follow(session, platform, plan, version, evaluation, actor=actor, at=at)
    succeed(
        session,
        lease,
        {
            "version_id": str(version.id),
            "version": version.number,
            "verdict": verdict,
            "reasons": evaluation.reasons,
            "accuracy": outcome["holdout"]["accuracy"],
            "champion_accuracy": (outcome["champion"] or {}).get("accuracy"),
            "seconds": outcome["seconds"],
            "summary": f"version {version.number} {SAID[verdict]}",
        },
        at=at,
    )
    return version


def _register(
    session: Session,
    platform: Platform,
    lease: Lease,
    plan: TrainingPlan,
    outcome: dict[str, Any],
    actor: Actor,
    started_at: datetime,
    at: datetime,
) -> ModelVersion:
    # Locked: of two trainings that end at the same moment, each gets a number of its own.
    model = session.get_one(
        RegisteredModel, plan.order.model_id, with_for_update=True, populate_existing=True
    )
    run_id, version_id = new_id(), new_id()
    metrics = {
        name: outcome[name]
        for name in ("holdout", "champion", "paired", "majority_accuracy", "seconds")
    }
    tried = {"recipes_tried": outcome["recipes_tried"]} if outcome["recipes_tried"] else {}
    record_run(
        session,
        "train",
        namespace=model.namespace,
        label_id=plan.label_id,
        inputs=plan.inputs,
        outputs=[Node("model-version", version_id)],
        parameters=plan.order.to_payload(),
        metrics=metrics | tried | {"losses": outcome["losses"]},
        started_at=started_at,
        actor_id=lease.acts_as,
        at=at,
        job_id=lease.job_id,
        run_id=run_id,
    )
    version = register_version(
        session,
        model,
        Artifact(
            files=tuple(outcome["files"]),
            parameters=outcome["parameters"],
            labels=tuple(outcome["labels"]),
            text_columns=plan.text_columns,
            recipe=outcome["recipe"],
            seed=plan.order.seed,
            metrics=outcome["holdout"]
            | tried
            | {"majority_accuracy": outcome["majority_accuracy"]},
        ),
        version_id=version_id,
        run_id=run_id,
        base_version_id=plan.base.id if plan.base else None,
        label_id=plan.label_id,
        scheme=platform.rules.scheme,
        trained_by=lease.acts_as,
        at=at,
    )
    require(
        session,
        platform.rules,
        actor=actor,
        action="version:register",
        resource=version_resource(session, version),
        at=at,
    )
    return version


def _evaluate(
    session: Session,
    platform: Platform,
    plan: TrainingPlan,
    version: ModelVersion,
    outcome: dict[str, Any],
    measured: Mapping[str, Figures],
    *,
    at: datetime,
) -> Evaluation:
    holdout, champion = outcome["holdout"], outcome["champion"]
    evidence = Evidence(
        holdout_rows=holdout["rows"],
        accuracy=holdout["accuracy"],
        macro_f1=holdout["macro_f1"],
        majority_accuracy=outcome["majority_accuracy"],
        unknown_label_rows=holdout["unknown_label_rows"],
        parameters=outcome["parameters"],
        champion_accuracy=champion["accuracy"] if champion else None,
        paired=Paired(**outcome["paired"]) if outcome["paired"] else None,
        has_champion=plan.champion is not None,
        measured=measured,
    )
    rejections = reasons_to_reject(evidence, tier_named(platform.tiers, plan.order.risk_tier))
    evaluation = Evaluation(
        id=new_id(),
        version_id=version.id,
        champion_version_id=plan.champion.id if plan.champion else None,
        run_id=version.run_id,
        evidence=evidence.to_dict(),
        risk_tier=plan.order.risk_tier,
        passed=not rejections,
        rejections=[asdict(rejection) for rejection in rejections],
        created_at=at,
    )
    session.add(evaluation)
    session.flush()
    record(
        session,
        "model-version.evaluated",
        subject_type="model-version",
        subject_id=version.id,
        actor_id=version.trained_by,
        at=at,
        details=_audited(evaluation),
    )
    return evaluation


def _audited(evaluation: Evaluation) -> dict[str, Any]:
    """What the log says: values of segments stay in the evaluation, as auditors read no data."""
    evidence = {name: one for name, one in evaluation.evidence.items() if name != "measured"}
    return {
        "passed": evaluation.passed,
        "rejections": [
            one | {"reason": "its evaluation names the classes and segments"}
            if one["gate"] == "slices"
            else one
            for one in evaluation.rejections
        ],
        "evidence": evidence,
        "measured_digest": digest_of(evaluation.evidence["measured"]),
        "risk_tier": evaluation.risk_tier,
    }


def _follow(
    session: Session,
    platform: Platform,
    plan: TrainingPlan,
    version: ModelVersion,
    evaluation: Evaluation,
    *,
    actor: Actor,
    at: datetime,
) -> str:
    """Under an approved retraining policy a passed challenger is promoted, or rolled out, at once.

    People approved the policy's own settings: what was trained with others waits for them.
    """
    if not evaluation.passed:
        return "rejected"
    policy_id = plan.order.retraining_policy_id
    if policy_id is None:
        return "passed"
    policy = session.get_one(RetrainingPolicy, policy_id)
    if not is_approved(session, policy) or not is_carried_out(policy, plan.order):
        return "passed"
    deployment = session.get_one(Deployment, policy.deployment_id)
    name = f"{deployment.namespace}/{deployment.name}"
    begun = promote(
        session,
        version,
        reason=f"challenger of {name}'s retraining policy passed its gates",
        mandate=True,
        rules=platform.rules,
        tiers=platform.tiers,
        actor=actor,
        at=at,
    )
    return "rolling-out" if begun else "promoted"
