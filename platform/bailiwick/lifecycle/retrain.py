"""Retraining: from a mandate to a job, and from late feedback to a dataset version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.lifecycle.evaluation_settings import judged_by
from bailiwick.lifecycle.jobs import UNFINISHED, JobKind, Lease, enqueue, held_job, note
from bailiwick.lifecycle.label_budget import beyond_budget
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.retraining_policies import (
    retraining_policy_resource,
    selection_of,
)
from bailiwick.lifecycle.rises import raise_job
from bailiwick.lifecycle.selection import (
    FRAME_SCHEMA,
    Marks,
    Selection,
    frame_of,
    without_quarantined,
    without_repeats,
)
from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.lifecycle.training_jobs import Beat, carry_out_training
from bailiwick.lifecycle.training_plans import TrainingOrder
from bailiwick.lineage import (
    Content,
    Dataset,
    DatasetVersion,
    Node,
    add_dataset_version,
    dataset_resource,
    dataset_version_resource,
)
from bailiwick.lineage.batches import quarantine_of
from bailiwick.lineage.derived import why_quarantined
from bailiwick.monitoring import WindowRow, read_window
from bailiwick.policy import Actor, Resource, Rules, load_actor, require
from bailiwick.registry import Deployment, ModelVersion, deployment_resource
from bailiwick.training import AnyRecipe, any_recipe_of

SEED = 17


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a person who retrains by hand wants done differently from the policy."""

    window_days: int | None = None
    max_rows: int | None = None
    recipe: AnyRecipe | None = None

    def to_payload(self) -> dict[str, Any]:
        """As JSON, without what is not overridden."""
        given = {"window_days": self.window_days, "max_rows": self.max_rows}
        payload: dict[str, Any] = {name: n for name, n in given.items() if n is not None}
        return payload | ({"recipe": self.recipe.to_dict()} if self.recipe else {})


NOTHING_ELSE = Overrides()


def start(
    session: Session,
    policy: RetrainingPolicy,
    *,
    reason: str,
    overrides: Overrides,
    rules: Rules,
    actor: Actor,
    at: datetime,
) -> Job:
    """Queue a retraining job by hand; it acts as the policy's service principal."""
    require(
        session,
        rules,
        actor=actor,
        action="retraining:start",
        resource=retraining_policy_resource(session, policy),
        at=at,
    )
    session.refresh(policy, with_for_update=True)  # of two at once, the second sees the first
    if unfinished(session, policy):
        raise Conflict("a retraining job of this deployment is under way; wait for it or cancel it")
    return enqueue_retraining(
        session,
        policy,
        reason=reason,
        overrides=overrides,
        actor_id=UUID(actor.id),
        at=at,
    )


def enqueue_retraining(
    session: Session,
    policy: RetrainingPolicy,
    *,
    reason: str,
    causes: Sequence[str] = (),
    alerts: Sequence[str] = (),
    overrides: Overrides = NOTHING_ELSE,
    dedupe_key: str | None = None,
    actor_id: UUID,
    at: datetime,
) -> Job:
    """A job that carries the policy out; `causes` are the keys of what it answers.

    `alerts` are the ids of the alerts among it.

    Whether its principal still may retrain is asked when the job is carried out, so that a refusal
    fails that job, for everybody to see, and no other policy's.
    """
    deployment = session.get_one(Deployment, policy.deployment_id)
    return enqueue(
        session,
        JobKind.RETRAIN,
        namespace=deployment.namespace,
        label_id=deployment.label_id,
        subject_id=policy.id,
        acts_as=policy.acts_as,
        payload={
            "reason": reason,
            "causes": list(causes),
            "alerts": list(alerts),
            "overrides": overrides.to_payload(),
        },
        actor_id=actor_id,
        at=at,
        dedupe_key=dedupe_key,
        priority=policy.priority,
    )


