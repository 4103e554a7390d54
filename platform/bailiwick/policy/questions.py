"""Questions that were put to the policy, rebuilt from the decisions that were recorded.

A decision keeps all that the policy was shown, so its question can be asked again exactly.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.policy.bundles import Rules
from bailiwick.policy.classification import Label
from bailiwick.policy.decisions import Actor, Resource, Verdict
from bailiwick.policy.labels import as_label
from bailiwick.policy.tables import Decision, StoredLabel


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, as the policy was shown it, and what the answer was."""

    decision_id: UUID
    actor: Actor
    action: str
    resource: Resource
    context: dict[str, Any]
    allowed: bool
    policy_ids: tuple[str, ...]
    bundle_digest: str

    def put_to(self, rules: Rules) -> Verdict:
        """The answer of other policies."""
        return rules.engine.decide(self.actor, self.action, self.resource, self.context)


def question_of(decision: Decision, label: Label | None, *, name: str = "") -> Question:
    """The question that a decision answered. `name` of whoever asked appears in reasons only."""
    who, what = decision.actor_facts, decision.resource_facts
    scopes = who["scopes"]
    return Question(
        decision_id=decision.id,
        actor=Actor(
            id=str(decision.principal_id),
            kind=who["kind"],
            name=name or str(decision.principal_id),
            roles={place: frozenset(roles) for place, roles in who["roles"].items()},
            clearance_level=who["clearance_level"],
            clearance_compartments=frozenset(who["clearance_compartments"]),
            scopes=None if scopes is None else frozenset(scopes),
            vouched_by=frozenset(who.get("vouched_by", ())),  # not noted from the beginning
        ),
        action=decision.action,
        resource=Resource(
            type=decision.resource_type,
            id=decision.resource_id,
            namespace=decision.namespace,
            label=label,  # the one that acted: a waiver's where there was one
            attributes=what["attributes"],
            belongs_to=tuple(what["belongs_to"]),
        ),
        context=decision.context,
        allowed=decision.allowed,
        policy_ids=tuple(decision.policy_ids),
        bundle_digest=decision.bundle_digest,
    )


def last_questions(session: Session, *, last: int) -> list[Question]:
    """The questions of the newest recorded decisions, in one query."""
    rows = session.execute(
        select(Decision, StoredLabel)
        .outerjoin(StoredLabel, StoredLabel.id == Decision.label_id)
        .order_by(Decision.id.desc())
        .limit(last)
    )
    return [
        question_of(decision, None if stored is None else as_label(stored))
        for decision, stored in rows
    ]
