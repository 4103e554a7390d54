"""Shapes of rollouts: plans, where one stands, its guards and moves."""

from typing import Any, TypedDict


class RolloutPlan(TypedDict):
    """A deployment's plan, and who set it."""

    settings: dict[str, Any]
    digest: str
    set_by: str
    set_at: str


class Guard(TypedDict):
    """How much worse a new version was, and the evidence that it is too much.

    It is breached when `log_evidence` reaches `log_threshold` (natural logarithms).
    """

    phase: str
    guard: str
    pairs: int
    worse_by: float | None
    tolerated: float
    log_evidence: float
    log_threshold: float
    breached: bool


class RolloutMove(TypedDict):
    """One move of a rollout."""

    number: int
    move: str
    old_state: str | None
    new_state: str
    step: int
    share: float
    why: str
    actor_id: str
    at: str


class RolloutRun(TypedDict):
    """A rollout: from which version to which, where it stands, and what its guards say."""

    id: str
    deployment_id: str
    from_version: int
    to_version: int
    state: str
    step: int
    steps: int
    share: float
    requests: int
    labels: int
    guards: list[Guard]
    plan: dict[str, Any]
    reason: str
    started_by: str
    started_at: str
    step_started_at: str
    passed_at: str | None
    stalled_at: str | None
    ended_at: str | None
    ended_why: str | None
    warm_until: str | None


class RolloutDetail(RolloutRun):
    """A rollout with all its moves."""

    moves: list[RolloutMove]
