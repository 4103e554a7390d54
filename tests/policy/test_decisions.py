"""The shipped policy bundle against its own tables in policies/tests."""

from pathlib import Path
from typing import Any

import pytest

from bailiwick.policy.bundle_tests import (
    CAST,
    Cast,
    as_expected,
    cases_of,
    read_tests,
    run_bundle_tests,
)
from bailiwick.policy.bundles import Rules

POLICIES = Path(__file__).parents[2] / "policies"
RULES = Rules.load(POLICIES)
TESTS = read_tests(RULES.files)
THE_CAST = Cast.read(TESTS[CAST], RULES.scheme)
CASES = [case for _, case in cases_of(TESTS)]


def test_the_shipped_bundle_passes_its_own_tests() -> None:
    assert run_bundle_tests(RULES.files) == []


@pytest.mark.parametrize("case", CASES, ids=[case["it"] for case in CASES])
def test_the_shipped_policies_answer_as_their_tables_say(case: dict[str, Any]) -> None:
    verdict = THE_CAST.answer(RULES.engine, case)
    assert as_expected(verdict, case), verdict
    assert verdict.allowed == (case["expect"] == "allow")


def without(policy_id: str) -> Rules:
    """The shipped bundle less one policy."""
    policies = RULES.engine.policies
    policy = policies[policy_id]
    rest = [p.text for p in policies.values() if p.file == policy.file and p != policy]
    return Rules.of({**RULES.files, policy.file: "\n".join(rest).encode()})


@pytest.mark.parametrize("policy_id", sorted(RULES.engine.policies))
def test_every_policy_matters_to_some_case_of_the_tables(policy_id: str) -> None:
    weaker = without(policy_id).engine
    assert set(weaker.policies) == set(RULES.engine.policies) - {policy_id}
    assert not all(as_expected(THE_CAST.answer(weaker, case), case) for case in CASES)
