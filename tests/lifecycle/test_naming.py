"""Labels that come under an old name count as what they are called now."""

from datetime import timedelta
from uuid import UUID

import pytest

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import checks, run_next
from bailiwick.lifecycle.considering import start_due
from bailiwick.lifecycle.retraining_policies import update_retraining_policy
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.lineage import Dataset
from bailiwick.lineage.taxonomies import Renames, set_taxonomy
from bailiwick.monitoring import CheckResult, Outcome
from bailiwick.monitoring.naming import read_as
from bailiwick.policy import load_actor
from support.lifecycle_children import FakeReports
from support.lifecycle_world import (
    MIN_ROWS,
    World,
    approve_again,
    bring,
    job_of,
    order_check,
    requests,
)

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
    job_id = order_check(world)
    assert run_next(world.platform, owner="w1")
    job = job_of(world, job_id)
    assert job.error is None
    assert job.result is not None
    with world.platform.database.reading() as session:
        return session.get_one(CheckResult, UUID(job.result["check_id"]))


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
    ("names", "label", "jobs"),
    [
        ({}, "Petrol", 1),
        ({"Petrol": "Fuel"}, "Petrol", 0),
        ({"Petrol": None}, "Petrol", 0),
        ({"Fuel": "Mobility"}, "Mobility", 0),  # what the champion's own class is called now
    ],
)
def test_a_name_of_a_class_that_is_known_is_no_new_class(
    world: World, clock: ReplayClock, names: dict[str, str | None], label: str, jobs: int
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
    bring(world, inferences, [Outcome(one.record_id, label) for one in outcomes])
    with world.platform.database.transaction() as session:
        assert start_due(session, at=clock.now()) == jobs
