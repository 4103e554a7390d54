"""Rollouts under company and under kills: each request is judged once, each move made once."""

import pytest
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Conflict
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.promotion import promote
from bailiwick.lifecycle.rolling_out import judge_all
from bailiwick.lifecycle.rollouts import Plan
from bailiwick.policy import load_actor
from bailiwick.registry import (
    CANARY,
    CHAMPION,
    FULL,
    ModelVersion,
    Rollout,
    pointed_at,
    routing_of,
)
from support.lifecycle_world import at_once, factory_again, rival_of
from support.rollouts import commit_begun, moves, observe


def test_ticks_of_two_processes_at_once_judge_each_request_once(
    platform: Platform, clock: ReplayClock
) -> None:
    one = commit_begun(platform, Plan(canary_shares=(0.5,), step_hours=0, min_requests=200))
    with platform.database.transaction() as session:
        observe(session, one.rollout, CHAMPION, 100, at=clock.now())
        observe(session, one.rollout, CANARY, 100, at=clock.now())
    with rival_of(platform) as rival:
        at_once(*(lambda mine=mine: judge_all(mine) for mine in (platform, rival) * 2))
    with platform.database.reading() as session:
        rollout = session.get_one(Rollout, one.rollout.id)
        assert rollout.evidence["requests"] == 100
        assert rollout.evidence["wagers"]["canary:errors"]["rows"] == 100
        assert moves(session, rollout) == ["started"]


def test_a_tick_that_dies_midway_leaves_nothing_half_done(
    platform: Platform, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = commit_begun(platform, Plan(canary_shares=(0.5,), step_hours=0, min_requests=50))
    with platform.database.transaction() as session:
        observe(session, one.rollout, CHAMPION, 100, at=clock.now())
        observe(session, one.rollout, CANARY, 100, at=clock.now())

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("bailiwick.lifecycle.rolling_out.promote", die)
        with pytest.raises(KeyboardInterrupt):
            judge_all(platform)
    with platform.database.reading() as session:
        rollout = session.get_one(Rollout, one.rollout.id)
        assert (rollout.state, rollout.evidence["requests"]) == (CANARY, 0)
        champion = pointed_at(session, rollout.model_id, CHAMPION)
        assert champion is not None
        assert champion.id == one.first.id
    judge_all(platform)
    with platform.database.reading() as session:
        rollout = session.get_one(Rollout, one.rollout.id)
        assert rollout.state == FULL
        assert rollout.evidence["wagers"]["canary:errors"]["rows"] == 100
        assert moves(session, rollout) == ["started", "passed", "completed"]
        assert (
            routing_of(session, session.merge(one.deployment, load=False)).version.id
            == one.second.id
        )


def test_a_rollout_goes_on_in_another_process_where_the_one_before_stopped(
    platform: Platform, clock: ReplayClock
) -> None:
    one = commit_begun(platform, Plan(canary_shares=(0.5,), step_hours=0, min_requests=50))
    for half in range(2):
        with platform.database.transaction() as session:
            observe(session, one.rollout, CHAMPION, 25, at=clock.now(), prediction=f"of-{half}")
            observe(session, one.rollout, CANARY, 25, at=clock.now(), prediction=f"of-{half}")
        with rival_of(platform) as process:
            judge_all(process)
        clock.advance_to(clock.now().replace(minute=half + 1))
    with platform.database.reading() as session:
        rollout = session.get_one(Rollout, one.rollout.id)
        assert rollout.state == FULL
        assert rollout.evidence["wagers"]["canary:errors"]["rows"] == 50


def test_a_promotion_and_a_judging_at_the_same_moment_leave_one_rollout_under_way(
    platform: Platform, clock: ReplayClock
) -> None:
    one = commit_begun(platform, Plan(canary_shares=(0.5,), step_hours=0, min_requests=10))
    with platform.database.transaction() as session:
        observe(session, one.rollout, CHAMPION, 20, at=clock.now())
        observe(session, one.rollout, CANARY, 20, at=clock.now())
        make = factory_again(session, platform)
        data = make.dataset_version(make.dataset("more"))
        third = make.model_version(session.merge(one.second).model, data, accuracy=0.86)
        engineer_id, third_id = make.engineer.id, third.id

    def promote_third(mine: Platform) -> None:
        with mine.database.transaction() as session:
            promote(
                session,
                session.get_one(ModelVersion, third_id),
                reason="newer",
                mandate=True,
                rules=mine.rules,
                tiers=mine.tiers,
                actor=load_actor(session, engineer_id),
                at=mine.clock.now(),
            )

    with rival_of(platform) as rival:
        told = at_once(lambda: judge_all(platform), lambda: promote_third(rival))
    assert all(not isinstance(one, Exception) or isinstance(one, Conflict) for one in told)
    with platform.database.reading() as session:
        states = session.execute(select(Rollout.state, Rollout.ended_why)).all()
        ended = {state for state, _ in states}
        # Either the newer one superseded, or it came too late: its champion had been replaced.
        assert ended in ({"stopped", "canary"}, {FULL})
