"""Recorded questions are asked again exactly, and what would change is told by kind."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.policy import (
    Actor,
    Decision,
    DeniedByPolicy,
    HiddenByPolicy,
    Label,
    Resource,
    Rules,
    ask,
    record_denial,
    require,
)
from bailiwick.policy.dry_run import SHOWN_IDS, dry_run
from bailiwick.policy.questions import Question, last_questions
from factories import CONFIDENTIAL, Factory

LEDGER = Resource("DatasetVersion", "1", "finance", CONFIDENTIAL, {}, ("finance/datasets/ledger",))


def put(make: Factory, actor: Actor, action: str, resource: Resource, **context: Any) -> None:
    """Ask, and keep the answer whatever it is."""
    try:
        require(
            make.session,
            make.platform.rules,
            actor=actor,
            action=action,
            resource=resource,
            context=context,
            at=make.at,
        )
    except (DeniedByPolicy, HiddenByPolicy) as denied:
        record_denial(make.session, denied)
    make.session.flush()


def without(rules: Rules, *policies: str) -> Rules:
    files = {
        name: "\n".join(
            policy.text
            for policy in rules.engine.policies.values()
            if policy.file == name and policy.id not in policies
        ).encode()
        for name in {policy.file for policy in rules.engine.policies.values()}
    }
    return Rules.of({**rules.files, **files})


@pytest.fixture
def rules(make: Factory) -> Rules:
    """The rules in force."""
    return make.platform.rules


def ended(make: Factory, days: int) -> Resource:
    return replace(LEDGER, attributes={"retain_until": make.at + timedelta(days=days)})


def test_a_recorded_question_gets_the_recorded_answer_again(make: Factory, rules: Rules) -> None:
    """Moments, sets, labels, scopes and places on single objects included."""
    engineer = make.actor(make.engineer)
    on_one_thing = replace(engineer, roles={"finance/datasets/ledger": frozenset({"steward"})})
    narrowed = replace(engineer, scopes=frozenset({"build"}))
    serving = {
        "purpose": "accounting",
        "environment_level": "confidential",
        "environment_compartments": {"finance"},
        "environment_zones": frozenset({"eu", "world"}),
    }
    training = {
        "purpose": "accounting",
        "input_label": CONFIDENTIAL,
        "target_level": "internal",
        "target_compartments": ["finance"],
    }
    put(make, engineer, "dataset:read-rows", ended(make, 1), now=make.at)
    put(make, engineer, "dataset:read-rows", ended(make, -1), now=make.at)
    put(make, on_one_thing, "dataset:label", LEDGER)
    put(make, replace(on_one_thing, roles={}), "dataset:label", LEDGER)
    put(make, narrowed, "dataset:label", LEDGER)
    put(make, engineer, "deployment:serve", replace(LEDGER, type="ModelVersion"), **serving)
    put(make, engineer, "training:start", replace(LEDGER, type="Model"), **training)
    asked = last_questions(make.session, last=100)
    answers = {(question.action, question.allowed) for question in asked}
    assert ("dataset:read-rows", True) in answers
    assert ("dataset:label", True) in answers
    assert ("training:start", False) in answers
    for question in asked:
        verdict = question.put_to(rules)
        assert not verdict.errors
        assert (verdict.allowed, verdict.policy_ids) == (question.allowed, question.policy_ids)
    assert dry_run(asked, now=rules, proposed=rules).changes == ()


def test_the_decisions_of_real_work_are_asked_again_exactly(make: Factory, rules: Rules) -> None:
    make.running()
    make.session.flush()
    asked = last_questions(make.session, last=1_000)
    assert len(asked) > 5
    run = dry_run(asked, now=rules, proposed=rules)
    assert (run.asked, run.changes, run.unfit) == (len(asked), (), ())
    elsewhere = [replace(question, bundle_digest="0" * 64) for question in asked]
    assert dry_run(elsewhere, now=rules, proposed=rules).changes == ()


def test_what_would_change_is_grouped_by_answer_action_and_policies(
    make: Factory, rules: Rules
) -> None:
    engineer, stranger = make.actor(make.engineer), make.actor(make.principal("stranger"))
    for number in range(3):
        put(make, engineer, "model:create", Resource("Model", f"finance/{number}", "finance", None))
    put(make, stranger, "model:create", Resource("Model", "finance/x", "finance", None))
    put(make, engineer, "dataset:read-rows", ended(make, -1), now=make.at)
    asked = [q for q in last_questions(make.session, last=100) if q.action != "principal:create"]
    run = dry_run(asked, now=rules, proposed=without(rules, "engineer-builds", "retention"))
    first, second = run.changes
    assert (first.action, first.now_allowed, len(first.decision_ids)) == ("model:create", False, 3)
    assert (first.before, first.after) == (("engineer-builds",), ())
    assert (second.action, second.now_allowed) == ("dataset:read-rows", True)
    assert (second.before, second.after) == (("retention",), ("role-reads-content",))
    assert (run.count(now_allowed=False), run.count(now_allowed=True)) == (3, 1)
    decision = make.session.get_one(Decision, second.decision_ids[0])
    assert decision.policy_ids == ["retention"]


def test_a_change_is_one_that_the_proposal_makes_and_no_older_one(
    make: Factory, rules: Rules
) -> None:
    """What was decided under other rules is asked of those in force first."""
    engineer = make.actor(make.engineer)
    put(make, engineer, "model:create", Resource("Model", "finance/m", "finance", None))
    asked = last_questions(make.session, last=1)
    now = without(rules, "engineer-builds")
    assert dry_run(asked, now=now, proposed=now).changes == ()
    (change,) = dry_run(asked, now=now, proposed=rules).changes
    assert change.now_allowed


def test_what_no_longer_fits_the_schema_is_denied_and_listed(make: Factory, rules: Rules) -> None:
    engineer = make.actor(make.engineer)
    put(make, engineer, "model:create", Resource("Model", "finance/m", "finance", None))
    (asked,) = last_questions(make.session, last=1)
    schema = rules.files["bailiwick.cedarschema"].decode()
    other = schema.replace('action "model:create", ', "action ", 1)
    run = dry_run(
        [asked],
        now=rules,
        proposed=Rules.of({**rules.files, "bailiwick.cedarschema": other.encode()}),
    )
    assert run.unfit == (asked.decision_id,)
    assert run.to_dict()["unfit"] == {"count": 1, "decisions": [str(asked.decision_id)]}
    assert run.count(now_allowed=False) == 1


def test_a_long_list_of_decisions_is_counted_whole_and_shown_in_part(
    make: Factory, rules: Rules
) -> None:
    engineer = make.actor(make.engineer)
    put(make, engineer, "model:create", Resource("Model", "finance/m", "finance", None))
    (asked,) = last_questions(make.session, last=1)
    proposed = without(rules, "engineer-builds")
    (change,) = dry_run([asked] * 60, now=rules, proposed=proposed).to_dict()["changes"]
    assert (change["count"], len(change["decisions"])) == (60, SHOWN_IDS)


def test_a_waived_question_is_asked_again_with_the_label_that_acted(
    make: Factory, rules: Rules
) -> None:
    """The row keeps the label in force, so the waiver itself need not be there any more."""
    low = Label("public", frozenset(), CONFIDENTIAL.residency, CONFIDENTIAL.purposes)
    reader = replace(make.actor(make.engineer), clearance_level="public")
    put(make, reader, "dataset:label", LEDGER)
    put(
        make,
        replace(reader, roles={"*": frozenset({"steward"})}),
        "dataset:label",
        replace(LEDGER, label=low),
    )
    allowed = {q.allowed: q for q in last_questions(make.session, last=2)}
    assert allowed[True].put_to(rules).allowed
    assert not allowed[False].put_to(rules).allowed


def test_the_newest_decisions_are_asked_in_one_query(make: Factory) -> None:
    engineer = make.actor(make.engineer)
    for number in range(5):
        put(make, engineer, "model:create", Resource("Model", f"finance/{number}", "finance", None))
    asked: list[Question] = last_questions(make.session, last=3)
    assert [question.resource.id for question in asked] == ["finance/4", "finance/3", "finance/2"]
    assert make.session.scalars(select(Decision)).first() is not None
    resource = Resource("Model", "finance/z", "finance", None)
    answer = ask(
        make.platform.rules, actor=engineer, action="model:create", resource=resource, at=make.at
    )
    assert answer.verdict.policy_ids == asked[0].policy_ids
