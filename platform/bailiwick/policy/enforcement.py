"""Asking the policy, recording its answer, and hiding what one may not see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bailiwick.access import EVERY_NAMESPACE, Principal, roles_of
from bailiwick.core.errors import BailiwickError, Denied, NotFound
from bailiwick.core.ids import new_id
from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.decisions import Actor, PolicyEngine, Resource, Verdict
from bailiwick.policy.labels import as_label, intern_label
from bailiwick.policy.tables import Decision, StoredLabel

READ_ACTIONS = {
    "Model": "model:read",
    "ModelVersion": "version:read",
    "Dataset": "dataset:read",
    "DatasetVersion": "dataset:read",
    "Run": "run:read",
    "Environment": "environment:read",
    "Deployment": "deployment:read",
    "Monitor": "monitor:read",
    "Alert": "alert:read",
    "RetrainingPolicy": "retraining-policy:read",
    "Job": "job:read",
    "Approval": "approval:read",
    "Decision": "decision:read",
    "Principal": "principal:read",
    "Token": "token:list",
}
# Answers to questions that change nothing are not recorded when they are yes.
UNRECORDED_VERBS = ("list", "read", "predict", "write-inferences", "write-feedback", "run")
AUDIT_LOG = Resource(type="AuditLog", id="audit-log", namespace=None, label=None)
PLATFORM = Resource(type="Platform", id="platform", namespace=None, label=None)


@dataclass(frozen=True)
class Rules:
    """The policy bundle in force, loaded once."""

    engine: PolicyEngine
    scheme: Scheme
    folder: Path

    @classmethod
    def load(cls, folder: Path) -> "Rules":
        """Read and validate a bundle; `Invalid` says which file is wrong."""
        scheme = Scheme.load(folder / "classification.yaml")
        return cls(engine=PolicyEngine.load(folder, scheme), scheme=scheme, folder=folder)


@dataclass(frozen=True)
class Asked:
    """One question to the policy and its answer, ready to be recorded."""

    actor: Actor
    action: str
    resource: Resource
    context: Mapping[str, Any]
    verdict: Verdict
    at: datetime
    id: UUID = field(default_factory=new_id)


class DeniedByPolicy(Denied):
    """The policy refused; `asked` is recorded by whoever ends the transaction."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(
            f"{asked.action} was denied: {asked.verdict.reason}",
            policies=list(asked.verdict.policy_ids),
            decision=str(asked.id),
        )
        self.asked = asked


class Unseen(NotFound):
    """There is no such thing, or the caller may not see it: one sentence for both.

    Whatever may be hidden by policy is looked up with this error, so that no answer tells
    what lies above one's clearance from what does not exist.
    """

    def __init__(self) -> None:
        super().__init__(
            "there is no such thing here, or you may not see it; check its name, and which roles "
            "and clearance you hold (GET /api/v1/me)"
        )


class HiddenByPolicy(Unseen):
    """The policy refused, and the caller may not even know that the thing exists."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = asked


def actor_of(session: Session, principal: Principal) -> Actor:
    """The facts about a principal that policies may look at."""
    return Actor(
        id=str(principal.id),
        kind=principal.kind,  # type: ignore[arg-type]  # the table's check constraint says so
        name=principal.name,
        roles=roles_of(session, principal.id),
        clearance_level=principal.clearance_level,
        clearance_compartments=frozenset(principal.clearance_compartments),
    )


def load_actor(session: Session, principal_id: UUID) -> Actor:
    """The same, for a principal known by id."""
    return actor_of(session, session.get_one(Principal, principal_id))


def ask(
    rules: Rules,
    *,
    actor: Actor,
    action: str,
    resource: Resource,
    at: datetime,
    context: Mapping[str, Any] | None = None,
) -> Asked:
    """The policy's answer, nothing raised, nothing recorded."""
    verdict = rules.engine.decide(actor, action, resource, context or {})
    return Asked(actor, action, resource, context or {}, verdict, at)


