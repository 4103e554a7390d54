"""What a rollout does next: states, their transitions, and one pure judgement.

shadow → canary (a share after the other) → full → rolled-back; from every state before full also
stopped (by hand, or by a newer promotion) or rolled-back (by a guard, or by hand).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bailiwick.core.durations import duration
from bailiwick.core.errors import Conflict
from bailiwick.lifecycle.rollouts.guards import Evidence, Reference, Standing, standings
from bailiwick.lifecycle.rollouts.plans import Plan
from bailiwick.registry import CANARY, FULL, ROLLED_BACK, SHADOW, STOPPED

TRANSITIONS: dict[str, frozenset[str]] = {
    SHADOW: frozenset({CANARY, FULL, STOPPED, ROLLED_BACK}),
    CANARY: frozenset({CANARY, FULL, STOPPED, ROLLED_BACK}),
    FULL: frozenset({ROLLED_BACK}),
    STOPPED: frozenset(),
    ROLLED_BACK: frozenset(),
}


class Next(StrEnum):
    """What is to be done."""

    WAIT = "wait"
    ADVANCE = "advance"  # to the step after this one, or, after the last, to pass
    ROLL_BACK = "roll-back"
    STALL = "stall"  # too little traffic for too long: say so, and wait on


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done, and why in a sentence."""

    next: Next
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rollout stands within its step."""

    step: int
    step_started_at: datetime
    has_passed: bool
    has_stalled: bool


def require_move(old: str, new: str) -> None:
    """`Conflict` if the table has no such transition."""
    if new not in TRANSITIONS[old]:
        raise Conflict(f"this rollout is {old} and cannot become {new}")


def judge(
    plan: Plan, reference: Reference, evidence: Evidence, progress: Progress, *, at: datetime
) -> Verdict:
    """A breach rolls back, whatever the time; else steps need their hours and their requests.

    What is not known holds a rollout where it is: it is never advanced for lack of traffic.
    """
    broken = [one for one in standings(evidence, plan, reference) if one.breached]
    if broken:
        return Verdict(Next.ROLL_BACK, "; ".join(map(_said, broken)))
    if progress.has_passed:
        return Verdict(Next.WAIT, "it is through its steps and waits for the other deployments")
    step = plan.steps[progress.step]
    for_hours = at - progress.step_started_at
    lacking = _lacking(plan, evidence)
    if lacking is None and for_hours >= timedelta(hours=step.hours):
        return Verdict(
            Next.ADVANCE,
            f"{_said_hours(step.hours)} and {evidence.requests:,} requests without a breach",
        )
    if lacking is None:
        return Verdict(Next.WAIT, f"the step lasts {_said_hours(step.hours)}")
    if for_hours >= timedelta(hours=plan.max_hours) and not progress.has_stalled:
        return Verdict(Next.STALL, f"after {_said_hours(plan.max_hours)} {lacking}")
    return Verdict(Next.WAIT, lacking)


def _lacking(plan: Plan, evidence: Evidence) -> str | None:
    if evidence.requests < plan.min_requests:
        return (
            f"{evidence.requests:,} of {plan.min_requests:,} requests could be judged in this step"
        )
    if evidence.labels < plan.min_labels:
        return f"{evidence.labels:,} of {plan.min_labels:,} labels are known in this step"
    return None


def _said_hours(hours: float) -> str:
    return duration(hours * 3_600)


def _said(one: Standing) -> str:
    worse = 0.0 if one.worse_by is None else one.worse_by
    return (
        f"{one.guard} ({one.phase}): {worse:+.1%} against the champion on {one.pairs:,} pairs, "
        f"where {one.tolerated:.1%} are tolerated"
    )
