"""Retraining: what starts it, what it learns from, and that it happens once."""

import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import revoke_role
from bailiwick.access.principals import find_principal
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Conflict
from bailiwick.core.sentences import headline
from bailiwick.lifecycle import JobState, Platform, run_next, training_jobs
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.jobs import cancel
from bailiwick.lifecycle.retrain import Overrides, start
from bailiwick.lifecycle.retraining_policies import (
    is_approved,
    update_retraining_policy,
)
from bailiwick.lifecycle.tables import Job, JobEvent, RetrainingPolicy
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, TrainingOrder, order_training
from bailiwick.lineage import Content, DatasetVersion, add_dataset_version
from bailiwick.monitoring import Alert, Outcome, close, unresolved
from bailiwick.policy import Decision, IncompatibleLabels, load_actor, load_label
from bailiwick.training import SmallClassifierRecipe
from factories import CONFIDENTIAL, PURPOSE, Factory
from support.lifecycle_children import FakeTraining
from support.lifecycle_world import TEXT, World, at_once, bring, raise_alert, requests

WHOLE_HISTORY = Overrides(window_days=3_650)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> FakeTraining:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    return child


def due(platform: Platform) -> int:
    with platform.database.transaction() as session:
        return start_due(session, at=platform.clock.now())


def jobs(world: World) -> list[Job]:
    with world.platform.database.reading() as session:
        query = select(Job).where(Job.subject_id == world.policy.id).order_by(Job.id)
        return list(session.scalars(query))


def end(world: World) -> None:
    """The newest job ends now."""
    with world.platform.database.transaction() as session:
        at = world.platform.clock.now()
        cancel(session, jobs(world)[-1], actor_id=world.engineer_id, at=at)


def change(world: World, **changes: object) -> None:
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        actor = load_actor(session, world.engineer_id)
        update_retraining_policy(
            session, policy, changes, actor=actor, at=world.platform.clock.now()
        )


def queue_by_hand(world: World, session: Session, overrides: Overrides = WHOLE_HISTORY) -> UUID:
    return start(
        session,
        session.get_one(RetrainingPolicy, world.policy.id),
        reason="quick refresh",
        overrides=overrides,
        rules=world.platform.rules,
        actor=load_actor(session, world.engineer_id),
        at=world.platform.clock.now(),
    ).id


def by_hand(world: World, platform: Platform, overrides: Overrides = WHOLE_HISTORY) -> UUID:
    with platform.database.transaction() as session:
        return queue_by_hand(world, session, overrides)


def test_an_alert_that_an_approved_policy_answers_starts_one_job(world: World) -> None:
    check_id = raise_alert(world)
    assert [due(world.platform) for _ in range(3)] == [1, 0, 0]
    (job,) = jobs(world)
    assert (job.kind, job.acts_as) == ("retrain", world.retrainer_id)
    assert job.dedupe_key == f"retrain:{world.policy.id}:{check_id}"
    with world.platform.database.reading() as session:
        (alert,) = session.scalars(select(Alert))
        assert job.payload["alerts"] == [str(alert.id)]
        said = headline(alert.sentence).removesuffix(".")
        assert job.payload["reason"] == f"harm alert: {said}"


def test_a_check_that_was_answered_is_not_answered_again(world: World, clock: ReplayClock) -> None:
    raise_alert(world)
    assert due(world.platform) == 1
    end(world)
    clock.advance_to(clock.now() + timedelta(days=365))
    assert due(world.platform) == 0


def test_a_later_check_starts_the_next_job_after_the_cool_down(
    world: World, clock: ReplayClock
) -> None:
    raise_alert(world)
    assert due(world.platform) == 1
    clock.advance_to(clock.now() + timedelta(days=60))
    raise_alert(world)
    assert due(world.platform) == 0  # the first one is under way
    end(world)
    clock.advance_to(clock.now() + timedelta(days=30) - timedelta(seconds=1))
    assert due(world.platform) == 0
    clock.advance_to(clock.now() + timedelta(seconds=1))
    assert due(world.platform) == 1
    assert len(jobs(world)) == 2


def test_a_note_does_not_start_what_answers_harm(world: World) -> None:
    raise_alert(world, "drift")
    assert due(world.platform) == 0


def test_a_resolved_alert_starts_nothing(world: World) -> None:
    raise_alert(world)
    with world.platform.database.transaction() as session:
        alert = unresolved(session, world.deployment.id)
        assert alert is not None
        at = world.platform.clock.now()
        close(session, alert, resolution="a holiday", actor_id=world.engineer_id, at=at)
    assert due(world.platform) == 0


