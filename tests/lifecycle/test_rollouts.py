"""Rollouts: begun by a promotion, judged by ticks, moved by hand; the champion moves at the end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Conflict, Denied, Invalid
from bailiwick.lifecycle.operation import stop as stop_deployment
from bailiwick.lifecycle.promotion import promote
from bailiwick.lifecycle.promotion import roll_back as roll_back_champion
from bailiwick.lifecycle.rolling_out import advance, judge_one, roll_back, stop
from bailiwick.lifecycle.rollouts import Next, Verdict, plan_of, remove_plan, set_plan
from bailiwick.lifecycle.rollouts.observed import forget_records
from bailiwick.monitoring import Alert, Outcome, log_feedback
from bailiwick.registry import (
    CANARY,
    CHAMPION,
    FULL,
    ROLLED_BACK,
    SHADOW,
    STOPPED,
    Rollout,
    pointed_at,
    routing_of,
    versions_served,
    versions_to_keep_warm,
)
from bailiwick.registry.rollouts import RolloutEvent, RolloutRecord
from factories import Factory
from support.lifecycle_world import audited
from support.rollouts import QUICK, SHADOW_FIRST, begun, moves, observe

HOUR = timedelta(hours=1)


def judged(make: Factory, rollout: Rollout) -> Verdict | None:
    return judge_one(make.session, make.platform, rollout.id, at=make.at)


def alerts(session: Session) -> list[tuple[str, str, str]]:
    found = session.scalars(select(Alert).order_by(Alert.id))
    return [(one.source, one.kind, one.state) for one in found]


def test_without_a_plan_a_promotion_moves_the_champion_at_once(make: Factory) -> None:
    model, data = make.model(), make.dataset_version(make.dataset())
    make.champion(make.model_version(model, data))
    make.deployment(model, make.environment())
    second = make.champion(make.model_version(model, data, accuracy=0.85))
    assert pointed_at(make.session, model.id, CHAMPION) is second
    assert make.session.scalars(select(Rollout)).all() == []


def test_with_a_plan_it_begins_a_rollout_and_the_champion_stays(make: Factory) -> None:
    one = begun(make)
    routing = routing_of(make.session, one.deployment)
    assert (routing.version, routing.challenger) == (one.first, one.second)
    assert (routing.share, routing.shadows) == (0.1, False)
    assert pointed_at(make.session, one.first.model_id, CHAMPION) is one.first
    assert audited(make.session, one.rollout.id) == ["rollout.started"]
    assert versions_served(make.session, [one.deployment])[one.deployment.id] == {
        one.first.id,
        one.second.id,
    }


def test_steps_with_their_time_and_requests_lead_to_the_champion(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make)
    for share in (0.1, 0.5):
        assert one.rollout.share == share
        observe(make.session, one.rollout, CHAMPION, 60, at=make.at)
        observe(make.session, one.rollout, CANARY, 30, at=make.at)
        verdict = judged(make, one.rollout)
        assert verdict == Verdict(Next.WAIT, "the step lasts 1 h")
        clock.advance_to(clock.now() + HOUR)
        judged(make, one.rollout)
    assert (one.rollout.state, one.rollout.share) == (FULL, 1.0)
    assert moves(make.session, one.rollout) == ["started", "advanced", "passed", "completed"]
    assert pointed_at(make.session, one.first.model_id, CHAMPION) is one.second
    assert routing_of(make.session, one.deployment).challenger is None
    assert audited(make.session, one.rollout.id)[-1] == "rollout.completed"
    assert versions_to_keep_warm(make.session, at=make.at) == {one.first.id, one.second.id}
    later = make.at + timedelta(hours=QUICK.warm_hours)
    assert versions_to_keep_warm(make.session, at=later) == set()


def test_requests_of_another_step_do_not_count_for_this_one(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make)
    observe(make.session, one.rollout, CHAMPION, 30, at=make.at)
    observe(make.session, one.rollout, CANARY, 30, at=make.at)
    clock.advance_to(clock.now() + HOUR)
    judged(make, one.rollout)
    clock.advance_to(clock.now() + HOUR)
    verdict = judged(make, one.rollout)
    assert verdict is not None
    assert verdict.why == "0 of 20 requests could be judged in this step"
    assert one.rollout.step == 1


def test_a_canary_without_a_champion_to_compare_with_is_not_judged(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make)
    observe(make.session, one.rollout, CANARY, 100, at=make.at)
    clock.advance_to(clock.now() + HOUR)
    verdict = judged(make, one.rollout)
    assert verdict is not None
    assert verdict.next is Next.WAIT
    assert one.rollout.step == 0


def test_failures_of_the_canary_roll_back_at_once_with_one_alert(make: Factory) -> None:
    one = begun(make)
    observe(make.session, one.rollout, CHAMPION, 90, at=make.at)
    observe(make.session, one.rollout, CANARY, 30, at=make.at, failed=lambda _: True)
    verdict = judged(make, one.rollout)
    assert verdict is not None
    assert verdict.next is Next.ROLL_BACK
    assert one.rollout.state == ROLLED_BACK
    assert one.rollout.ended_why == (
        "errors (canary): +100.0% against the champion on 30 pairs, where 1.0% are tolerated"
    )
    routing = routing_of(make.session, one.deployment)
    assert (routing.version, routing.challenger) == (one.first, None)
    assert alerts(make.session) == [("rollout", "rolled-back", "open")]
    assert judged(make, one.rollout) is None


def test_failures_on_both_sides_are_nobodys_fault(make: Factory) -> None:
    one = begun(make)
    for role in (CHAMPION, CANARY):
        observe(make.session, one.rollout, role, 60, at=make.at, failed=lambda _: True)
    verdict = judged(make, one.rollout)
    assert verdict is not None
    assert verdict.next is Next.WAIT


def test_a_shadow_that_disagrees_is_rolled_back_before_it_answers(make: Factory) -> None:
    one = begun(make, SHADOW_FIRST)
    assert routing_of(make.session, one.deployment).shadows
    observe(make.session, one.rollout, SHADOW, 60, at=make.at, said="Travel")
    judged(make, one.rollout)
    assert one.rollout.state == ROLLED_BACK
    assert "disagreement (shadow): +100.0%" in str(one.rollout.ended_why)


def test_labels_of_shadows_and_of_split_requests_tell_accuracy(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make, replace(SHADOW_FIRST, min_labels=20))
    observe(make.session, one.rollout, SHADOW, 30, at=make.at)
    clock.advance_to(clock.now() + HOUR)
    verdict = judged(make, one.rollout)
    assert verdict is not None
    assert verdict.why == "0 of 20 labels are known in this step"
    label(make, "Fuel")
    judged(make, one.rollout)
    assert one.rollout.state == CANARY
    observe(make.session, one.rollout, CHAMPION, 60, at=make.at)
    observe(make.session, one.rollout, CANARY, 60, at=make.at, said="Travel")
    label(make, "Fuel")
    judged(make, one.rollout)
    assert one.rollout.state == ROLLED_BACK
    assert "accuracy (canary): +100.0%" in str(one.rollout.ended_why)


def label(make: Factory, truth: str) -> None:
    """Feedback on every request of the rollout so far."""
    rollout = make.session.scalars(select(Rollout)).one()
    ids = make.session.scalars(select(RolloutRecord.record_id))
    outcomes = [Outcome(one, truth) for one in ids]
    log_feedback(
        make.session, rollout.deployment_id, outcomes, actor_id=make.engineer.id, at=make.at
    )


def test_too_little_traffic_is_said_once_and_never_advances(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make)
    clock.advance_to(clock.now() + 10 * HOUR)
    told = [judged(make, one.rollout) for _ in range(3)]
    assert [verdict.next for verdict in told if verdict] == [Next.STALL, Next.WAIT, Next.WAIT]
    assert (one.rollout.state, one.rollout.step) == (CANARY, 0)
    assert alerts(make.session) == [("rollout", "stalled", "open")]
    observe(make.session, one.rollout, CHAMPION, 30, at=make.at)
    observe(make.session, one.rollout, CANARY, 30, at=make.at)
    judged(make, one.rollout)
    assert one.rollout.step == 1
    assert alerts(make.session) == [("rollout", "stalled", "resolved")]


def test_a_newer_promotion_supersedes_and_the_same_one_again_changes_nothing(
    make: Factory,
) -> None:
    one = begun(make)
    make.champion(one.second)
    assert moves(make.session, one.rollout) == ["started"]
    data = make.dataset_version(make.dataset("more"))
    third = make.champion(make.model_version(one.second.model, data, accuracy=0.86))
    assert one.rollout.state == STOPPED
    assert one.rollout.ended_why == "superseded by version 3"
    routing = routing_of(make.session, one.deployment)
    assert (routing.version, routing.challenger) == (one.first, third)


def test_by_hand_it_goes_on_without_waiting_but_not_past_a_guard(make: Factory) -> None:
    one = begun(make)
    actor = make.actor(make.engineer)
    by = {"reason": "known to be good", "actor": actor, "at": make.at}
    advance(make.session, make.platform, one.deployment, **by)
    assert one.rollout.step == 1
    observe(make.session, one.rollout, CHAMPION, 90, at=make.at)
    observe(make.session, one.rollout, CANARY, 90, at=make.at, failed=lambda _: True)
    with pytest.raises(Conflict, match="a guard of this rollout is breached"):
        advance(make.session, make.platform, one.deployment, **by)
    judged(make, one.rollout)
    with pytest.raises(Conflict, match="no rollout"):
        advance(make.session, make.platform, one.deployment, **by)


def test_stopping_by_hand_leaves_the_champion_and_no_alert(make: Factory) -> None:
    one = begun(make)
    actor = make.actor(make.engineer)
    stop(make.session, one.deployment, reason="not now", actor=actor, at=make.at)
    assert (one.rollout.state, one.rollout.ended_why) == (STOPPED, "not now")
    assert routing_of(make.session, one.deployment).version is one.first
    assert alerts(make.session) == []


def test_a_completed_rollout_goes_back_while_the_version_before_is_warm(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make)
    by = {"reason": "customers complain", "actor": make.actor(make.engineer)}
    for _ in QUICK.steps:
        advance(make.session, make.platform, one.deployment, at=make.at, **by)
    assert one.rollout.state == FULL
    roll_back(make.session, make.platform, one.deployment, at=make.at, **by)
    assert one.rollout.state == ROLLED_BACK
    assert pointed_at(make.session, one.first.model_id, CHAMPION) is one.first
    clock.advance_to(clock.now() + timedelta(hours=25))
    with pytest.raises(Conflict, match="still warm"):
        roll_back(make.session, make.platform, one.deployment, at=make.at, **by)


def test_rolling_the_champion_back_ends_what_is_under_way(make: Factory) -> None:
    one = begun(make)
    for _ in QUICK.steps:
        advance(
            make.session,
            make.platform,
            one.deployment,
            reason="good",
            actor=make.actor(make.engineer),
            at=make.at,
        )
    data = make.dataset_version(make.dataset("more"))
    make.champion(make.model_version(one.second.model, data, accuracy=0.86))
    roll_back_champion(
        make.session,
        one.first.model_id,
        reason="back",
        rules=make.platform.rules,
        actor=make.actor(make.engineer),
        at=make.at,
    )
    states = make.session.scalars(select(Rollout.state).order_by(Rollout.id)).all()
    assert states == [ROLLED_BACK, STOPPED]


def test_of_two_deployments_one_breach_ends_both_and_the_champion_waits_for_both(
    make: Factory,
) -> None:
    model, data = make.model(), make.dataset_version(make.dataset())
    first = make.champion(make.model_version(model, data))
    places = [make.deployment(model, make.environment(n), name=n) for n in ("here", "there")]
    for place in places:
        set_plan(make.session, place, QUICK, actor_id=make.engineer.id, at=make.at)
    second = make.champion(make.model_version(model, data, accuracy=0.85))
    by = {"reason": "good", "actor": make.actor(make.engineer), "at": make.at}
    for _ in QUICK.steps:
        advance(make.session, make.platform, places[0], **by)
    assert pointed_at(make.session, model.id, CHAMPION) is first
    assert routing_of(make.session, places[0]).share == 0.5
    with pytest.raises(Conflict, match="waits for the other"):
        advance(make.session, make.platform, places[0], **by)
    for _ in QUICK.steps:
        advance(make.session, make.platform, places[1], **by)
    assert pointed_at(make.session, model.id, CHAMPION) is second
    third = make.champion(make.model_version(model, data, accuracy=0.86))
    one, other = make.session.scalars(
        select(Rollout).where(Rollout.to_version_id == third.id).order_by(Rollout.id)
    ).all()
    observe(make.session, one, CHAMPION, 90, at=make.at)
    observe(make.session, one, CANARY, 90, at=make.at, failed=lambda _: True)
    judged(make, one)
    assert [one.state, other.state] == [ROLLED_BACK, ROLLED_BACK]
    assert pointed_at(make.session, model.id, CHAMPION) is second


def test_a_stopped_deployment_stops_its_rollout(make: Factory) -> None:
    one = begun(make)
    actor = make.actor(make.engineer)
    stop_deployment(
        make.session, one.deployment, rules=make.platform.rules, actor=actor, at=make.at
    )
    assert judged(make, one.rollout) is None
    assert one.rollout.ended_why == "the deployment was stopped"


def test_approvals_count_as_of_the_beginning_and_the_starter_must_still_be_allowed(
    make: Factory, clock: ReplayClock
) -> None:
    one = begun(make)
    clock.advance_to(clock.now() + timedelta(days=60))  # by now the approval has expired
    by = {"reason": "good", "actor": make.actor(make.engineer)}
    for _ in QUICK.steps:
        advance(make.session, make.platform, one.deployment, at=make.at, **by)
    assert one.rollout.state == FULL


def test_who_lost_their_role_meanwhile_makes_no_champion(make: Factory) -> None:
    one = begun(make)
    make.engineer.disabled_at = make.at
    make.session.flush()
    verdict = judged(make, one.rollout)
    assert verdict is not None
    assert verdict.next is Next.ROLL_BACK
    assert "may not see the version any more" in str(one.rollout.ended_why)
    assert pointed_at(make.session, one.first.model_id, CHAMPION) is one.first


def test_a_plan_is_checked_audited_and_removed(make: Factory) -> None:
    deployment = make.running()
    by = {"actor_id": make.engineer.id, "at": make.at}
    set_plan(make.session, deployment, QUICK, **by)
    set_plan(make.session, deployment, QUICK, **by)
    assert plan_of(make.session, deployment.id) == QUICK
    remove_plan(make.session, deployment, **by)
    assert plan_of(make.session, deployment.id) is None
    acts = [one for one in audited(make.session, deployment.id) if "plan" in one]
    assert acts == ["rollout-plan.set", "rollout-plan.removed"]
    with pytest.raises(Invalid, match="no webhook channel"):
        set_plan(make.session, deployment, replace(QUICK, channel="nowhere"), **by)


def test_what_the_environment_is_not_cleared_for_is_not_rolled_out(make: Factory) -> None:
    one = begun(make)
    one.deployment.environment.clearance_level = "internal"
    make.session.flush()
    data = make.dataset_version(make.dataset("more"))
    version = make.model_version(one.second.model, data, accuracy=0.86)
    with pytest.raises(Denied):
        promote(
            make.session,
            version,
            reason="x",
            mandate=True,
            rules=make.platform.rules,
            tiers=make.platform.tiers,
            actor=make.actor(make.engineer),
            at=make.at,
        )


def test_requests_of_long_ended_rollouts_are_forgotten_and_their_evidence_is_not(
    make: Factory,
) -> None:
    one = begun(make)
    observe(make.session, one.rollout, CHAMPION, 60, at=make.at)
    observe(make.session, one.rollout, CANARY, 60, at=make.at, failed=lambda _: True)
    judged(make, one.rollout)
    assert forget_records(make.session, at=make.at + timedelta(days=29)) == 0
    assert forget_records(make.session, at=make.at + timedelta(days=31)) == 120
    event = make.session.scalars(select(RolloutEvent).order_by(RolloutEvent.number.desc())).first()
    assert event is not None
    assert event.evidence["wagers"]["canary:errors"]["rows"] == 60
