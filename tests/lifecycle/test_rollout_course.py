"""Plans, guards and what follows from them: pure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bailiwick.core.errors import Conflict, Invalid
from bailiwick.lifecycle.rollouts import Evidence, Limits, Next, Plan, Progress, Reference, judge
from bailiwick.lifecycle.rollouts.course import TRANSITIONS, require_move
from bailiwick.lifecycle.rollouts.guards import (
    Answer,
    Curve,
    bets_of,
    judged_labels,
    judged_pairs,
    judged_split,
    standings,
)
from bailiwick.registry import CANARY, FULL, ROLLED_BACK, SHADOW, STOPPED

AT = datetime(2026, 1, 5, tzinfo=UTC)
FLAT = Curve((0.5,), (0.4, 0.8))
KNOWN = Reference(slow_ms=100.0, champion=FLAT, challenger=FLAT)
PLAN = Plan(shadow_hours=1, canary_shares=(0.5,), step_hours=2, min_requests=10, max_hours=5)
FINE = Answer(failed=False, prediction="Fuel", confidence=0.9, latency_ms=20.0)
FAILED = Answer(failed=True)


def after(hours: float) -> datetime:
    return AT + timedelta(hours=hours)


def progress(**more: Any) -> Progress:
    return Progress(
        **{"step": 0, "has_passed": False, "has_stalled": False, **more}, step_started_at=AT
    )


def breached(evidence: Evidence, reference: Reference = KNOWN, plan: Plan = PLAN) -> list[str]:
    return [
        f"{one.phase}:{one.guard}" for one in standings(evidence, plan, reference) if one.breached
    ]


def test_a_step_takes_its_time_and_its_requests_and_then_the_next_one_comes() -> None:
    few = Evidence(requests=9)
    enough = Evidence(requests=10)
    told = {
        name: judge(PLAN, KNOWN, evidence, progress(**more), at=after(hours)).next
        for name, evidence, hours, more in (
            ("early", enough, 0.9, {}),
            ("few", few, 4.9, {}),
            ("due", enough, 1.0, {}),
            ("canary is longer", enough, 1.5, {"step": 1}),
            ("stalled", few, 5.0, {}),
            ("said already", few, 6.0, {"has_stalled": True}),
            ("late and enough", enough, 6.0, {"has_stalled": True}),
            ("waits for others", enough, 6.0, {"has_passed": True}),
        )
    }
    assert told == {
        "early": Next.WAIT,
        "few": Next.WAIT,
        "due": Next.ADVANCE,
        "canary is longer": Next.WAIT,
        "stalled": Next.STALL,
        "said already": Next.WAIT,
        "late and enough": Next.ADVANCE,
        "waits for others": Next.WAIT,
    }


def test_a_breach_rolls_back_before_time_is_looked_at_and_also_while_it_waits() -> None:
    evidence = judged_split(Evidence(), [FINE] * 40, [FAILED] * 40, PLAN, KNOWN)
    for where in (progress(step=1), progress(step=1, has_passed=True)):
        verdict = judge(PLAN, KNOWN, evidence, where, at=AT)
        assert verdict.next is Next.ROLL_BACK
        assert verdict.why.startswith("errors (canary): +100.0% against the champion on 40 pairs")


def test_each_guard_sees_its_own_harm() -> None:
    slow = Answer(failed=False, prediction="Fuel", confidence=0.9, latency_ms=500.0)
    unsure = Answer(failed=False, prediction="Fuel", confidence=0.3, latency_ms=20.0)
    other = Answer(failed=False, prediction="Food", confidence=0.9, latency_ms=20.0)
    found = {
        name: breached(judged_pairs(Evidence(), [(FINE, one)] * 120, PLAN, KNOWN))
        for name, one in {"slow": slow, "unsure": unsure, "other": other, "fine": FINE}.items()
    }
    assert found == {
        "slow": ["shadow:latency"],
        "unsure": ["shadow:estimated-accuracy"],
        "other": ["shadow:disagreement"],
        "fine": [],
    }


def test_labels_speak_of_accuracy_alone() -> None:
    right = Answer(failed=False, prediction="Fuel", label="Fuel")
    wrong = Answer(failed=False, prediction="Food", label="Fuel")
    evidence = judged_labels(Evidence(), [(right, wrong)] * 60, [], [], PLAN, KNOWN)
    assert (breached(evidence), evidence.labels, evidence.requests) == (["shadow:accuracy"], 60, 0)
    evidence = judged_labels(Evidence(), [], [right] * 60, [wrong] * 60, PLAN, KNOWN)
    assert breached(evidence) == ["canary:accuracy"]


def test_guards_without_a_reference_or_limit_do_not_act_and_give_their_share_to_others() -> None:
    assert len(bets_of(PLAN, KNOWN)) == 9
    assert len(bets_of(PLAN, Reference())) == 5
    lenient = Plan(limits=Limits(disagreement=None, estimated_accuracy=None, accuracy=None))
    assert list(bets_of(lenient, KNOWN)) == ["canary:errors", "canary:latency"]


def test_evidence_goes_through_json_to_the_last_bit() -> None:
    evidence = judged_split(Evidence(), [FINE] * 9, [FAILED, FINE, FINE], PLAN, KNOWN)
    assert Evidence.from_json(evidence.to_json()) == evidence
    assert Reference.from_json(KNOWN.to_json()) == KNOWN
    assert Plan.from_json(PLAN.to_json()) == PLAN


def test_states_move_by_one_table_and_an_end_is_an_end() -> None:
    assert set(TRANSITIONS) == {SHADOW, CANARY, FULL, STOPPED, ROLLED_BACK}
    require_move(FULL, ROLLED_BACK)
    for old, new in ((FULL, CANARY), (STOPPED, CANARY), (ROLLED_BACK, FULL), (CANARY, SHADOW)):
        with pytest.raises(Conflict, match="cannot become"):
            require_move(old, new)


@pytest.mark.parametrize(
    "settings",
    [
        {"canary_shares": ()},
        {"canary_shares": (0.5, 0.5)},
        {"canary_shares": (1.0,)},
        {"max_hours": 1.0},
        {"min_requests": 0},
        {"false_rollbacks": 0.9},
        {"grace_minutes": 0.0},
        {"warm_hours": -1.0},
        {"served": "elsewhere", "shadow_hours": 1.0},
        {"served": "nowhere"},
    ],
    ids="-".join,
)
def test_plans_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Plan(**settings)


def test_settings_that_there_are_not_are_refused() -> None:
    with pytest.raises(Invalid, match="no setting 'colour'"):
        Plan.from_json({"colour": "red"})
    with pytest.raises(Invalid, match="disagreement"):
        Limits(disagreement=0.0)