def test_a_policy_that_is_switched_off_does_nothing_and_keeps_its_approval(world: World) -> None:
    raise_alert(world)
    change(world, enabled=False)
    assert due(world.platform) == 0
    change(world, enabled=True)
    assert due(world.platform) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"cooldown_days": 1},
        {"window_days": 91},
        {"risk_tier": "high"},
        {"on_alert": ["drift", "harm"]},
        {"max_rows": 2_000},
        {"holdout_ratio": 0.1},
    ],
)
def test_changed_settings_void_the_approval(world: World, changes: dict[str, object]) -> None:
    raise_alert(world)
    before = {name: getattr(world.policy, name) for name in changes}
    change(world, **changes)
    with world.platform.database.reading() as session:
        assert not is_approved(session, session.get_one(RetrainingPolicy, world.policy.id))
    assert due(world.platform) == 0
    change(world, **before)  # exactly what was approved
    assert due(world.platform) == 1


def test_two_processes_that_see_the_alert_at_once_start_one_job(
    world: World, rival: Platform
) -> None:
    raise_alert(world)
    answers = at_once(*[lambda mine=mine: due(mine) for mine in (world.platform, rival) * 3])
    assert sorted(answers, key=str) == [0, 0, 0, 0, 0, 1]
    assert len(jobs(world)) == 1


def test_a_deployment_never_has_two_retraining_jobs_at_a_time(
    world: World, rival: Platform
) -> None:
    first_is_queued, second_may_look = threading.Event(), threading.Event()

    def first() -> UUID:
        with world.platform.database.transaction() as session:
            job_id = queue_by_hand(world, session)
            first_is_queued.set()
            second_may_look.wait()
            time.sleep(0.3)  # the second one looks while the first is not committed yet
        return job_id

    def second() -> UUID:
        first_is_queued.wait()
        second_may_look.set()
        return by_hand(world, rival)

    answers = at_once(first, second)
    assert isinstance(answers[0], UUID)
    assert isinstance(answers[1], Conflict)
    assert "under way" in answers[1].message
    raise_alert(world)
    assert due(world.platform) == 0
    assert len(jobs(world)) == 1


def test_a_principal_that_may_no_longer_retrain_fails_its_own_job_on_record(
    world: World, training: FakeTraining
) -> None:
    with world.platform.database.transaction() as session:
        principal = find_principal(session, "retrainer")
        revoke_role(
            session,
            principal,
            "service",
            namespace="*",
            actor_id=world.engineer_id,
            at=world.platform.clock.now(),
        )
    raise_alert(world)
    assert due(world.platform) == 1
    assert run_next(world.platform, owner="worker")
    (job,) = jobs(world)
    assert (job.state, training.specs) == (JobState.FAILED, [])
    with world.platform.database.reading() as session:
        denied = select(Decision).where(Decision.action == "retraining:start", ~Decision.allowed)
        (decision,) = session.scalars(denied)
        assert decision.principal_id == world.retrainer_id


def learned(world: World, training: FakeTraining, overrides: Overrides) -> list[tuple[str, str]]:
    """(text, label) of every row of a job's training and holdout, in the order given."""
    by_hand(world, world.platform, overrides)
    assert run_next(world.platform, owner="worker")
    assert jobs(world)[-1].state == JobState.SUCCEEDED, jobs(world)[-1].error
    rows = training.train + training.holdout
    times = [row["time"] for row in rows]
    assert times == sorted(times)
    return [(row["text"], row["label"]) for row in rows]


def test_labelled_requests_of_the_window_are_learned_from_with_their_newest_label(
    world: World, training: FakeTraining, clock: ReplayClock
) -> None:
    now = clock.now()
    recent, labels = requests(30, first=now - timedelta(days=80), wrong=5)
    old, old_labels = requests(10, first=now - timedelta(days=95), prefix="old")
    unlabelled, _ = requests(10, first=now - timedelta(days=40), prefix="unlabelled")
    silent, silent_labels = requests(10, first=now - timedelta(days=30), text=None, prefix="silent")
    bring(world, recent + old + unlabelled + silent, labels + old_labels + silent_labels)
    bring(world, [], [Outcome("row-0000", "Hotels"), Outcome("row-0001", "Fuel")])
    rows = learned(world, training, Overrides())
    expected = ["Hotels", "Fuel", "Travel", "Travel", "Travel"] + ["Fuel"] * 25
    assert rows == [(TEXT, label) for label in expected]
    assert len(training.holdout) == 6
    assert training.specs[0]["base"] == training.specs[0]["compare_with"] is not None


def test_labelled_requests_without_text_are_counted_and_told(
    world: World, training: FakeTraining, clock: ReplayClock
) -> None:
    now = clock.now()
    asked, labels = requests(30, first=now - timedelta(days=80))
    silent, silent_labels = requests(10, first=now - timedelta(days=30), text=None, prefix="silent")
    bring(world, asked + silent, labels + silent_labels)
    learned(world, training, Overrides())
    with world.platform.database.reading() as session:
        (told,) = session.scalars(select(JobEvent.message).where(JobEvent.kind == "left-out"))
    assert told.startswith("10 labelled answers have no text")


