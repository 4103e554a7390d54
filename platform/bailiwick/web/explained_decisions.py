"""A recorded decision in words, as far as the caller may know what it was about."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ScalarResult, select

from bailiwick.access import Principal
from bailiwick.core.errors import BailiwickError
from bailiwick.lifecycle.subjects import TABLES, Thing, named, resource_of
from bailiwick.policy import PLATFORM, Decision, PolicyBundle, Rules, Unseen, load_label
from bailiwick.policy.decisions import Policy
from bailiwick.policy.enforcement import READ_ACTIONS
from bailiwick.policy.explanation import people_to_ask, ways_to_allow
from bailiwick.policy.questions import Question, question_of
from bailiwick.registry import RegisteredModel, model_resource
from bailiwick.web.callers import Caller
from bailiwick.web.decision_lists import visible_decisions

KINDS: dict[str, type[Thing]] = {table.__name__: table for table in TABLES.values()}


@dataclass(frozen=True, slots=True)
class Remedy:
    """Changes that together would make it allowed, and who can bring them about."""

    changes: list[str]
    ask: list[str]


@dataclass(frozen=True, slots=True)
class ExplainedDecision:
    """A decision, its question rebuilt, and what follows from the policies.

    `principal` and `resource` are names, None where the caller may not know them. `policies` are
    those that decided, as they stood then, or as they stand today where `then` is false.
    """

    decision: Decision
    question: Question
    principal: str | None
    resource: str | None
    policies: list[Policy]
    then: bool
    allowed_today: bool
    remedies: list[Remedy]

    @property
    def asked(self) -> str:
        """The question in words."""
        thing = f"{self.decision.resource_type} {self.resource or self.decision.resource_id}"
        return f"May {self.question.actor.name} do {self.decision.action} on {thing}?"


def explained_decision(caller: Caller, decision_id: UUID) -> ExplainedDecision:
    """One decision that the caller may see, explained; `Unseen` if there is none."""
    session = caller.session
    decision = session.scalar(
        select(Decision).where(Decision.id == decision_id, visible_decisions(caller))
    )
    if decision is None:
        raise Unseen
    label = load_label(session, decision.label_id) if decision.label_id else None
    who = _principal_name(caller, decision)
    question = question_of(decision, label, name=who or "whoever asked")
    ways = ways_to_allow(question, caller.rules)
    people = people_to_ask(session, question, ways)
    then = _rules_then(caller, decision)
    policies = (then or caller.rules).engine.policies
    return ExplainedDecision(
        decision=decision,
        question=question,
        principal=who,
        resource=_resource_name(caller, decision),
        policies=[policies[known] for known in decision.policy_ids if known in policies],
        then=then is not None,
        allowed_today=question.put_to(caller.rules).allowed,
        remedies=[
            Remedy(list(way.words), sorted({name for role in way.roles for name in people[role]}))
            for way in ways
        ],
    )


def _rules_then(caller: Caller, decision: Decision) -> Rules | None:
    """The rules that decided, if they are in force or kept."""
    if decision.bundle_digest == caller.rules.digest:
        return caller.rules
    rulesets = caller.platform.rulesets
    if decision.bundle_digest == rulesets.shipped.rules.digest:
        return rulesets.shipped.rules
    kept = caller.session.scalar(
        select(PolicyBundle).where(PolicyBundle.digest == decision.bundle_digest)
    )
    try:
        return None if kept is None else rulesets.of(kept).rules
    except BailiwickError:  # of an older version: its words are in the bundle all the same
        return None


def _principal_name(caller: Caller, decision: Decision) -> str | None:
    asker = caller.session.get_one(Principal, decision.principal_id)
    known = asker.id == caller.principal_id or caller.may(PLATFORM, "principal:name")
    return asker.name if known else None


def _resource_name(caller: Caller, decision: Decision) -> str | None:
    """What people call it, if the caller may read it as it stands now."""
    kind, read = decision.resource_type, READ_ACTIONS.get(decision.resource_type)
    try:
        identifier = UUID(decision.resource_id)
    except ValueError:
        return decision.resource_id  # what did not exist yet was asked about by its name
    if kind == "Model":
        model = caller.session.get(RegisteredModel, identifier)
        seen = model is not None and caller.may(model_resource(caller.session, model), str(read))
        return f"{model.namespace}/{model.name}" if model is not None and seen else None
    thing = _thing(caller, kind, identifier)
    if thing is None or not caller.may(resource_of(caller.session, thing), str(read)):
        return None
    return named(thing).name


def _thing(caller: Caller, kind: str, identifier: UUID) -> Thing | None:
    table = KINDS.get(kind)
    if table is None:
        return None
    found: ScalarResult[Thing] = caller.session.scalars(select(table).where(table.id == identifier))
    return found.one_or_none()
