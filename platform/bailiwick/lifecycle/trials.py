"""Trials of challengers: what newer labels are worth to a deployment, measured as a job.

A challenger by the policy's recipe learns all labels known now but those of the newest third of a
period's answers of the champion, and answers these; the champion's answers are in the log. Nothing
of it is kept but the comparison (`strategies.Trial`).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from bailiwick.audit.log import record
from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lifecycle.asking import Labelled
from bailiwick.lifecycle.backtest import Judged, Refits, Unit
from bailiwick.lifecycle.backtest.stream import LEAST_ROWS, stream_of
from bailiwick.lifecycle.jobs import JobKind, Lease, enqueue, held_job, succeed
from bailiwick.lifecycle.placing import require_here
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.replays import ReplaySettings, Source, source_of
from bailiwick.lifecycle.replays.history import read_history
from bailiwick.lifecycle.replays.orders import require_rights
from bailiwick.lifecycle.replays.replaying import Beat, beside
from bailiwick.lifecycle.replays.settings import MOST_DELAY
from bailiwick.lifecycle.retrain import SEED
from bailiwick.lifecycle.rises import raise_job
from bailiwick.lifecycle.selection import FRAME_SCHEMA
from bailiwick.lifecycle.strategies import LEAST_TRIED, TRIED_RATIO
from bailiwick.lifecycle.tables import ChallengerTrial, Job, RetrainingPolicy
from bailiwick.monitoring import read_window
from bailiwick.policy import load_actor
from bailiwick.registry import Deployment, ModelVersion
from bailiwick.training import any_recipe_of, standing_in


@dataclass(frozen=True, slots=True)
class _Task:
    """What is tried: labels to learn, then those that are put to both; `right` of the champion."""

    frame: pa.Table
    learned: int
    rows: int  # of the champion's labelled answers in the period
    right: np.ndarray[tuple[int], np.dtype[np.bool_]]


def order_trial(
    session: Session,
    policy: RetrainingPolicy,
    deployment: Deployment,
    champion: ModelVersion,
    unit: Unit,
    period: Labelled,
    *,
    age: int,
    at: datetime,
) -> Job:
    """Queue a trial of the period's labels, once for each champion; as the policy's principal."""
    span = {"start": period.start.isoformat(), "end": period.end.isoformat()}
    return enqueue(
        session,
        JobKind.TRIAL,
        namespace=deployment.namespace,
        label_id=deployment.label_id,
        subject_id=deployment.id,
        acts_as=policy.acts_as,
        payload={
            "policy_id": str(policy.id),
            "champion_id": str(champion.id),
            "unit": str(unit),
            "age": age,
            **span,
        },
        actor_id=policy.acts_as,
        at=at,
        dedupe_key=f"trial:{policy.id}:{champion.id}:{unit}:{period.start:%Y-%m-%d}",
        priority=policy.priority,
    )


def carry_out_trial(platform: Platform, lease: Lease, folder: Path, beat: Beat) -> None:
    """Train a challenger, put it to the newest labels, and write down how it did.

    Raises `Invalid` where there are too few rows to learn from or to be tried on.
    """
    at = platform.clock.now()
    with platform.database.transaction() as session:
        job = held_job(session, lease)
        policy, source = _source(session, job)
        purpose = session.get_one(Deployment, job.subject_id).purpose
        now, actor = platform.in_force(session), load_actor(session, lease.acts_as)
        _, label = require_rights(session, source, purpose, rules=now.rules, actor=actor, at=at)
        raise_job(session, now.rules.scheme, job, [label], actor_id=lease.acts_as, at=at)
        recipe = standing_in(any_recipe_of(policy.recipe))
    require_here(platform, lease)
    with platform.database.reading() as session:
        job = session.get_one(Job, lease.job_id)
        task = _read(session, platform, job, at=at)
    stream = stream_of(task.frame, Unit(job.payload["unit"]), folder)
    asked = (task.learned, task.frame.num_rows)

    def tried() -> Judged:
        return refits.judge(task.learned, [asked])[0]

    with (
        ThreadPoolExecutor(1) as thread,
        Refits(
            stream,
            recipe,
            seed=SEED,
            cache=platform.settings.work_folder / "backtests",
            folder=folder,
            processes=1,
        ) as refits,
    ):
        judged = beside(thread, tried, lambda: beat({"stage": "trial"}), platform.beat_seconds)
    with platform.database.transaction() as session:
        job = held_job(session, lease)
        _record(session, lease, job, task, judged, at=platform.clock.now())


def _source(session: Session, job: Job) -> tuple[RetrainingPolicy, Source]:
    policy = session.get_one(RetrainingPolicy, UUID(job.payload["policy_id"]))
    return policy, source_of(session, policy=policy)


def _read(session: Session, platform: Platform, job: Job, *, at: datetime) -> _Task:
    """Labels as they are known now: of everything before, and of the champion's newest answers."""
    start, end = (datetime.fromisoformat(job.payload[name]) for name in ("start", "end"))
    policy, source = _source(session, job)
    answered = read_window(
        session,
        job.subject_id,
        start=start,
        end=end,
        known_at=at,
        version_id=UUID(job.payload["champion_id"]),
        labelled_only=True,
        vault=platform.texts,
        blobs=platform.blobs,
    )
    readable = [row for row in answered if row.text]
    tried = readable[len(readable) - round(len(readable) * TRIED_RATIO) :]
    if len(tried) < LEAST_TRIED:
        raise Invalid(
            f"{len(tried)} labelled answers of the champion are too few for a trial, which takes "
            f"{LEAST_TRIED}; ask by longer periods"
        )
    settings = ReplaySettings(
        until=end, since=start, purpose="", period=Unit(job.payload["unit"]), label_delay=MOST_DELAY
    )
    before = read_history(session, platform, source, settings, at=at).frame
    before = before.filter(pc.field("time") < tried[0].at).sort_by("time")
    learned = before.slice(max(0, before.num_rows - policy.max_rows))
    if learned.num_rows < LEAST_ROWS:
        raise Invalid(f"{learned.num_rows} labelled rows before the trial's are too few to learn")
    rows = [{"time": one.at, "text": one.text, "label": one.label} for one in tried]
    return _Task(
        frame=pa.concat_tables([learned, pa.Table.from_pylist(rows, schema=FRAME_SCHEMA)]),
        learned=learned.num_rows,
        rows=len(readable),
        right=np.array([one.prediction == one.label for one in tried], np.bool_),
    )


