"""Asking the policy, recording its answer, and hiding what one may not see."""

import json
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, false, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from bailiwick.access import EVERY_NAMESPACE, Principal, Token, roles_of
from bailiwick.core.canonical import digest_of
from bailiwick.core.errors import BailiwickError, Denied, NotFound
from bailiwick.core.ids import new_id
from bailiwick.policy.bundles import Rules
from bailiwick.policy.classification import Label
from bailiwick.policy.decisions import Actor, PolicyEngine, Resource, Verdict, as_moment
from bailiwick.policy.labels import all_labels, intern_label
from bailiwick.policy.tables import Decision
from bailiwick.policy.tallies import ANY
from bailiwick.policy.waived import Waivable, held

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
    "Backtest": "backtest:read",
    "Job": "job:read",
    "Approval": "approval:read",
    "Delegation": "delegation:list",
    "Waiver": "waiver:read",
    "Decision": "decision:read",
    "Principal": "principal:read",
    "Group": "group:read",
    "Token": "token:list",
    "Silence": "silence:list",
    "Channel": "channel:read",
}
# Answers to questions that change nothing are counted, not recorded, when they are yes.
UNRECORDED_VERBS = ("list", "read", "predict", "write-inferences", "write-feedback", "run")
AUDIT_LOG = Resource(type="AuditLog", id="audit-log", namespace=None, label=None)
PLATFORM = Resource(type="Platform", id="platform", namespace=None, label=None)


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


def actor_of(session: Session, principal: Principal, token: Token | None = None) -> Actor:
    """The facts about a principal that policies may look at, as narrow as the token in use.

    A disabled one holds nothing: jobs that act as it come to nothing either.
    """
    roles = roles_of(session, principal.id) if principal.disabled_at is None else {}
    if token is not None and token.namespaces is not None:
        roles = _narrowed(roles, token.namespaces)
    return Actor(
        id=str(principal.id),
        kind=principal.kind,  # type: ignore[arg-type]  # the table's check constraint says so
        name=principal.name,
        roles=roles,
        clearance_level=principal.clearance_level,
        clearance_compartments=frozenset(principal.clearance_compartments),
        scopes=None if token is None or token.scopes is None else frozenset(token.scopes),
        vouched_by=frozenset(token.vouched_by if token is not None else ()),
    )


def _narrowed(
    roles: Mapping[str, frozenset[str]], namespaces: Collection[str]
) -> dict[str, frozenset[str]]:
    """What is left of roles inside some namespaces: `*` becomes each of them."""
    kept = {place: held for place, held in roles.items() if place.partition("/")[0] in namespaces}
    everywhere = roles.get(EVERY_NAMESPACE, frozenset())
    spread = {place: kept.get(place, frozenset()) | everywhere for place in namespaces}
    return kept | {place: held for place, held in spread.items() if held}


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
    resource = resource.at(at)
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
    """Go on only if the policy allows it; the answer is not recorded, reading is counted.

    Raises `HiddenByPolicy` when the actor may not even read the resource, else
    `DeniedByPolicy`.
    """
    asked = ask(rules, actor=actor, action=action, resource=resource, at=at, context=context)
    if not asked.verdict.allowed:
        raise _refusal(rules, asked)
    if _changes_nothing(action):
        rules.tallies.add(
            actor.id,
            action,
            asked.resource.type,
            asked.resource.id,
            namespace=asked.resource.namespace,
            label=asked.resource.label,
            bundle_digest=asked.verdict.bundle_digest,
            at=at,
        )
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
    if not _changes_nothing(action):
        resource = held(session, resource)
    asked = permit(rules, actor=actor, action=action, resource=resource, at=at, context=context)
    if not _changes_nothing(action):
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
    at: datetime,
    objects: tuple[str, SQLColumnExpression[str]] | None = None,
    waivable: Waivable | None = None,
) -> ColumnElement[bool]:
    """The WHERE clause that leaves only rows for which the policy allows `action`.

    The engine itself is asked once for every (place, label) pair that can occur, so a list can
    never show more than a read of each item would. `objects`: the kind of object (`models`)
    whose roles reach the rows, and the column with its name. `waivable`: rows whose label
    counts as the lower one that acts for them.
    """
    label: SQLColumnExpression[str] | SQLColumnExpression[str | None] = label_id
    if waivable is not None:
        label = waivable.label_in_force(label_id, at)
    labels = all_labels(session)
    question = _Question(rules.engine, action, resource_type, tuple(sorted(labels)), labels)
    anybody = replace(actor, id="any", name="any")
    key = json.dumps(actor.to_facts())
    clauses = []
    for place in sorted(actor.roles):
        space, _, thing = place.partition("/")
        kind, _, name = thing.partition("/")
        allowed = _allowed_labels(question, place, _Asker(key, anybody))
        if not allowed or (thing and (objects is None or objects[0] != kind)):
            continue
        inside: ColumnElement[bool] = label.in_(allowed)
        if thing and objects is not None:
            inside = and_(objects[1] == name, inside)
        clauses.append(inside if space == EVERY_NAMESPACE else and_(namespace == space, inside))
    if not clauses:
        return false()
    rules.tallies.add(actor.id, action, resource_type, ANY, bundle_digest=rules.digest, at=at)
    return or_(*clauses)


@dataclass(frozen=True)
class _Question:
    engine: PolicyEngine
    action: str
    resource_type: str
    label_ids: tuple[str, ...]  # each is its label's digest
    labels: Mapping[str, Label] = field(compare=False)


@dataclass(frozen=True)
class _Asker:
    """An actor, compared by all that policies may look at."""

    key: str
    actor: Actor = field(compare=False)


@lru_cache(maxsize=4096)
def _allowed_labels(question: _Question, place: str, asker: _Asker) -> tuple[str, ...]:
    namespace, _, thing = place.partition("/")
    return tuple(
        identifier
        for identifier in question.label_ids
        if question.engine.decide(
            asker.actor,
            question.action,
            Resource(
                type=question.resource_type,
                id="any",
                namespace=namespace,
                label=question.labels[identifier],
                belongs_to=(place,) if thing else (),
            ),
            {},
        ).allowed
    )


def _changes_nothing(action: str) -> bool:
    return action.partition(":")[2] in UNRECORDED_VERBS


def _refusal(rules: Rules, asked: Asked) -> DeniedByPolicy | HiddenByPolicy:
    reading = READ_ACTIONS.get(asked.resource.type)
    if reading is None or asked.resource.type == "Platform":
        return DeniedByPolicy(asked)
    may_read = rules.engine.decide(asked.actor, reading, asked.resource, {}).allowed
    return DeniedByPolicy(asked) if may_read else HiddenByPolicy(asked)


def _row(session: Session, asked: Asked) -> Decision:
    label = asked.resource.label
    context = plain(asked.context)
    facts = {
        "attributes": plain(asked.resource.attributes),
        "belongs_to": list(asked.resource.belongs_to),
    }
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
        context=context,
        context_digest=digest_of(context),
        actor_facts=asked.actor.to_facts(),
        resource_facts=facts,
        waiver_id=asked.resource.waived.waiver_id if asked.resource.waived else None,
        bundle_digest=asked.verdict.bundle_digest,
    )


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked, as JSON that can be asked again: moments as RFC 3339, sets sorted."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Label):
        return value.to_dict()
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, datetime):
        return as_moment(value)
    if isinstance(value, AbstractSet | tuple | list):
        return sorted(value)
    return value
