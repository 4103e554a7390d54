"""Labels that come under an old name count as what they are called now."""

from datetime import timedelta
from uuid import UUID

import pytest

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import JobKind, checks, run_next
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.jobs import enqueue
from bailiwick.lifecycle.retraining_policies import update_retraining_policy
from bailiwick.lifecycle.tables import Job, RetrainingPolicy
from bailiwick.lineage import Dataset
from bailiwick.lineage.taxonomies import Renames, set_taxonomy
from bailiwick.monitoring import CheckResult, Outcome
from bailiwick.monitoring.naming import read_as
from bailiwick.policy import load_actor
from factories import NAMESPACE
from support.lifecycle_children import FakeReports
from support.lifecycle_world import MIN_ROWS, World, approve_again, bring, requests

DAY = timedelta(days=1)
MERGED = Renames({"Petrol": "Fuel", "Diesel": "Fuel", "Cheque": None})


@pytest.mark.parametrize(
    ("label", "prediction", "read"),
    [
        ("Petrol", "Fuel", "Fuel"),  # the sender goes on with the old name
        ("Fuel", "Petrol", "Petrol"),  # the model is from before the rename
        ("Diesel", "Petrol", "Petrol"),  # both are one now
        ("Diesel", "Food", "Diesel"),  # wrong, and a class that the model has
        ("Petrol", "Food", "Fuel"),
        ("Cheque", "Cheque", None),
        ("Food", "Food", "Food"),
        (None, "Food", None),
    ],
)
def test_a_label_is_read_in_the_words_of_the_model(
    label: str | None, prediction: str, read: str | None
) -> None:
    assert read_as(label, prediction, MERGED, {"Diesel", "Food"}) == read


def _rename(world: World, **names: str | None) -> None:
    with world.platform.database.transaction() as session:
        dataset = session.get_one(Dataset, world.policy.dataset_id)
        at, actor_id = world.platform.clock.now(), world.engineer_id
        set_taxonomy(session, dataset, Renames(names), reason="x", actor_id=actor_id, at=at)


def _check(world: World) -> CheckResult:
    at = world.platform.clock.now()
    with world.platform.database.transaction() as session:
        job_id = enqueue(
            session,
            JobKind.CHECK,
            namespace=NAMESPACE,
            label_id=world.deployment.label_id,
            subject_id=world.monitor.id,
            acts_as=world.retrainer_id,
            payload={"due_at": at.isoformat()},
            actor_id=world.engineer_id,
            at=at,
        ).id
    assert run_next(world.platform, owner="w1")
    with world.platform.database.reading() as session:
        job = session.get_one(Job, job_id)
        assert job.error is None
        assert job.result is not None
        check = session.get_one(CheckResult, UUID(job.result["check_id"]))
        session.expunge(check)
        return check


def test_a_check_counts_an_old_name_as_right(
    world: World, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "run_child", FakeReports())
    first = clock.now() - DAY
    bring(world, *requests(6 * MIN_ROWS, wrong=3 * MIN_ROWS, first=first))
    assert _check(world).accuracy == 0.5
    _rename(world, Travel="Fuel")
    after = _check(world)
    assert (after.accuracy, after.labelled_rows) == (1.0, 6 * MIN_ROWS)
    _rename(world, Travel=None)
    after = _check(world)
    assert (after.accuracy, after.labelled_rows) == (1.0, 3 * MIN_ROWS)


@pytest.mark.parametrize(
    ("names", "jobs"), [({}, 1), ({"Petrol": "Fuel"}, 0), ({"Petrol": None}, 0)]
)
def test_an_old_name_is_no_new_class(
    world: World, clock: ReplayClock, names: dict[str, str | None], jobs: int
) -> None:
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        actor, at = load_actor(session, world.engineer_id), clock.now()
        settings = {"triggers": [{"kind": "new-class", "value": 5}]}
        update_retraining_policy(session, policy, settings, actor=actor, at=at)
    approve_again(world)
    if names:
        _rename(world, **names)
    clock.advance_to(clock.now() + DAY)
    inferences, outcomes = requests(6, first=clock.now() - timedelta(hours=1))
    bring(world, inferences, [Outcome(one.record_id, "Petrol") for one in outcomes])
    with world.platform.database.transaction() as session:
        assert start_due(session, at=clock.now()) == jobs


def test_a_name_that_the_champion_s_class_has_now_is_no_new_class(
    world: World, clock: ReplayClock
) -> None:
    with world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        actor, at = load_actor(session, world.engineer_id), clock.now()
        settings = {"triggers": [{"kind": "new-class", "value": 5}]}
        update_retraining_policy(session, policy, settings, actor=actor, at=at)
    approve_again(world)
    _rename(world, Fuel="Mobility")
    clock.advance_to(clock.now() + DAY)
    inferences, outcomes = requests(6, first=clock.now() - timedelta(hours=1))
    bring(world, inferences, [Outcome(one.record_id, "Mobility") for one in outcomes])
    with world.platform.database.transaction() as session:
        assert start_due(session, at=clock.now()) == 0
