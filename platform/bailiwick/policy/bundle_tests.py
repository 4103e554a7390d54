"""The tests that a policy bundle brings along, run: its tables, and the matrix of its roles.

`tests/cast.yaml` says who and what the tables speak of. Every other file is a table of cases
(`it`, `who`, `action`, `what`, `context`, `expect`, `by`), but for `roles.yaml`, which names the
roles that may do each action, and `fitting.yaml`, which says what that is asked about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from bailiwick.access import EVERY_NAMESPACE, ROLES
from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.core.yaml_texts import parse_yaml
from bailiwick.policy.bundles import TESTS, Files, Rules
from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.decisions import Actor, PolicyEngine, Resource, Verdict

CAST, ROLES_FILE, FITTING = (f"{TESTS}/{name}.yaml" for name in ("cast", "roles", "fitting"))
PLATFORM = "Platform"
CASE_FIELDS = ("it", "who", "action", "what", "expect")
# What a file can be wrong in, once it is YAML: a field that is missing, unknown or of another kind.
MALFORMED = (AttributeError, KeyError, TypeError, ValueError, RecursionError, BailiwickError)

Case = Mapping[str, Any]


@dataclass(frozen=True)
class Cast:
    """Who and what the tables speak of, by name."""

    actors: Mapping[str, Actor]
    labels: Mapping[str, Label]

    @classmethod
    def read(cls, document: Mapping[str, Any], scheme: Scheme) -> "Cast":
        """The cast of a bundle's tests."""
        return cls(
            {name: _actor(name, **facts) for name, facts in document["actors"].items()},
            {n: scheme.known(Label.from_dict(one)) for n, one in document["labels"].items()},
        )

    def resource(
        self,
        type: str,  # noqa: A002 - the table's word
        namespace: str | None = None,
        label: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        belongs_to: list[str] | None = None,
    ) -> Resource:
        """What a case is about."""
        labelled = None if label is None else self.labels[label]
        return Resource(type, "it", namespace, labelled, attributes or {}, tuple(belongs_to or ()))

    def context(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A case's context, its label by name."""
        named = {key: self.labels[given[key]] for key in ("input_label",) if key in given}
        return {**given, **named}

    def answer(self, engine: PolicyEngine, case: Case) -> Verdict:
        """What the policies say to a case."""
        return engine.decide(
            self.actors[case["who"]],
            case["action"],
            self.resource(**case["what"]),
            self.context(case.get("context", {})),
        )


def run_bundle_tests(files: Files) -> list[str]:
    """What fails, in words; empty when the bundle does what its tests say.

    A bundle that cannot be loaded fails, and so does one that brings no tests.
    """
    try:
        rules, tests = Rules.of(files), read_tests(files)
        missing = sorted({CAST, ROLES_FILE, FITTING} - set(tests))
        if missing or not set(tests) - {CAST, ROLES_FILE, FITTING}:
            return [f"the bundle must bring its tests: {', '.join(missing) or 'a table of cases'}"]
        cast = Cast.read(tests[CAST], rules.scheme)
        matrix = matrix_failures(rules.engine, cast, tests[ROLES_FILE], tests[FITTING])
        return [*case_failures(rules.engine, cast, tests), *matrix]
    except MALFORMED as error:
        return [error.message if isinstance(error, BailiwickError) else f"{TESTS}: {error!r}"]


def read_tests(files: Files) -> dict[str, Any]:
    """The bundle's test files by name, parsed; `Invalid` names one that is no YAML."""
    found = {}
    for name in sorted(files):
        if name.startswith(f"{TESTS}/"):
            try:
                found[name] = parse_yaml(files[name])
            except (ValueError, yaml.YAMLError) as error:
                raise Invalid(f"{name} is not YAML: {error}") from error
    return found


def cases_of(tests: Mapping[str, Any]) -> Iterator[tuple[str, Case]]:
    """The cases of all tables, with their files; `Invalid` names a file that is no such table."""
    for name, table in tests.items():
        if name in (CAST, ROLES_FILE, FITTING):
            continue
        if not isinstance(table, list) or not all(_is_case(case) for case in table):
            raise Invalid(f"{name} must be a list of cases, each with {', '.join(CASE_FIELDS)}")
        yield from ((name, case) for case in table)


def case_failures(engine: PolicyEngine, cast: Cast, tests: Mapping[str, Any]) -> Iterator[str]:
    """The cases that the policies answer otherwise than expected."""
    for name, case in cases_of(tests):
        try:
            verdict = cast.answer(engine, case)
            if not as_expected(verdict, case):
                wanted, got = _told(case["expect"], case.get("by", [])), _answer(verdict)
                yield f"{name}: {case['it']}: expected {wanted}, got {got}"
        except MALFORMED as error:
            yield f"{name}: {case!r:.200} cannot be asked: {error!r}"


def as_expected(verdict: Verdict, case: Case) -> bool:
    """Whether a case is answered as its table says, by exactly those policies."""
    return (_outcome(verdict), list(verdict.policy_ids)) == (case["expect"], case.get("by", []))


def matrix_failures(
    engine: PolicyEngine, cast: Cast, matrix: Mapping[str, list[str]], fitting: Mapping[str, Any]
) -> Iterator[str]:
    """The actions that other roles may do than the matrix says."""
    for action in sorted(engine.actions ^ set(matrix)):
        where = "is missing" if action in engine.actions else "is no action of the schema"
        yield f"{ROLES_FILE}: {action} {where}"
    for action in sorted(engine.actions & set(matrix)):
        resource = _fitting(action, cast, fitting)
        context = cast.context(fitting["contexts"].get(action, {}))
        answers = {
            role: engine.decide(_holder(role, engine), action, resource, context)
            for role in sorted(ROLES)
        }
        if any(verdict.errors for verdict in answers.values()):
            yield f"{FITTING}: {action} cannot be asked about a {resource.type}: add what fits it"
        may = [role for role, verdict in answers.items() if verdict.allowed]
        if may != matrix[action]:
            yield f"{ROLES_FILE}: {action}: expected {matrix[action]}, got {may}"


def _is_case(case: object) -> bool:
    return isinstance(case, Mapping) and set(CASE_FIELDS) <= set(case)


def _actor(
    name: str,
    kind: Any,
    roles: Any,
    clearance: str,
    compartments: Any,
    scopes: Any = None,
    vouched_by: Any = (),
) -> Actor:
    held = {place: frozenset(some) for place, some in roles.items()}
    return Actor(
        id=name,
        kind=kind,
        name=name,
        roles=held,
        clearance_level=clearance,
        clearance_compartments=frozenset(compartments),
        scopes=None if scopes is None else frozenset(scopes),
        vouched_by=frozenset(vouched_by),
    )


def _holder(role: str, engine: PolicyEngine) -> Actor:
    """A person who holds one role everywhere and no clearance."""
    held = {EVERY_NAMESPACE: frozenset({role})}
    return Actor(role, "person", role, held, engine.scheme.levels[0], frozenset())


def _fitting(action: str, cast: Cast, fitting: Mapping[str, Any]) -> Resource:
    kind, _, verb = action.partition(":")
    types = fitting["resources"]
    named = next((types[word] for word in (action, verb, kind) if word in types), None)
    name = named or "".join(word.title() for word in kind.split("-"))
    if name == PLATFORM:
        return cast.resource(PLATFORM)
    return cast.resource(name, "finance", fitting["label"], fitting["attributes"].get(name))


def _outcome(verdict: Verdict) -> str:
    return "error" if verdict.errors else "allow" if verdict.allowed else "deny"


def _answer(verdict: Verdict) -> str:
    return _told(_outcome(verdict), verdict.policy_ids)


def _told(outcome: str, policy_ids: Any) -> str:
    return f"{outcome} by {', '.join(policy_ids) or 'no policy'}"
