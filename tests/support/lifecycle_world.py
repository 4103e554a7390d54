"""A committed installation to keep fit, and what threads and job processes would do to it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access.principals import find_principal
from bailiwick.audit.tables import AuditEvent
from bailiwick.core.ids import new_id
from bailiwick.db import Database, make_engine
from bailiwick.lifecycle import JobKind, Platform, TrainingOrder
from bailiwick.lifecycle.jobs import enqueue
from bailiwick.lifecycle.retraining_policies import (
    ask_for_policy_approval,
    create_retraining_policy,
)
from bailiwick.lifecycle.schedules import set_schedule
from bailiwick.lifecycle.selection import Selection
from bailiwick.lifecycle.tables import Job, JobEvent, RetrainingPolicy
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, order_training
from bailiwick.lifecycle.watching import watch_all
from bailiwick.lineage import DatasetVersion
from bailiwick.monitoring import (
    CheckResult,
    Inference,
    Monitor,
    Outcome,
    create_monitor,
    evaluate,
    log_feedback,
    log_inferences,
    update_monitor,
)
from bailiwick.policy import decide_approval, intern_label, load_actor
from bailiwick.registry import Deployment, RegisteredModel
from bailiwick.training import SmallClassifierRecipe
from factories import CONFIDENTIAL, NAMESPACE, PURPOSE, Factory

JOIN_SECONDS = 60
MIN_ROWS = 20
T = TypeVar("T")
TEXT = "zanzibar garage | parks"  # nothing of a request may appear in evidence


@dataclass(frozen=True)
class World:
    """A deployment that keeps text, watched, under an approved retraining policy."""

    platform: Platform
    model: RegisteredModel
    deployment: Deployment
    monitor: Monitor
    policy: RetrainingPolicy
    champion_id: UUID
    engineer_id: UUID
    approver_id: UUID
    retrainer_id: UUID


def found_world(platform: Platform, *, window_days: int = 90) -> World:
    """Commit a `World`: its data lie in 2021, its clock stands in 2026."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        data = make.dataset_version(make.dataset())
        model = make.model()
        champion = make.champion(make.model_version(model, data))
        deployment = make.deployment(model, make.environment(keeps_text=True), keeps_text=True)
        retrainer = make.principal("retrainer", "service", kind="service")
        monitor = create_monitor(
            session,
            deployment,
            max_accuracy_drop=0.05,
            min_rows=MIN_ROWS,
            window_days=7,
            alarms_by="checks",
            actor_id=make.engineer.id,
            at=make.at,
        )
        policy = create_retraining_policy(
            session,
            deployment,
            dataset=data.dataset,
            acts_as=retrainer,
            on_alert=["harm"],
            cooldown_days=30,
            selection=Selection(holdout_ratio=0.2, max_rows=1_000, window_days=window_days),
            recipe=SmallClassifierRecipe(),
            risk_tier="standard",
            actor=make.actor(make.engineer),
            at=make.at,
        )
        approve_policy(make, policy)
        return World(
            platform=platform,
            model=model,
            deployment=deployment,
            monitor=monitor,
            policy=policy,
            champion_id=champion.id,
            engineer_id=make.engineer.id,
            approver_id=make.approver.id,
            retrainer_id=retrainer.id,
        )


def factory_again(session: Session, platform: Platform) -> Factory:
    """A factory that knows the people of a world that stands already."""
    make = Factory(session, platform)
    for name in ("root", "engineer", "approver"):
        make.__dict__[name] = find_principal(session, name)
    return make


def approve_again(world: World) -> None:
    """Another person approves the world's policy as it stands now."""
    with world.platform.database.transaction() as session:
        make = factory_again(session, world.platform)
        approve_policy(make, session.get_one(RetrainingPolicy, world.policy.id))


def approve_policy(make: Factory, policy: RetrainingPolicy) -> None:
    """Another person approves the policy as it stands."""
    request = ask_for_policy_approval(
        make.session, policy, actor=make.actor(make.engineer), at=make.at
    )
    decide_approval(
        make.session,
        request,
        rules=make.platform.rules,
        approve=True,
        comment="",
        actor=make.actor(make.approver),
        at=make.at,
    )


@contextmanager
def rival_of(platform: Platform) -> Iterator[Platform]:
    """The same installation as another process sees it."""
    database = Database(make_engine(platform.settings.resolved_database_url))
    yield replace(platform, database=database)
    database.close()


def at_once(*calls: Callable[[], T]) -> list[T | Exception]:
    """Begin all calls at the same moment, each in its thread; what each returned or raised."""
    results: list[T | Exception] = [RuntimeError("it did not end")] * len(calls)
    start = threading.Barrier(len(calls))

    def run(place: int, call: Callable[[], T]) -> None:
        start.wait()
        try:
            results[place] = call()
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_SECONDS)
    return results


