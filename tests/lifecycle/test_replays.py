"""Backtests as jobs: of what was known when, once for the same content, for whom it is allowed."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.lifecycle import run_next
from bailiwick.lifecycle.backtest import Unit, refits
from bailiwick.lifecycle.jobs import JobState
from bailiwick.lifecycle.replays import evidence_of, history
from bailiwick.lifecycle.replays.orders import source_of
from bailiwick.lifecycle.retraining_policies import (
    ask_for_policy_approval,
    update_retraining_policy,
)
from bailiwick.lifecycle.tables import BacktestResult, Job, RetrainingPolicy
from bailiwick.lineage import LineageEdge, Run
from bailiwick.monitoring import Outcome, RecordSegment, log_feedback, set_terms
from bailiwick.monitoring.keeping import Keeping, archive_next, set_keeping
from bailiwick.policy import ApprovalRequest, DeniedByPolicy, load_actor
from bailiwick.registry import Deployment
from support.backtests import InProcess
from support.lifecycle_world import World, audited
from support.replayed_history import Past, begin_of_month

pytestmark = pytest.mark.torch


@pytest.fixture
def past(world: World, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch) -> Past:
    monkeypatch.setattr(refits, "_Child", InProcess)
    InProcess.asked = []
    return Past(world, clock, months=5)


def carried_out(past: Past, backtest: UUID) -> Job:
    assert run_next(past.world.platform, owner="w1")
    with past.world.platform.database.reading() as session:
        return session.get_one(Job, past.backtest(backtest).job_id)


def result_of(past: Past, backtest: UUID) -> tuple[BacktestResult, dict[str, Any]]:
    with past.world.platform.database.reading() as session:
        query = select(BacktestResult).where(BacktestResult.backtest_id == backtest)
        found = session.scalars(query).one()
    return found, json.loads(past.world.platform.blobs.read_bytes(found.digest))


def models() -> set[tuple[int, ...]]:
    return {tuple(one["learn"]) for one in InProcess.asked}


def read(past: Past, **settings: Any) -> history.History:
    with past.world.platform.database.reading() as session:
        source = source_of(
            session, deployment=session.get_one(Deployment, past.world.deployment.id)
        )
        given, now = past.settings("frozen", **settings), past.clock.now()
        return history.read_history(session, past.world.platform, source, given, at=now)


def test_a_deployment_s_months_are_replayed_and_kept_as_evidence(past: Past) -> None:
    past.live()
    asked = past.order(past.settings("frozen", "every-period", "periodic:2"))
    job = carried_out(past, asked)
    assert job.state == JobState.SUCCEEDED, job.error
    found, result = result_of(past, asked)
    frozen, every, second = result["summary"]["strategies"]
    assert (frozen["retrains"], every["retrains"], second["retrains"]) == (0, 3, 1)
    assert frozen["accuracy"] < second["accuracy"] <= every["accuracy"]
    assert (frozen["recovered_ratio"], every["regret_answers"]) == (0.0, 0)
    assert every["cost_answers"] == frozen["cost_answers"] - frozen["regret_answers"] + 150
    assert [one["period"] for one in result["periods"]] == [f"2026-0{n}" for n in range(3, 7)]
    assert found.summary["rows"] == 4 * 90
    assert [one["rows"] for one in result["strategies"]["frozen"]] == [90] * 4
    with past.world.platform.database.reading() as session:
        assert audited(session, asked) == ["backtest.ordered", "backtest.finished"]
        run = session.scalars(select(Run).where(Run.job_id == job.id)).one()
        read_by = select(LineageEdge.node_id).where(LineageEdge.run_id == run.id)
        assert session.scalars(read_by).all() == [past.world.champion_id]


def test_the_same_rows_and_settings_are_replayed_once(past: Past) -> None:
    past.live()
    settings = past.settings("frozen", "every-period")
    first, second = past.order(settings), past.order(settings)
    carried_out(past, first)
    trained, asked = models(), len(InProcess.asked)
    assert carried_out(past, second).state == JobState.SUCCEEDED
    assert len(InProcess.asked) == asked
    assert result_of(past, first)[0].digest == result_of(past, second)[0].digest
    past.order(past.settings("frozen", "every-period", "periodic:2"))
    run_next(past.world.platform, owner="w1")  # other strategies, the same models
    assert models() == trained


def test_labels_that_came_after_their_time_are_not_seen(past: Past) -> None:
    past.live(late=20)
    at_once, later = read(past), read(past, label_delay=2)
    assert (at_once.frame.num_rows, at_once.late_rows) == (5 * 70, 4 * 20)
    assert (later.frame.num_rows, later.late_rows) == (5 * 90 - 20, 0)


def test_archived_days_are_replayed_like_the_others(past: Past) -> None:
    past.live()
    before, platform = read(past).frame, past.world.platform
    with platform.database.transaction() as session:
        by: dict[str, Any] = {"actor_id": past.world.engineer_id, "at": past.clock.now()}
        identifier = past.world.deployment.id
        ages = {"max_ahead_seconds": 300, "max_age_days": 30, "rejected_days": 30}
        set_terms(session, identifier, segments=(), **ages, **by)
        set_keeping(session, identifier, Keeping(hot_days=30), **by)
    folder = platform.settings.work_folder / "segments"
    while archive_next(platform.database, platform.blobs, folder, at=past.clock.now()):
        pass
    with platform.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(RecordSegment))
    assert read(past).frame == before


def test_a_label_corrected_later_is_replayed_as_it_stood(past: Past) -> None:
    past.live()
    before = read(past, until=past.clock.now() - timedelta(days=40)).frame
    with past.world.platform.database.transaction() as session:
        from_now = [Outcome("0-0", "Books"), Outcome("0-1", "Books")]
        log_feedback(
            session,
            past.world.deployment.id,
            from_now,
            actor_id=past.world.engineer_id,
            at=past.clock.now(),
        )
    assert read(past, until=past.clock.now() - timedelta(days=40)).frame == before


def test_a_policy_is_replayed_by_its_own_triggers(past: Past) -> None:
    past.live()
    with past.world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, past.world.policy.id)
        actor = load_actor(session, past.world.engineer_id)
        changes = {
            "on_alert": [],
            "triggers": [{"kind": "new-labels", "value": 150}],
            "cooldown_days": 0,
        }
        update_retraining_policy(session, policy, changes, actor=actor, at=past.clock.now())
    asked = past.order(
        past.settings("policy", "frozen", "hindsight", since=begin_of_month(1)), policy=True
    )
    assert carried_out(past, asked).error is None
    _, result = result_of(past, asked)
    retrained = [one["retrained"] for one in result["strategies"]["policy"]]
    assert retrained == [False, True, False, False]  # 180 labels after two months
    assert [one["strategy"] for one in result["summary"]["strategies"]] == [
        "policy",
        "frozen",
        "hindsight:1",
    ]


def test_the_answer_is_laid_before_those_who_approve_the_policy(past: Past) -> None:
    past.live()
    with past.world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, past.world.policy.id)
        actor = load_actor(session, past.world.engineer_id)
        update_retraining_policy(
            session, policy, {"cooldown_days": 3}, actor=actor, at=past.clock.now()
        )
        request = ask_for_policy_approval(session, policy, actor=actor, at=past.clock.now()).id
    asked = past.order(past.settings("policy", since=begin_of_month(1)), policy=True)
    carried_out(past, asked)
    found, _ = result_of(past, asked)
    attached = {"type": "backtest", "id": str(asked), "digest": found.digest}
    with past.world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, past.world.policy.id)
        assert session.get_one(ApprovalRequest, request).evidence == [attached]
        assert audited(session, request) == ["approval.requested", "approval.evidence-attached"]
        assert evidence_of(session, policy) == [attached]


def test_a_policy_that_changed_meanwhile_is_not_replayed(past: Past) -> None:
    past.live()
    asked = past.order(past.settings("policy"), policy=True)
    with past.world.platform.database.transaction() as session:
        policy = session.get_one(RetrainingPolicy, past.world.policy.id)
        actor = load_actor(session, past.world.engineer_id)
        changes = {"cooldown_days": 1}
        update_retraining_policy(session, policy, changes, actor=actor, at=past.clock.now())
    job = carried_out(past, asked)
    assert (job.state, "has changed since" in (job.error or "")) == (JobState.FAILED, True)


def test_rows_may_be_replayed_only_for_a_purpose_of_their_label(past: Past) -> None:
    with pytest.raises(DeniedByPolicy, match="may not be used for this purpose"):
        past.order(past.settings("frozen", purpose="marketing"))


def test_nothing_to_replay_says_why(past: Past) -> None:
    asked = past.order(past.settings("frozen"))
    assert "there is nothing to replay before 2026-01-01" in str(carried_out(past, asked).error)


def test_settings_that_cannot_be_replayed_are_refused(past: Past) -> None:
    for given in ({"since": past.clock.now()}, {"label_delay": -1}):
        with pytest.raises(Invalid):
            past.settings("frozen", **given)
    with pytest.raises(Invalid, match="no strategy 'yearly'"):
        past.settings("yearly")
    with pytest.raises(Invalid, match="name one \\(policy_id\\)"):
        past.order(past.settings("policy"))


def test_settings_come_back_from_json_as_they_were(past: Past) -> None:
    given = past.settings("policy", "cost-aware", since=past.clock.now() - timedelta(days=9))
    assert type(given).from_json(json.loads(json.dumps(given.to_json()))) == given
    assert given.period is Unit.MONTH
