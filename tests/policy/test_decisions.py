"""The shipped policy bundle against its tables in policies/tests."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.decisions import Actor, PolicyEngine, Resource, Verdict

POLICIES = Path(__file__).parents[2] / "policies"
SCHEME = Scheme.load(POLICIES / "classification.yaml")
ENGINE = PolicyEngine.load(POLICIES, SCHEME)
BUNDLE = {path.name: path.read_bytes() for path in POLICIES.iterdir() if path.is_file()}


def table(name: str) -> Any:
    return yaml.safe_load((POLICIES / "tests" / name).read_text("utf-8"))


CAST = table("cast.yaml")
CASES = table("classification.yaml") + table("duties.yaml")
LABELS = {name: SCHEME.parse(data) for name, data in CAST["labels"].items()}


def an_actor(name: str, kind: Any, roles: Any, clearance: str, compartments: Any) -> Actor:
    held = {namespace: frozenset(some) for namespace, some in roles.items()}
    return Actor(name, kind, name, held, clearance, frozenset(compartments))


ACTORS = {name: an_actor(name, **data) for name, data in CAST["actors"].items()}


def a_resource(
    type: str,  # noqa: A002 - the table's word
    namespace: str | None = None,
    label: str | None = None,
    attributes: dict[str, Any] | None = None,
) -> Resource:
    return Resource(type, "it", namespace, LABELS.get(label or ""), attributes or {})


def answer(engine: PolicyEngine, case: dict[str, Any]) -> Verdict:
    context = dict(case.get("context", {}))
    if "input_label" in context:
        context["input_label"] = LABELS[context["input_label"]]
    return engine.decide(ACTORS[case["who"]], case["action"], a_resource(**case["what"]), context)


def as_expected(verdict: Verdict, case: dict[str, Any]) -> bool:
    outcome = "error" if verdict.errors else "allow" if verdict.allowed else "deny"
    return (outcome, list(verdict.policy_ids)) == (case["expect"], case.get("by", []))


@pytest.mark.parametrize("case", CASES, ids=[case["it"] for case in CASES])
def test_the_shipped_policies_answer_as_their_tables_say(case: dict[str, Any]) -> None:
    verdict = answer(ENGINE, case)
    assert as_expected(verdict, case), verdict
    assert verdict.allowed == (case["expect"] == "allow")


def without(policy_id: str) -> PolicyEngine:
    """The shipped bundle less one policy."""
    policy = ENGINE.policies[policy_id]
    rest = [p.text for p in ENGINE.policies.values() if p.file == policy.file and p != policy]
    return PolicyEngine(BUNDLE | {policy.file: "\n".join(rest).encode()}, SCHEME)


@pytest.mark.parametrize("policy_id", sorted(ENGINE.policies))
def test_every_policy_matters_to_some_case_of_the_tables(policy_id: str) -> None:
    weaker = without(policy_id)
    assert set(weaker.policies) == set(ENGINE.policies) - {policy_id}
    assert not all(as_expected(answer(weaker, case), case) for case in CASES)


OPEN = Label("public", frozenset(), frozenset({"world"}), frozenset({"research"}))
FITTING_CONTEXT: dict[str, dict[str, Any]] = {
    "deployment:keep-text": {"environment_keeps_text": True},
    "deployment:predict": {"purpose": "research"},
    "deployment:serve": {
        "purpose": "research",
        "environment_level": "public",
        "environment_compartments": set(),
        "environment_zones": {"world"},
    },
    "training:start": {
        "purpose": "research",
        "input_label": OPEN,
        "target_level": "public",
        "target_compartments": set(),
    },
    "version:promote": {"gates_passed": True, "approvals": 0, "approvals_required": 0},
}
TYPES = {
    "version": "ModelVersion",
    "retraining-policy": "RetrainingPolicy",
    "audit": "AuditLog",
} | {
    "retraining": "RetrainingPolicy",
    "training": "Model",
    "alias": "Model",
    "lineage": "Run",
    "check": "Monitor",
}
ON_PLATFORM = {"self:read", "policy:read", "classification:read", "search:run", "metrics:read"}


def fitting_resource(action: str) -> Resource:
    """A resource that nothing but roles closes for `action`."""
    kind, verb = action.split(":")
    if verb == "list" or action in ON_PLATFORM:
        return Resource("Platform", "platform", None, None)
    if verb == "read-rows":
        kind = "dataset-version"
    name = (
        "ModelVersion"
        if verb == "serve"
        else TYPES.get(kind) or "".join(word.title() for word in kind.split("-"))
    )
    attributes = {"requested_by": "someone else"} if name == "Approval" else {}
    return Resource(name, "it", "finance", OPEN, attributes)


MATRIX: dict[str, list[str]] = table("roles.yaml")


@pytest.mark.parametrize("action", sorted(ENGINE.actions))
def test_exactly_the_roles_of_the_matrix_may(action: str) -> None:
    may = []
    for role in ["admin", "approver", "auditor", "engineer", "service", "steward"]:
        actor = Actor(role, "person", role, {"*": frozenset({role})}, "public", frozenset())
        context = FITTING_CONTEXT.get(action, {})
        verdict = ENGINE.decide(actor, action, fitting_resource(action), context)
        assert not verdict.errors
        may += [role] * verdict.allowed
    assert may == MATRIX[action]


def test_the_matrix_lists_every_action_and_no_other() -> None:
    assert set(MATRIX) == ENGINE.actions
