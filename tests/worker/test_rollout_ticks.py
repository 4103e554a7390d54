"""The scheduler takes rollouts on, watches what other systems serve, and forgets old requests."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.rollouts import Plan
from bailiwick.monitoring import Alert, log_inferences
from bailiwick.registry import CANARY, CHAMPION, Rollout, RolloutRecord
from bailiwick.worker import ticks
from support.lifecycle_world import requests
from support.rollouts import commit_begun, observe


def test_a_breach_is_answered_by_the_next_tick_and_its_requests_go_after_a_month(
    platform: Platform, clock: ReplayClock
) -> None:
    one = commit_begun(platform)
    ticks.judge_rollouts(platform)
    with platform.database.transaction() as session:
        observe(session, one.rollout, CHAMPION, 60, at=clock.now())
        observe(session, one.rollout, CANARY, 60, at=clock.now(), failed=lambda _: True)
    ticks.judge_rollouts(platform)
    with platform.database.reading() as session:
        assert session.get_one(Rollout, one.rollout.id).state == "rolled-back"
    clock.advance_to(clock.now() + timedelta(days=31))
    ticks.forget_rollout_records(platform)
    with platform.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(RolloutRecord)) == 0


def test_another_system_that_does_not_follow_is_told_of(
    platform: Platform, clock: ReplayClock
) -> None:
    one = commit_begun(platform, Plan(canary_shares=(0.5,), served="elsewhere"))
    ticks.check_served_elsewhere(platform)
    clock.advance_to(clock.now() + timedelta(minutes=31))
    with platform.database.transaction() as session:
        rollout = session.get_one(Rollout, one.rollout.id)
        rollout.to_version_id = one.first.id  # as if the second one had never been told
        inferences, _ = requests(3, first=clock.now(), text=None)
        lately = [replace(each, at=clock.now()) for each in inferences]
        log_inferences(session, one.deployment.id, one.second.id, lately, at=clock.now())
    ticks.check_served_elsewhere(platform)
    with platform.database.reading() as session:
        assert session.scalars(select(Alert.kind)).all() == ["wrong-version"]