def _record(
    session: Session, lease: Lease, job: Job, task: _Task, judged: Judged, *, at: datetime
) -> None:
    paired = judged.right.astype(float) - task.right
    start, end = (datetime.fromisoformat(job.payload[name]) for name in ("start", "end"))
    trial = ChallengerTrial(
        id=new_id(),
        policy_id=UUID(job.payload["policy_id"]),
        champion_id=UUID(job.payload["champion_id"]),
        job_id=job.id,
        unit=job.payload["unit"],
        start=start,
        end=end,
        rows=task.rows,
        tried_rows=len(paired),
        age=max(1, job.payload["age"]),
        accuracy=judged.accuracy,
        gain=float(paired.mean()),
        standard_error=float(paired.std() / len(paired) ** 0.5),
        at=at,
    )
    session.add(trial)
    session.flush()
    record(
        session,
        "challenger.tried",
        subject_type="retraining-policy",
        subject_id=trial.policy_id,
        actor_id=lease.acts_as,
        at=at,
        details={"trial": str(trial.id), "gain": trial.gain, "rows": trial.tried_rows},
    )
    summary = (
        f"newer labels are worth {100 * trial.gain:+.1f} points on {trial.tried_rows:,} rows "
        f"(standard error {100 * trial.standard_error:.1f})"
    )
    succeed(session, lease, {"trial_id": str(trial.id), "summary": summary}, at=at)