def carry_out_retraining(platform: Platform, lease: Lease, folder: Path, beat: Beat) -> None:
    """Gather what has been learned since, then train, compare, and promote or reject."""
    at = platform.clock.now()
    with platform.database.transaction() as session:
        held_job(session, lease)
        _require_mandate(session, platform.in_force(session), lease, at)
    with platform.database.reading() as session:
        job = session.get_one(Job, lease.job_id)
        policy = session.get_one(RetrainingPolicy, job.subject_id)
        selection = _overridden(selection_of(policy), job.payload["overrides"])
        gathered = _gather(session, platform, policy, selection, at=at)
    content = _keep(platform, gathered, folder)
    with platform.database.transaction() as session:
        held_job(session, lease)
        now = platform.in_force(session)
        version = _register(session, now, policy, gathered, content, lease, at=at)
        if gathered.without_text:
            told = f"{gathered.without_text:,} labelled answers have no text (not kept, or erased)"
            note(session, lease, "left-out", f"{told}: they were not learned from", at=at)
        if gathered.beyond_budget:
            told = f"{gathered.beyond_budget:,} labels of this month are beyond the budget of"
            note(session, lease, "left-out", f"{told} {policy.budget_labels:,}", at=at)
        deployment = session.get_one(Deployment, policy.deployment_id)
        recipe = job.payload["overrides"].get("recipe", policy.recipe)
        order = TrainingOrder(
            model_id=deployment.model_id,
            dataset_version_ids=(version.id,),
            recipe=any_recipe_of(recipe),
            selection=selection,
            purpose=deployment.purpose,
            risk_tier=policy.risk_tier,
            seed=SEED,
            from_champion=True,
            retraining_policy_id=policy.id,
        )
    carry_out_training(platform, lease, order, folder, beat)


def _require_mandate(session: Session, platform: Platform, lease: Lease, at: datetime) -> None:
    """The service that the job acts as must be allowed all of it, before a row is read.

    It retrains, reads logged requests and the rows that were brought in, and adds to the dataset.
    """
    job = session.get_one(Job, lease.job_id)
    policy = session.get_one(RetrainingPolicy, job.subject_id)
    deployment = session.get_one(Deployment, policy.deployment_id)
    dataset = session.get_one(Dataset, policy.dataset_id)
    start = _window_start(_overridden(selection_of(policy), job.payload["overrides"]), at)
    asked: list[tuple[str, Resource, Mapping[str, Any]]] = [
        ("retraining:start", retraining_policy_resource(session, policy), {}),
        ("deployment:read-inferences", deployment_resource(session, deployment), {}),
        ("dataset:register-version", dataset_resource(session, dataset), {}),
    ]
    for version in _brought_in(session, dataset.id, start):
        rows = dataset_version_resource(session, version)
        asked.append(("dataset:read-rows", rows, {"now": at}))
    actor = load_actor(session, lease.acts_as)
    for action, resource, context in asked:
        require(
            session,
            platform.rules,
            actor=actor,
            action=action,
            resource=resource,
            context=context,
            at=at,
        )
    read = [resource.label for _, resource, _ in asked if resource.label is not None]
    raise_job(session, platform.rules.scheme, job, read, actor_id=lease.acts_as, at=at)


@dataclass(frozen=True, slots=True)
class _Gathered:
    """Labelled rows of the window, and the versions that answered them or brought them in."""

    frame: pa.Table
    served: frozenset[UUID]
    brought_in: tuple[UUID, ...]
    without_text: int  # labelled answers that cannot be learned from: not kept, or destroyed
    beyond_budget: int  # labelled answers that came after the month's budget was used up


def _gather(
    session: Session,
    platform: Platform,
    policy: RetrainingPolicy,
    selection: Selection,
    *,
    at: datetime,
) -> _Gathered:
    """Rows that were brought in, and answered requests whose label has come, of the window."""
    deployment = session.get_one(Deployment, policy.deployment_id)
    start = _window_start(selection, at)
    answered = read_window(
        session,
        deployment.id,
        start=start,
        end=at,
        known_at=at,
        labelled_only=True,
        vault=platform.texts,
        blobs=platform.blobs,
    )
    beyond = beyond_budget(session, deployment.id, policy.budget_labels, at=at)
    within = [row for row in answered if row.record_id not in beyond]
    rows = [row for row in within if row.text]
    marks = judged_by(session, deployment.model_id).marks
    frames = [_answered(rows, marks)]
    brought_in = _brought_in(session, policy.dataset_id, start)
    for version in brought_in:
        path = platform.blobs.verified_path(version.rows_blob)
        frame = frame_of(path, version.text_columns, version.label_column, marks)
        frames.append(frame.filter((pc.field("time") >= start) & (pc.field("time") < at)))
    joined = pa.concat_tables(without_repeats(frames)).sort_by("time")
    quarantine = quarantine_of(session, policy.dataset_id)
    frame = marks.plain(without_quarantined(joined, quarantine))
    without_text = len(within) - len(rows)
    if not frame.num_rows:
        why = f"; {without_text:,} labelled answers have no text" if without_text else ""
        raise Invalid(
            f"there is nothing to learn from: no labelled rows lie in the policy's window{why}"
        )
    served = frozenset(row.version_id for row in within)
    return _Gathered(
        frame,
        served,
        tuple(version.id for version in brought_in),
        without_text,
        len(answered) - len(within),
    )


