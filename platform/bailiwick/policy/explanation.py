"""A decision explained: what would have to be otherwise for it to be allowed, and whom to ask.

The engine itself is asked again, with one thing changed at a time, then with two, so the answer
follows from the policies as they are and from nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, GroupMembership, Principal, RoleBinding
from bailiwick.access.roles import WHOLE_NAMESPACE, by_holder
from bailiwick.policy.bundles import Rules
from bailiwick.policy.classification import Scheme
from bailiwick.policy.counterfactuals import (
    ADMIN,
    APPROVER,
    LAST_RESORT,
    MAKERS,
    Change,
    changes_of,
)
from bailiwick.policy.questions import Question

MOST_CHANGES = 3  # together; more are tried only where fewer do not suffice
SHOWN_PEOPLE = 5


@dataclass(frozen=True, slots=True)
class Way:
    """Changes that together would make it allowed, none of them without the others."""

    changes: tuple[Change, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What would have to be otherwise."""
        return tuple(change.words for change in self.changes)

    @property
    def roles(self) -> frozenset[str]:
        """The roles of those who can bring it about."""
        return frozenset(change.by for change in self.changes if change.by is not None)


def ways_to_allow(question: Question, rules: Rules) -> list[Way]:
    """The smallest sets of changes that would make the answer yes; none if it is yes already.

    Single changes and pairs; three at a time only where neither suffices. An administrator's
    role is left out where a lesser one does.
    """
    if question.put_to(rules).allowed:
        return []
    question = replace(question, context=level_names(question.context, rules.scheme))
    changes = list(changes_of(question, rules.scheme))
    ways = _search(question, [c for c in changes if c.kind != LAST_RESORT], rules)
    if not any(change.kind == "role" for way in ways for change in way.changes):
        ways = _search(question, changes, rules)
    return ways


def level_names(context: Mapping[str, Any], scheme: Scheme) -> dict[str, Any]:
    """A recorded context with its levels by name; they were once recorded by their number."""
    named = {
        key: level_names(value, scheme) if isinstance(value, Mapping) else value
        for key, value in context.items()
    }
    for key, value in named.items():
        if isinstance(value, int) and (key == "level" or key.endswith("_level")):
            named[key] = scheme.levels[min(value, len(scheme.levels) - 1)]
    return named


def people_to_ask(session: Session, question: Question, ways: Iterable[Way]) -> dict[str, set[str]]:
    """Names of active people by the role that they hold where the question was asked.

    Whoever asked is left out, and so is who may not decide about what they made themselves.
    """
    wanted = frozenset[str]().union(*(way.roles for way in ways))
    attributes = question.resource.attributes
    makers = {str(attributes[name]) for name in MAKERS if attributes.get(name) is not None}
    found: dict[str, set[str]] = {role: set() for role in wanted}
    if not wanted:
        return found
    for role, namespace, identifier, name in session.execute(_holders(question, wanted)):
        asker = str(identifier) == question.actor.id
        if asker or (role == ADMIN and namespace != EVERY_NAMESPACE):
            continue
        if not (role == APPROVER and str(identifier) in makers):
            found[role].add(name)
    return {role: set(sorted(names)[:SHOWN_PEOPLE]) for role, names in found.items()}


def _holders(question: Question, roles: frozenset[str]) -> Select[str, str, UUID, str]:
    held = by_holder(GroupMembership.until.is_(None))
    return (
        select(RoleBinding.role, RoleBinding.namespace, Principal.id, Principal.name)
        .join(held, held.c.binding_id == RoleBinding.id)
        .join(Principal, Principal.id == held.c.holder_id)
        .where(
            RoleBinding.revoked_at.is_(None),
            RoleBinding.role.in_(roles),
            RoleBinding.object == WHOLE_NAMESPACE,
            RoleBinding.namespace.in_((EVERY_NAMESPACE, question.resource.namespace or "")),
            Principal.kind == "person",
            Principal.disabled_at.is_(None),
        )
        .distinct()
    )


def _search(question: Question, changes: list[Change], rules: Rules) -> list[Way]:
    found: list[Way] = []
    for size in range(1, MOST_CHANGES + 1):
        if size == MOST_CHANGES and found:
            break
        found += [
            Way(some) for some in _sets(changes, size, found) if _allowed(question, some, rules)
        ]
    return found


def _sets(changes: list[Change], size: int, found: list[Way]) -> Iterator[tuple[Change, ...]]:
    """Sets of changes of different kinds that hold none which suffices alone."""
    enough = [set(way.words) for way in found]
    for some in combinations(changes, size):
        kinds, words = {change.kind for change in some}, {change.words for change in some}
        if len(kinds) == size and not any(known <= words for known in enough):
            yield some


def _allowed(question: Question, changes: Iterable[Change], rules: Rules) -> bool:
    for change in changes:
        question = change.make(question)
    return question.put_to(rules).allowed
