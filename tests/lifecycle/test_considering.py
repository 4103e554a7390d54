"""Policies are considered: set off by any trigger, once for each cause, held back in words."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.jobs import JobKind, JobState, cancel, claim, enqueue
from bailiwick.lifecycle.retraining_policies import update_retraining_policy
from bailiwick.lifecycle.tables import Consideration, Job, RetrainingPolicy
from bailiwick.policy import load_actor
from bailiwick.registry.rollouts import Rollout
from support.lifecycle_world import World, approve_again, bring, raise_alert, requests
from support.rollouts_under_way import add_rollout

DAY = timedelta(days=1)


def set_off_by(world: World, *triggers: dict[str, Any], **changes: Any) -> None:
    """The policy has these triggers, and somebody else approved that."""
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        actor, at = load_actor(session, world.engineer_id), world.platform.clock.now()
        settings = {"triggers": list(triggers), **changes}
        update_retraining_policy(session, policy, settings, actor=actor, at=at)
    approve_again(world)


def due(world: World) -> int:
    with world.platform.database.transaction() as session:
        return start_due(session, at=world.platform.clock.now())


def every(world: World, table: type[Any]) -> list[Any]:
    with world.platform.database.reading() as session:
        return list(session.scalars(select(table).order_by(table.id)))


def jobs(world: World) -> list[Job]:
    return [job for job in every(world, Job) if job.kind == JobKind.RETRAIN]


def end(world: World, state: JobState = JobState.SUCCEEDED) -> None:
    """The newest job ends now, as that."""
    with world.platform.database.transaction() as session:
        job = session.scalars(select(Job).order_by(Job.id.desc())).first()
        assert job is not None
        if state == JobState.CANCELLED:
            cancel(session, job, actor_id=world.engineer_id, at=world.platform.clock.now())
        else:
            job.state, job.started_at = state, job.created_at
            job.finished_at = world.platform.clock.now()


def test_enough_new_labels_start_a_job_once(world: World, clock: ReplayClock) -> None:
    set_off_by(world, {"kind": "new-labels", "value": 50})
    clock.advance_to(clock.now() + DAY)
    bring(world, *requests(49, first=clock.now() - timedelta(hours=1)))
    assert due(world) == 0
    bring(world, *requests(1, first=clock.now() - timedelta(hours=2), prefix="one-more"))
    assert [due(world) for _ in range(3)] == [1, 0, 0]
    (job,) = jobs(world)
    assert job.payload["reason"].startswith("50 labels have come since")
    assert job.payload["causes"][0].startswith("new-labels:")
    (considered,) = every(world, Consideration)
    assert (considered.job_id, considered.holds) == (job.id, [])


def test_a_label_that_the_champion_does_not_know_starts_a_job(
    world: World, clock: ReplayClock
) -> None:
    set_off_by(world, {"kind": "new-class", "value": 5})
    clock.advance_to(clock.now() + DAY)
    inferences, labels = requests(6, first=clock.now() - timedelta(hours=1))
    bring(world, inferences, [replaced(one, "Parking") for one in labels])
    assert due(world) == 1
    assert jobs(world)[0].payload["reason"] == "labels are new: Parking (6)"


def replaced(outcome: Any, label: str) -> Any:
    return type(outcome)(outcome.record_id, label)


def test_a_calendar_starts_one_job_a_date_however_it_ends(world: World, clock: ReplayClock) -> None:
    set_off_by(world, {"kind": "cron", "value": "0 3 1 * *"}, cooldown_days=0)
    started = 0
    for _ in range(90):
        clock.advance_to(clock.now() + DAY)
        if due(world):
            started += 1
            end(world, JobState.FAILED)
    assert started == len(jobs(world)) == 3


def test_several_causes_at_once_are_one_job_and_are_all_answered(
    world: World, clock: ReplayClock
) -> None:
    set_off_by(world, {"kind": "age-days", "value": 30}, {"kind": "severity", "value": "page"})
    clock.advance_to(clock.now() + 31 * DAY)
    raise_alert(world)
    assert due(world) == 1
    end(world)
    clock.advance_to(clock.now() + 1 * DAY)
    assert due(world) == 0
    (job,) = jobs(world)
    assert [key.partition(":")[0] for key in job.payload["causes"]][1:] == ["age-days", "severity"]


def test_what_holds_it_back_is_written_down_once_and_it_starts_when_that_is_over(
    world: World, clock: ReplayClock
) -> None:
    set_off_by(
        world,
        {"kind": "age-days", "value": 1},
        only_if=[{"kind": "new-labels", "value": 5}],
    )
    clock.advance_to(clock.now() + 2 * DAY)
    assert [due(world) for _ in range(3)] == [0, 0, 0]
    (held,) = every(world, Consideration)
    assert held.holds == [{"why": "only-if", "sentence": "new-labels:5 does not hold yet"}]
    assert held.job_id is None
    bring(world, *requests(5, first=clock.now() - timedelta(hours=1)))
    assert due(world) == 1
    assert every(world, Consideration)[-1].job_id == jobs(world)[0].id


def test_a_version_that_is_being_rolled_out_may_be_the_answer(world: World) -> None:
    with world.platform.database.transaction() as session:
        at, actor_id = world.platform.clock.now(), world.engineer_id
        deployment_id, version_id = world.deployment.id, world.champion_id
        how = {"state": "canary", "actor_id": actor_id, "at": at}
        rollout_id = add_rollout(session, deployment_id, version_id, **how).id
    raise_alert(world)
    assert due(world) == 0
    (held,) = every(world, Consideration)
    assert [one["why"] for one in held.holds] == ["rolling-out"]
    with world.platform.database.transaction() as session:
        session.get_one(Rollout, rollout_id).state = "stopped"
    assert due(world) == 1


def test_hours_of_training_used_this_month_hold_it_back_until_the_next(
    world: World, clock: ReplayClock
) -> None:
    set_off_by(world, {"kind": "age-days", "value": 1}, cooldown_days=0, budget_hours=2.0)
    clock.advance_to(clock.now() + 2 * DAY)
    assert due(world) == 1
    clock.advance_to(clock.now() + timedelta(hours=3))
    end(world)
    clock.advance_to(clock.now() + DAY)
    assert due(world) == 0
    (hold,) = every(world, Consideration)[-1].holds
    assert hold["sentence"] == "3.0 of 2 hours of training were used this month"
    clock.advance_to(clock.now() + 31 * DAY)
    assert due(world) == 1


def test_hours_in_which_nothing_is_started(world: World, clock: ReplayClock) -> None:
    always = {"weekdays": ["monday"], "begins": "00:00", "ends": "00:00", "zone": "UTC"}
    set_off_by(world, {"kind": "age-days", "value": 1}, blackouts=[always])
    to_monday = (7 - clock.now().weekday()) % 7 or 7
    clock.advance_to(clock.now() + to_monday * DAY)
    assert due(world) == 0
    assert every(world, Consideration)[-1].holds[0]["why"] == "blackout"
    clock.advance_to(clock.now() + DAY)
    assert due(world) == 1


def test_jobs_of_higher_priority_go_first(world: World, clock: ReplayClock) -> None:
    said: dict[str, Any] = {
        "namespace": world.deployment.namespace,
        "label_id": world.deployment.label_id,
        "subject_id": world.monitor.id,
        "acts_as": world.retrainer_id,
        "payload": {},
        "actor_id": world.engineer_id,
        "at": clock.now(),
    }
    with world.platform.database.transaction() as session:
        low, high = (
            enqueue(session, JobKind.CHECK, priority=priority, **said).id for priority in (0, 5)
        )
        leases = [claim(session, owner="w", lease_seconds=60, at=clock.now()) for _ in range(2)]
        assert [lease and lease.job_id for lease in leases] == [high, low]


def test_a_policy_that_nothing_could_set_off_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="nothing would ever set the policy off"):
        set_off_by(world, on_alert=[])