def _answered(rows: Sequence[WindowRow], marks: Marks) -> pa.Table:
    """Answered requests as a frame; their key is their subject's, where they have one."""
    times = pa.array([row.at for row in rows], FRAME_SCHEMA.field("time").type)
    columns: list[Sequence[Any]] = [[row.text for row in rows], [row.label for row in rows]]
    columns += [[row.segments.get(name) for row in rows] for name in marks.segments]
    if marks.key is not None:
        columns.append([row.subject_key for row in rows])
    strings = [pa.array(values, pa.string()) for values in columns]
    return pa.table([times, *strings], schema=marks.schema)


def _inputs(
    session: Session, policy: RetrainingPolicy, gathered: _Gathered
) -> list[tuple[Node, str, str]]:
    """What the rows came from, with names and the labels of now: one may have risen meanwhile."""
    now = {"populate_existing": True}
    deployment = session.get_one(Deployment, policy.deployment_id, populate_existing=True)
    served = select(ModelVersion).where(ModelVersion.id.in_(gathered.served))
    name = f"deployment {deployment.namespace}/{deployment.name}"
    inputs = [
        (Node("model-version", version.id), f"{name}, v{version.number}", label_id)
        for version in session.scalars(served.order_by(ModelVersion.number), execution_options=now)
        # Requests may be logged for a version that the deployment has never served.
        for label_id in {deployment.label_id: None, version.label_id: None}
    ]
    brought = select(DatasetVersion).where(DatasetVersion.id.in_(gathered.brought_in))
    for version in session.scalars(brought.order_by(DatasetVersion.number), execution_options=now):
        source = f"{version.dataset.namespace}/{version.dataset.name} v{version.number}"
        inputs.append((Node("dataset-version", version.id), source, version.label_id))
    return inputs


def _brought_in(session: Session, dataset_id: UUID, start: datetime) -> list[DatasetVersion]:
    """Versions that were registered from files, but for those that are quarantined by any hops.

    Prepared ones would count requests twice.
    """
    found = session.scalars(
        select(DatasetVersion)
        .where(
            DatasetVersion.dataset_id == dataset_id,
            DatasetVersion.source_blob.is_not(None),
            DatasetVersion.last_time >= start,
        )
        .order_by(DatasetVersion.number)
    ).all()
    quarantined = why_quarantined(session, found)
    return [version for version in found if version.id not in quarantined]


def _keep(platform: Platform, gathered: _Gathered, folder: Path) -> Content:
    path = folder / "prepared.parquet"
    pq.write_table(gathered.frame, path)
    times = gathered.frame["time"].to_pylist()
    texts, labels = gathered.frame["text"].to_pylist(), gathered.frame["label"].to_pylist()
    further = [gathered.frame[name].to_pylist() for name in gathered.frame.column_names[3:]]
    rows = [[t.isoformat(), *rest] for t, *rest in zip(times, texts, labels, *further, strict=True)]
    return Content(
        content_digest=digest_of(rows),
        rows_blob=platform.blobs.put_file(path),
        columns=[
            {
                "name": field.name,
                "type": str(field.type),
                "nulls": gathered.frame[field.name].null_count,
            }
            for field in gathered.frame.schema
        ],
        text_columns=("text",),
        label_column="label",
        date_column="time",
        rows=len(rows),
        first_time=times[0],
        last_time=times[-1],
    )


def _register(
    session: Session,
    platform: Platform,
    policy: RetrainingPolicy,
    gathered: _Gathered,
    content: Content,
    lease: Lease,
    *,
    at: datetime,
) -> DatasetVersion:
    return add_dataset_version(
        session,
        session.get_one(Dataset, policy.dataset_id),
        content,
        scheme=platform.rules.scheme,
        kind="prepare",
        inputs=_inputs(session, policy, gathered),
        started_at=at,
        actor_id=lease.acts_as,
        at=platform.clock.now(),
        job_id=lease.job_id,
    )


def _window_start(selection: Selection, at: datetime) -> datetime:
    return at - timedelta(days=selection.window_days or 36_500)


def _overridden(selection: Selection, payload: Mapping[str, Any]) -> Selection:
    given = {name: payload[name] for name in ("window_days", "max_rows") if name in payload}
    return replace(selection, **given)


def unfinished(session: Session, policy: RetrainingPolicy) -> bool:
    """Whether a job of the policy waits or runs."""
    query = select(Job.id).where(Job.subject_id == policy.id, Job.state.in_(UNFINISHED)).limit(1)
    return session.scalar(query) is not None
