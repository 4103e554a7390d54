"""Gates: pure functions from evidence about a version to the reasons to reject it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bailiwick.lifecycle.comparing import Paired
from bailiwick.lifecycle.gating import FURTHER_GATES, further_reasons
from bailiwick.lifecycle.tiers import Tier, load_tiers, parse_tiers, tier_named

__all__ = [
    "GATES",
    "WAIVABLE_GATES",
    "Evidence",
    "Paired",
    "Rejection",
    "Tier",
    "load_tiers",
    "parse_tiers",
    "reasons_to_reject",
    "tier_named",
]

# The gates by id, and what each one asks for. `policies/gates.yaml` explains the values. Labels and
# places are no gate: they may move at any time, so promotion asks the policies themselves.
GATES = {
    "evidence": "What the other gates look at is known",
    "min_holdout_rows": "Enough rows to judge by",
    "min_accuracy": "Accuracy",
    "min_gain_over_majority": "Better than always answering the most frequent label",
    "max_unknown_label_ratio": "Knows the labels that occur",
    "max_parameters": "Small enough to run",
    "min_gain_over_champion": "Clearly better than the champion",
    **FURTHER_GATES,
}
# What is unknown cannot be excused: nobody could say what they excuse.
WAIVABLE_GATES = frozenset(GATES) - {"evidence"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the gates look at; None is unknown, and unknown does not pass."""

    holdout_rows: int
    accuracy: float
    macro_f1: float
    majority_accuracy: float
    unknown_label_rows: int
    parameters: int
    champion_accuracy: float | None
    paired: Paired | None
    has_champion: bool
    # By further gate what was measured, `{"unknown": why}` or `{"not_required": why}`.
    measured: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for the evaluation's row."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A gate that was not passed, by its id in `GATES`, and why."""

    gate: str
    reason: str


def reasons_to_reject(evidence: Evidence, tier: Tier) -> list[Rejection]:
    """Why this version may not become champion; empty means that it passed every gate."""
    return [
        *_absolute(evidence, tier),
        *_against_champion(evidence, tier),
        *(Rejection(gate, reason) for gate, reason in further_reasons(evidence.measured, tier)),
    ]


def _absolute(evidence: Evidence, tier: Tier) -> Iterator[Rejection]:
    if evidence.holdout_rows < tier.min_holdout_rows:
        yield Rejection(
            "min_holdout_rows",
            f"only {evidence.holdout_rows} holdout rows, {tier.min_holdout_rows} are needed",
        )
    yield from _accurate(evidence, tier)
    unknown = evidence.unknown_label_rows / max(evidence.holdout_rows, 1)
    if unknown > tier.max_unknown_label_ratio:
        yield Rejection(
            "max_unknown_label_ratio",
            f"{unknown:.1%} of the holdout rows carry labels that it cannot answer, "
            f"{tier.max_unknown_label_ratio:.1%} are allowed",
        )
    if evidence.parameters > tier.max_parameters:
        yield Rejection(
            "max_parameters",
            f"{evidence.parameters:,} parameters, {tier.max_parameters:,} are allowed",
        )


def _accurate(evidence: Evidence, tier: Tier) -> Iterator[Rejection]:
    floor = evidence.majority_accuracy + tier.min_gain_over_majority
    if not (math.isfinite(evidence.accuracy) and math.isfinite(floor)):
        yield Rejection("evidence", "its accuracy, or what it is compared with, is not a number")
        return
    if evidence.accuracy < tier.min_accuracy:
        yield Rejection(
            "min_accuracy",
            f"accuracy {evidence.accuracy:.3f} is below {tier.min_accuracy:.3f}",
        )
    if evidence.accuracy < floor:
        yield Rejection(
            "min_gain_over_majority",
            f"accuracy {evidence.accuracy:.3f} is not {tier.min_gain_over_majority:.3f} above "
            f"always answering the most frequent label ({evidence.majority_accuracy:.3f})",
        )


def _against_champion(evidence: Evidence, tier: Tier) -> Iterator[Rejection]:
    if not evidence.has_champion:
        return
    if evidence.paired is None or not evidence.paired.rows:
        yield Rejection("evidence", "it was not compared with the champion on the same rows")
        return
    low, high = evidence.paired.gain_interval()
    if low > tier.min_gain_over_champion:
        return
    verdict = "worse than" if high < 0 else "not clearly better than"
    yield Rejection(
        "min_gain_over_champion",
        f"{verdict} the champion on the newest labelled rows: {evidence.paired.gain:+.3f} "
        f"accuracy, 95 % interval {low:+.3f} to {high:+.3f}, of which the lower end must "
        f"exceed {tier.min_gain_over_champion:+.3f}",
    )
