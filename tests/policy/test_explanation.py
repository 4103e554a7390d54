"""Decisions explained: what would change the answer, found by asking the engine again."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from bailiwick.policy import Rules
from bailiwick.policy.bundle_tests import CAST, Case, Cast, cases_of, read_tests
from bailiwick.policy.explanation import Way, people_to_ask, ways_to_allow
from bailiwick.policy.questions import Question
from factories import Factory

RULES = Rules.load(Path(__file__).parents[2] / "policies")
TESTS = read_tests(RULES.files)
THE_CAST = Cast.read(TESTS[CAST], RULES.scheme)
CASES = {case["it"]: case for _, case in cases_of(TESTS)}
DENIED = [name for name, case in CASES.items() if case["expect"] == "deny"]
FORBIDS = {policy.id for policy in RULES.engine.policies.values() if policy.effect == "forbid"}
# For each policy that forbids: a case in which it alone does, and what would change the answer.
WAYS = {
    "no-read-up": (
        "nobody reads above the clearance",
        {
            "eve were cleared for restricted and eve were cleared for the compartment people",
            "a waiver let it count as confidential and finance",
        },
    ),
    "no-unlabelled-content": (
        "a version cannot be registered without its label",
        {"it had a label"},
    ),
    "no-train-up": (
        "it does not train on what is above its clearance",
        {
            "robot were cleared for restricted and robot were cleared for the compartment people",
        },
    ),
    "no-train-down": (
        "it does not train a model that may hold less",
        {"the model were classified confidential"},
    ),
    "no-deploy-up": (
        "an environment with a lower level is refused",
        {
            "the environment were cleared for confidential",
            "a waiver let it count as internal and finance",
        },
    ),
    "residency": ("an environment outside the residency is refused", {"the environment lay in eu"}),
    "no-execute-up": (
        "machines with a lower clearance get none of its data",
        {"the environment were cleared for confidential"},
    ),
    "execution-residency": (
        "machines outside the residency get none of its data",
        {"the environment lay in eu"},
    ),
    "purpose": (
        "a purpose that the label does not allow is refused",
        {"its label allowed analytics", "the purpose were accounting"},
    ),
    "training-purpose": (
        "it does not train for a purpose that the data do not allow",
        {"the purpose were accounting"},
    ),
    "retention": (
        "and not from the moment on at which that ends",
        {"its dataset were kept for longer"},
    ),
    "four-eyes": (
        "an approver does not decide her own request",
        {"somebody other than pia did it"},
    ),
    "voucher-never-approves": (
        "with a token of who asked, an approver does not decide where people can sign in",
        {"the token in use had been made by its owner, or they signed in without one"},
    ),
    "services-never-approve": ("a service never decides, even with the role", {"a person did it"}),
    "auditors-only-read": (
        "an auditor changes nothing, even as an engineer",
        {"olga were no auditor"},
    ),
    "promotion-needs-gates": (
        "failed gates stop whoever asks",
        {"the version had passed its gates"},
    ),
    "promotion-needs-approvals": (
        "missing approvals stop whoever asks",
        {"another person approved"},
    ),
    "sealed": (
        "the rows and weights of what is sealed are for nobody, the administrator included",
        {"a waiver opened it"},
    ),
    "sealed-input": ("nothing is learned from sealed data", {"a waiver opened what is trained on"}),
    "text-stays-out": ("text is not kept elsewhere", {"the environment kept text"}),
    "bundle-needs-checks": (
        "policies that failed their checks are not, not even by an administrator",
        {"the policies had passed their own checks"},
    ),
    "bundle-needs-approvals": (
        "nor are policies that nobody else has approved",
        {"another person approved"},
    ),
    "rollback-to-what-was": (
        "what never was in force does not",
        {"these policies had been in force before"},
    ),
    "token-scope": (
        "an administrator's reading token changes nothing",
        {"the token in use were not made for less"},
    ),
}


def question(case: Case) -> Question:
    return Question(
        decision_id=uuid4(),
        actor=THE_CAST.actors[case["who"]],
        action=case["action"],
        resource=THE_CAST.resource(**case["what"]),
        context=THE_CAST.context(case.get("context", {})),
        allowed=False,
        policy_ids=tuple(case.get("by", ())),
        bundle_digest=RULES.digest,
    )


def told(ways: list[Way]) -> set[str]:
    return {" and ".join(way.words) for way in ways}


@pytest.mark.parametrize("policy", sorted(FORBIDS))
def test_each_policy_that_forbids_is_answered_by_what_would_satisfy_it(policy: str) -> None:
    name, ways = WAYS[policy]
    assert CASES[name]["by"] == [policy]
    assert told(ways_to_allow(question(CASES[name]), RULES)) == ways


@pytest.mark.parametrize("name", DENIED)
def test_every_denial_of_the_tables_has_a_way_and_each_way_really_allows(name: str) -> None:
    asked = question(CASES[name])
    ways = ways_to_allow(asked, RULES)
    assert ways
    for way in ways:
        changed = asked
        for change in way.changes:
            assert not changed.put_to(RULES).allowed  # none of them without the others
            changed = change.make(changed)
        assert changed.put_to(RULES).allowed


def test_levels_that_were_recorded_by_their_number_are_read_by_their_name() -> None:
    asked = question(CASES["an environment with a lower level is refused"])
    number = RULES.scheme.level_number(asked.context["environment_level"])
    recorded = replace(asked, context={**asked.context, "environment_level": number})
    assert told(ways_to_allow(recorded, RULES)) == told(ways_to_allow(asked, RULES))
    asked = question(CASES["it does not train on what is above its clearance"])
    label = asked.context["input_label"].to_dict()
    number = RULES.scheme.level_number(label["level"])
    recorded = replace(asked, context={**asked.context, "input_label": label | {"level": number}})
    assert told(ways_to_allow(recorded, RULES)) == told(ways_to_allow(asked, RULES))


def test_what_is_allowed_needs_no_way() -> None:
    (name,) = [name for name in CASES if name == "an engineer builds in her namespace"]
    assert ways_to_allow(question(CASES[name]), RULES) == []


def test_an_administrators_role_is_named_only_where_no_lesser_one_does() -> None:
    elsewhere = CASES["an engineer builds nothing in another"]
    assert told(ways_to_allow(question(elsewhere), RULES)) == {
        "eve held the role engineer in people"
    }
    log = {"who": "eve", "action": "environment:create", "what": {"type": "Environment"}}
    assert told(ways_to_allow(question(log), RULES)) == {
        "eve held the role admin in every namespace"
    }


def test_people_to_ask_are_active_and_neither_the_asker_nor_the_makers(make: Factory) -> None:
    steward = make.principal("here", "steward", namespace="finance")
    make.principal("elsewhere", "steward", namespace="people")
    make.principal("robot", "steward", kind="service")
    gone = make.principal("gone", "steward")
    gone.disabled_at = make.at
    make.principal("boss", "admin")
    make.principal("little-boss", "admin", namespace="finance")
    make.session.flush()
    case = CASES["an engineer whose level is too low does not"]
    asked = question(case)
    ways = ways_to_allow(asked, RULES)
    assert people_to_ask(make.session, asked, ways) == {"admin": {"boss"}, "steward": {"here"}}
    own = Question(
        **{name: getattr(asked, name) for name in Question.__dataclass_fields__ if name != "actor"},
        actor=make.actor(steward),
    )
    assert people_to_ask(make.session, own, ways)["steward"] == set()
    assert people_to_ask(make.session, asked, []) == {}


def test_who_made_it_is_not_asked_to_approve_it(make: Factory) -> None:
    maker = make.principal("maker", "approver")
    make.principal("other", "approver")
    make.session.flush()
    case = CASES["missing approvals stop whoever asks"]
    about = {**case, "what": {**case["what"], "attributes": {"trained_by": str(maker.id)}}}
    asked = question(about)
    assert people_to_ask(make.session, asked, ways_to_allow(asked, RULES)) == {
        "approver": {"other"}
    }