def order_by_hand(world: World) -> UUID:
    """A training that the engineer asks for; the id of its job."""
    with world.platform.database.transaction() as session:
        order = TrainingOrder(
            model_id=world.model.id,
            dataset_version_ids=(session.scalars(select(DatasetVersion.id)).one(),),
            recipe=SmallClassifierRecipe(),
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier="standard",
            seed=3,
            from_champion=False,
        )
        rules, at = world.platform.rules, world.platform.clock.now()
        actor = load_actor(session, world.engineer_id)
        return order_training(session, order, rules=rules, actor=actor, at=at).id


def order_check(world: World, due_at: datetime | None = None, **asked: bool) -> UUID:
    """A check that fell due then (default: now), as the schedule asks for it; its job's id."""
    now = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        return enqueue(
            session,
            JobKind.CHECK,
            namespace=NAMESPACE,
            label_id=world.deployment.label_id,
            subject_id=world.monitor.id,
            acts_as=world.retrainer_id,
            payload={"due_at": (due_at or now).isoformat(), **asked},
            actor_id=world.retrainer_id,
            at=now,
        ).id


def job_of(world: World, job_id: UUID) -> Job:
    """The job as it stands."""
    with world.platform.database.reading() as session:
        return session.get_one(Job, job_id)


def queue_job(
    make: Factory,
    *,
    acts_as: UUID | None = None,
    dedupe_key: str | None = None,
    wait_seconds: float = 0,
) -> Job:
    """A job that waits, due `wait_seconds` after now."""
    acts_as = acts_as or make.engineer.id
    return enqueue(
        make.session,
        JobKind.CHECK,
        namespace=NAMESPACE,
        label_id=intern_label(make.session, CONFIDENTIAL),
        subject_id=new_id(),
        acts_as=acts_as,
        payload={},
        actor_id=acts_as,
        at=make.at + timedelta(seconds=wait_seconds),
        dedupe_key=dedupe_key,
    )


def told(session: Session, job_id: UUID) -> list[str]:
    """The kinds of the job's events, in order."""
    query = select(JobEvent.kind).where(JobEvent.job_id == job_id).order_by(JobEvent.id)
    return list(session.scalars(query))


def audited(session: Session, subject_id: UUID) -> list[str]:
    """The audited actions on a subject, in order."""
    query = select(AuditEvent.action).where(AuditEvent.subject_id == str(subject_id))
    return list(session.scalars(query.order_by(AuditEvent.id)))


def requests(
    count: int,
    *,
    first: datetime,
    wrong: int = 0,
    text: str | None = TEXT,
    prefix: str = "row",
) -> tuple[list[Inference], list[Outcome]]:
    """Answered requests, one a minute, and the labels that come later; `wrong` contradict."""
    inferences = [
        Inference(
            record_id=f"{prefix}-{number:04d}",
            at=first + timedelta(minutes=number),
            prediction="Fuel",
            confidence=0.9,
            characters=20,
            words=3,
            unseen_words_ratio=0.1,
            text=text,
        )
        for number in range(count)
    ]
    outcomes = [
        Outcome(inference.record_id, "Travel" if number < wrong else "Fuel")
        for number, inference in enumerate(inferences)
    ]
    return inferences, outcomes


def bring(world: World, inferences: Sequence[Inference], outcomes: Sequence[Outcome] = ()) -> None:
    """Log requests to the champion, and labels, in one committed transaction."""
    with world.platform.database.transaction() as session:
        at = world.platform.clock.now()
        log_inferences(
            session,
            world.deployment.id,
            world.champion_id,
            inferences,
            vault=world.platform.texts,
            at=at,
        )
        log_feedback(session, world.deployment.id, outcomes, actor_id=world.engineer_id, at=at)


def raise_alert(world: World, verdict: str = "harm") -> UUID:
    """A check found this and the alert was raised or kept up to date; the check's id."""
    with world.platform.database.transaction() as session:
        at = world.platform.clock.now()
        check = CheckResult(
            id=new_id(),
            monitor_id=world.monitor.id,
            job_id=new_id(),
            version_id=world.champion_id,
            window_start=at - timedelta(days=7),
            window_end=at,
            window_digest="0" * 64,
            rows=100,
            labelled_rows=100,
            accuracy=0.5,
            verdict=verdict,
            sentence="Accuracy fell.",
            results=[],
            details={"accuracy": {"dropped": True}},
            report_blob=None,
            at=at,
        )
        session.add(check)
        session.flush()
        evaluate(session, world.monitor, check, actor_id=world.retrainer_id, at=at)
        return check.id


def watch_windows(world: World) -> None:
    """Have the traffic so far watched by windows; no check has rows enough to be asked for."""
    with world.platform.database.transaction() as session:
        monitor = session.get_one(Monitor, world.monitor.id)
        said: dict[str, Any] = {"actor_id": world.engineer_id, "at": world.platform.clock.now()}
        update_monitor(session, monitor, {"alarms_by": "windows", "min_rows": 99_999}, **said)
        set_schedule(
            session,
            JobKind.CHECK,
            monitor.id,
            namespace=world.deployment.namespace,
            label_id=world.deployment.label_id,
            cron="0 6 * * *",
            acts_as=world.retrainer_id,
            **said,
        )
    watch_all(world.platform)