def test_requests_that_lie_in_the_future_are_not_learned_from(
    world: World, training: FakeTraining, clock: ReplayClock
) -> None:
    inferences, labels = requests(20, first=clock.now() - timedelta(days=10))
    future, future_labels = requests(5, first=clock.now() + timedelta(days=1), prefix="future")
    bring(world, inferences + future, labels + future_labels)
    assert len(learned(world, training, Overrides())) == 20


def test_files_are_joined_with_requests_and_no_row_counts_twice(
    world: World, training: FakeTraining, clock: ReplayClock
) -> None:
    inferences, labels = requests(20, first=clock.now() - timedelta(days=10))
    bring(world, inferences, labels)
    first = learned(world, training, WHOLE_HISTORY)
    assert len(first) == 200 + 20
    # The prepared version of the first job and a later file that repeats the first one's rows.
    repeat_file_with_its_last_row(world, again_at=None)
    assert len(learned(world, training, WHOLE_HISTORY)) == 200 + 20 + 1


def test_rows_of_a_file_that_are_dated_in_the_future_are_not_learned_from(
    world: World, training: FakeTraining, clock: ReplayClock
) -> None:
    repeat_file_with_its_last_row(world, again_at=clock.now() + timedelta(days=1))
    assert len(learned(world, training, WHOLE_HISTORY)) == 200


def repeat_file_with_its_last_row(world: World, *, again_at: datetime | None) -> None:
    """Register a file that holds the first one's rows and its last row once more, at that time."""
    platform = world.platform
    with platform.database.transaction() as session:
        first = session.scalars(
            select(DatasetVersion).where(DatasetVersion.source_blob.is_not(None))
        ).one()
        rows = pq.read_table(platform.blobs.verified_path(first.rows_blob))
        again = rows.slice(rows.num_rows - 1)
        if again_at is not None:
            time_field = rows.schema.field("time")
            again = again.set_column(rows.schema.get_field_index("time"), time_field, [[again_at]])
        path = platform.settings.home / "repeated.parquet"
        pq.write_table(pa.concat_tables([rows, again]), path)
        blob = platform.blobs.put_file(path)
        add_dataset_version(
            session,
            first.dataset,
            Content(
                content_digest=blob,
                rows_blob=blob,
                source_blob=blob,
                columns=first.columns,
                text_columns=tuple(first.text_columns),
                label_column=first.label_column,
                date_column=first.date_column,
                rows=first.rows + 1,
                first_time=first.first_time,
                last_time=again_at or first.last_time,
            ),
            scheme=platform.rules.scheme,
            kind="ingest",
            inputs=[],
            started_at=platform.clock.now(),
            actor_id=world.engineer_id,
            at=platform.clock.now(),
        )


def test_an_empty_window_says_what_is_missing(world: World, training: FakeTraining) -> None:
    by_hand(world, world.platform, Overrides())
    assert run_next(world.platform, owner="worker")
    (job,) = jobs(world)
    assert job.state == JobState.FAILED
    assert job.error == (
        "there is nothing to learn from: no labelled rows lie in the policy's window"
    )
    assert training.specs == []


def test_what_was_learned_from_requests_inherits_the_deployments_label(
    world: World, training: FakeTraining, clock: ReplayClock
) -> None:
    inferences, labels = requests(20, first=clock.now() - timedelta(days=10))
    bring(world, inferences, labels)
    learned(world, training, Overrides())
    with world.platform.database.reading() as session:
        prepared = session.scalars(
            select(DatasetVersion).where(DatasetVersion.source_blob.is_(None))
        ).one()
        assert load_label(session, prepared.label_id) == CONFIDENTIAL
        assert prepared.rows == 20


def test_labels_that_exclude_each_other_are_refused_before_anything_runs(
    make: Factory, session: Session, platform: Platform
) -> None:
    american = replace(CONFIDENTIAL, residency=frozenset({"us"}))
    versions = [
        make.dataset_version(make.dataset()),
        make.dataset_version(make.dataset("abroad", label=american), seed=1),
    ]
    order = TrainingOrder(
        model_id=make.model().id,
        dataset_version_ids=tuple(version.id for version in versions),
        recipe=SmallClassifierRecipe(),
        selection=DEFAULT_SELECTION,
        purpose=PURPOSE,
        risk_tier="standard",
        seed=0,
        from_champion=False,
    )
    with pytest.raises(IncompatibleLabels, match=r"finance/purchases v1.*finance/abroad v1"):
        order_training(
            session, order, rules=platform.rules, actor=make.actor(make.engineer), at=make.at
        )
    assert session.scalars(select(Job)).all() == []