def permit(
    rules: Rules,
    *,
    actor: Actor,
    action: str,
    resource: Resource,
    at: datetime,
    context: Mapping[str, Any] | None = None,
) -> Asked:
    """Go on only if the policy allows it; the answer is not recorded.

    Raises `HiddenByPolicy` when the actor may not even read the resource, else
    `DeniedByPolicy`.
    """
    asked = ask(rules, actor=actor, action=action, resource=resource, at=at, context=context)
    if not asked.verdict.allowed:
        raise _refusal(rules, asked)
    return asked


def require(
    session: Session,
    rules: Rules,
    *,
    actor: Actor,
    action: str,
    resource: Resource,
    at: datetime,
    context: Mapping[str, Any] | None = None,
) -> Asked:
    """Go on only if the policy allows it, as `permit` does.

    The allowing answer to a change is recorded in this transaction; a denial ends it, so
    `record_denial` writes it in one of its own.
    """
    asked = permit(rules, actor=actor, action=action, resource=resource, at=at, context=context)
    if action.partition(":")[2] not in UNRECORDED_VERBS:
        session.add(_row(session, asked))
    return asked


def record_denial(session: Session, error: BailiwickError) -> None:
    """Keep the denial that ended another transaction."""
    if isinstance(error, DeniedByPolicy | HiddenByPolicy):
        session.add(_row(session, error.asked))


def visible(
    session: Session,
    rules: Rules,
    *,
    actor: Actor,
    action: str,
    resource_type: str,
    namespace: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    label_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
) -> ColumnElement[bool]:
    """The WHERE clause that leaves only rows for which the policy allows `action`.

    The engine itself is asked once for every (namespace, label) pair that can occur, so a
    list can never show more than a read of each item would.
    """
    labels = tuple(sorted(session.scalars(select(StoredLabel)), key=lambda stored: stored.id))
    question = _Question(
        rules.engine, action, resource_type, tuple((s.id, as_label(s)) for s in labels)
    )
    key = tuple(sorted((name, tuple(sorted(roles))) for name, roles in actor.roles.items()))
    clauses = []
    for place in sorted(actor.roles):
        allowed = _allowed_labels(
            question, place, key, actor.clearance_level, actor.clearance_compartments, actor.kind
        )
        if allowed:
            inside = label_id.in_(allowed)
            clauses.append(inside if place == EVERY_NAMESPACE else and_(namespace == place, inside))
    return or_(*clauses) if clauses else false()


@dataclass(frozen=True)
class _Question:
    engine: PolicyEngine
    action: str
    resource_type: str
    labels: tuple[tuple[str, Label], ...]


@lru_cache(maxsize=4096)
def _allowed_labels(
    question: _Question,
    place: str,
    roles: tuple[tuple[str, tuple[str, ...]], ...],
    level: str,
    compartments: frozenset[str],
    kind: Any,
) -> tuple[str, ...]:
    actor = Actor(
        id="any",
        kind=kind,
        name="any",
        roles={name: frozenset(held) for name, held in roles},
        clearance_level=level,
        clearance_compartments=compartments,
    )
    return tuple(
        identifier
        for identifier, label in question.labels
        if question.engine.decide(
            actor,
            question.action,
            Resource(type=question.resource_type, id="any", namespace=place, label=label),
            {},
        ).allowed
    )


def _refusal(rules: Rules, asked: Asked) -> DeniedByPolicy | HiddenByPolicy:
    reading = READ_ACTIONS.get(asked.resource.type)
    if reading is None or asked.resource.type == "Platform":
        return DeniedByPolicy(asked)
    may_read = rules.engine.decide(asked.actor, reading, asked.resource, {}).allowed
    return DeniedByPolicy(asked) if may_read else HiddenByPolicy(asked)


def _row(session: Session, asked: Asked) -> Decision:
    label = asked.resource.label
    return Decision(
        id=asked.id,
        at=asked.at,
        principal_id=UUID(asked.actor.id),
        action=asked.action,
        resource_type=asked.resource.type,
        resource_id=asked.resource.id,
        namespace=asked.resource.namespace,
        label_id=intern_label(session, label) if label is not None else None,
        allowed=asked.verdict.allowed,
        policy_ids=list(asked.verdict.policy_ids),
        reason=asked.verdict.reason,
        context=dict(asked.context),
        bundle_digest=asked.verdict.bundle_digest,
    )
