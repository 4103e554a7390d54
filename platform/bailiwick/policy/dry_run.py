"""Recorded questions put to other policies: which answers would change.

What changes nothing and was allowed is counted, not kept, and so is not asked here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bailiwick.policy.bundles import Rules
from bailiwick.policy.questions import Question

LAST_DECISIONS = 1_000
SHOWN_IDS = 50  # of each group; the count says how many there are


@dataclass(frozen=True, slots=True)
class Change:
    """Decisions on one action that would turn from one answer into the other, alike.

    `before` are the policies that decided them, `after` those that would.
    """

    now_allowed: bool
    action: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    decision_ids: tuple[UUID, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "answer": "allow" if self.now_allowed else "deny",
            "action": self.action,
            "before": list(self.before),
            "after": list(self.after),
            "count": len(self.decision_ids),
            "decisions": [str(identifier) for identifier in self.decision_ids[:SHOWN_IDS]],
        }


@dataclass(frozen=True, slots=True)
class DryRun:
    """What other policies would have answered. `unfit` no longer fit the schema: all are denied."""

    asked: int
    changes: tuple[Change, ...]
    unfit: tuple[UUID, ...]

    def count(self, *, now_allowed: bool) -> int:
        """How many decisions would turn to this answer."""
        return sum(len(c.decision_ids) for c in self.changes if c.now_allowed == now_allowed)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "asked": self.asked,
            "now_allowed": self.count(now_allowed=True),
            "now_denied": self.count(now_allowed=False),
            "changes": [change.to_dict() for change in self.changes],
            "unfit": {
                "count": len(self.unfit),
                "decisions": [str(identifier) for identifier in self.unfit[:SHOWN_IDS]],
            },
        }


def dry_run(questions: Iterable[Question], *, now: Rules, proposed: Rules) -> DryRun:
    """Put recorded questions to `proposed`, and compare with what is answered now.

    What was decided under other policies than those in force is asked of these again, so that a
    difference is one that the proposal makes.
    """
    grouped: dict[tuple[bool, str, tuple[str, ...], tuple[str, ...]], list[UUID]] = {}
    unfit: list[UUID] = []
    asked = 0
    for question in questions:
        asked += 1
        allowed, before = question.allowed, question.policy_ids
        if question.bundle_digest != now.digest:
            today = question.put_to(now)
            allowed, before = today.allowed, today.policy_ids
        verdict = question.put_to(proposed)
        if verdict.errors:
            unfit.append(question.decision_id)
        if verdict.allowed != allowed:
            key = (verdict.allowed, question.action, before, verdict.policy_ids)
            grouped.setdefault(key, []).append(question.decision_id)
    changes = sorted(grouped.items(), key=lambda change: (-len(change[1]), change[0]))
    return DryRun(asked, tuple(Change(*key, tuple(ids)) for key, ids in changes), tuple(unfit))
