"""A rollout from one taxonomy to the next: a renamed label is the same answer on both sides."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle.rolling_out import judge_one
from bailiwick.lineage import Dataset
from bailiwick.lineage.taxonomies import Renames, set_taxonomy
from bailiwick.monitoring import Outcome, log_feedback
from bailiwick.registry import CANARY, CHAMPION, ROLLED_BACK, SHADOW, Rollout
from bailiwick.registry.rollouts import RolloutRecord
from factories import Factory
from support.rollouts import SHADOW_FIRST, Begun, begun, observe

LABELLED = replace(SHADOW_FIRST, min_labels=20)


def rename(make: Factory, **names: str | None) -> None:
    dataset = make.session.scalars(select(Dataset)).one()
    said = {"reason": "x", "actor_id": make.engineer.id, "at": make.at}
    set_taxonomy(make.session, dataset, Renames(names), **said)


def label(make: Factory, rollout: Rollout, role: str, truth: str) -> None:
    of_role = select(RolloutRecord.record_id).where(RolloutRecord.role == role)
    outcomes = [Outcome(one, truth) for one in make.session.scalars(of_role)]
    session, who = make.session, make.engineer.id
    log_feedback(session, rollout.deployment_id, outcomes, actor_id=who, at=make.at)


def judged(make: Factory, one: Begun) -> str:
    judge_one(make.session, make.platform, one.rollout.id, at=make.at)
    return one.rollout.state


@pytest.mark.parametrize("truth", ["Fuel", "Mobility"])
def test_the_new_name_in_the_shadow_is_no_disagreement_and_labels_are_right_by_either(
    make: Factory, clock: ReplayClock, truth: str
) -> None:
    one = begun(make, LABELLED)
    rename(make, Fuel="Mobility")
    observe(make.session, one.rollout, SHADOW, 60, at=make.at, said="Mobility")
    clock.advance_to(clock.now() + timedelta(hours=1))
    label(make, one.rollout, SHADOW, truth)
    assert judged(make, one) == CANARY
    observe(make.session, one.rollout, CHAMPION, 60, at=make.at)
    observe(make.session, one.rollout, CANARY, 60, at=make.at, said="Mobility")
    for role in (CHAMPION, CANARY):
        label(make, one.rollout, role, truth)
    assert judged(make, one) == CANARY


def test_an_answer_that_is_another_one_now_is_a_disagreement(make: Factory) -> None:
    one = begun(make, LABELLED)
    rename(make, Fuel="Mobility")
    observe(make.session, one.rollout, SHADOW, 60, at=make.at, said="Travel")
    assert judged(make, one) == ROLLED_BACK


def test_a_label_that_was_given_up_says_nothing_and_keeps_no_other_one_waiting(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make, LABELLED)
    rename(make, Cheque=None)
    observe(make.session, one.rollout, SHADOW, 60, at=make.at)
    label(make, one.rollout, SHADOW, "Cheque")
    clock.advance_to(clock.now() + timedelta(hours=1))
    assert judged(make, one) == SHADOW
    assert one.rollout.evidence["labels"] == 0
    observe(make.session, one.rollout, SHADOW, 30, at=make.at)
    label(make, one.rollout, SHADOW, "Fuel")
    assert judged(make, one) == CANARY
