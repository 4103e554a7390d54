"""Asking the policy: what is recorded, what is hidden, and that lists agree with reading."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import ROLES
from bailiwick.lifecycle import Platform
from bailiwick.lineage import Dataset, create_dataset, dataset_resource
from bailiwick.policy import (
    PLATFORM,
    Actor,
    Decision,
    DeniedByPolicy,
    HiddenByPolicy,
    Label,
    Resource,
    Rules,
    Unseen,
    ask,
    permit,
    record_denial,
    require,
    visible,
)
from factories import Factory

NAMESPACES = ("finance", "people", "legal")
LEVELS = ("public", "internal", "confidential", "restricted")
COMPARTMENTS = ("finance", "health", "legal")
some_compartments = st.sets(st.sampled_from(COMPARTMENTS)).map(frozenset)
labels = st.builds(
    Label,
    level=st.sampled_from(LEVELS),
    compartments=some_compartments,
    residency=st.just(frozenset({"eu"})),
    purposes=st.just(frozenset({"accounting"})),
)
actors = st.builds(
    Actor,
    id=st.just("someone"),
    kind=st.sampled_from(["person", "service"]),
    name=st.just("someone"),
    roles=st.dictionaries(
        st.sampled_from([*NAMESPACES, "*"]),
        st.sets(st.sampled_from(ROLES), min_size=1).map(frozenset),
    ),
    clearance_level=st.sampled_from(LEVELS),
    clearance_compartments=some_compartments,
)
SECRET = Resource(
    "Model",
    "1",
    "finance",
    Label("restricted", frozenset({"health"}), frozenset({"eu"}), frozenset({"accounting"})),
)


@pytest.fixture
def rules(platform: Platform) -> Rules:
    """The policies in force."""
    return platform.rules


@pytest.fixture
def datasets(make: Factory) -> list[Dataset]:
    """A dataset in every namespace under every label."""
    combined = itertools.product(
        NAMESPACES, LEVELS, [c for n in range(3) for c in itertools.combinations(COMPARTMENTS, n)]
    )
    return [
        create_dataset(
            make.session,
            namespace,
            f"d{number}",
            label=Label(
                level, frozenset(compartments), frozenset({"eu"}), frozenset({"accounting"})
            ),
            description="",
            actor_id=make.root.id,
            at=make.at,
        )
        for number, (namespace, level, compartments) in enumerate(combined)
    ]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actor=actors)
def test_a_list_shows_exactly_what_reading_each_item_would_allow(
    session: Session, rules: Rules, datasets: list[Dataset], make: Factory, actor: Actor
) -> None:
    clause = visible(
        session,
        rules,
        actor=actor,
        action="dataset:read",
        resource_type="Dataset",
        namespace=Dataset.namespace,
        label_id=Dataset.label_id,
        at=make.at,
    )
    listed = set(session.scalars(select(Dataset.id).where(clause)))
    readable = {
        dataset.id
        for dataset in datasets
        if ask(
            rules,
            actor=actor,
            action="dataset:read",
            resource=dataset_resource(session, dataset),
            at=make.at,
        ).verdict.allowed
    }
    assert listed == readable


def test_whoever_holds_no_role_sees_nothing(
    session: Session, rules: Rules, datasets: list[Dataset], make: Factory
) -> None:
    nobody = Actor("x", "person", "x", {}, "restricted", frozenset(COMPARTMENTS))
    clause = visible(
        session,
        rules,
        actor=nobody,
        action="dataset:read",
        resource_type="Dataset",
        namespace=Dataset.namespace,
        label_id=Dataset.label_id,
        at=make.at,
    )
    assert datasets
    assert session.scalars(select(Dataset).where(clause)).all() == []


def test_a_label_that_is_new_since_the_last_list_is_seen(
    session: Session, rules: Rules, make: Factory
) -> None:
    actor = make.actor(make.engineer)

    def listed() -> list[Any]:
        clause = visible(
            session,
            rules,
            actor=actor,
            action="dataset:read",
            resource_type="Dataset",
            namespace=Dataset.namespace,
            label_id=Dataset.label_id,
            at=make.at,
        )
        return list(session.scalars(select(Dataset.name).where(clause)))

    assert listed() == []
    make.dataset("first")
    assert listed() == ["first"]


def asked(make: Factory, action: str, resource: Resource) -> Any:
    actor = make.actor(make.principal("asker", "engineer"))
    return require(
        make.session,
        make.platform.rules,
        actor=actor,
        action=action,
        resource=resource,
        at=make.at,
    )


def decisions(session: Session) -> list[Decision]:
    return [
        decision
        for decision in session.scalars(select(Decision).order_by(Decision.id))
        if decision.action in {"model:create", "model:read", "principal:create"}
    ]


def test_an_allowed_change_is_recorded_with_the_policies_that_decided(make: Factory) -> None:
    resource = Resource("Model", "finance/m", "finance", None)
    asked(make, "model:create", resource)
    (decision,) = decisions(make.session)
    assert decision.allowed
    assert decision.policy_ids == ["engineer-builds"]
    assert decision.bundle_digest == make.platform.rules.engine.bundle_digest
    assert (decision.resource_type, decision.resource_id) == ("Model", "finance/m")


def test_an_allowed_reading_is_not_recorded(make: Factory) -> None:
    asked(make, "model:read", Resource("Model", "finance/m", "finance", None))
    assert decisions(make.session) == []


def test_permit_records_nothing_and_refuses_like_require(make: Factory) -> None:
    actor = make.actor(make.engineer)
    rules = make.platform.rules
    resource = Resource("Model", "finance/m", "finance", None)
    assert permit(
        rules, actor=actor, action="model:create", resource=resource, at=make.at
    ).verdict.allowed
    with pytest.raises(HiddenByPolicy):
        permit(rules, actor=actor, action="model:update", resource=SECRET, at=make.at)
    assert decisions(make.session) == []


def test_what_may_not_be_read_is_hidden_and_what_may_is_denied(make: Factory) -> None:
    with pytest.raises(HiddenByPolicy) as hidden:
        asked(make, "model:read", SECRET)
    record_denial(make.session, hidden.value)
    auditor = make.actor(make.principal("auditor", "auditor"))
    with pytest.raises(DeniedByPolicy) as denied:
        require(
            make.session,
            make.platform.rules,
            actor=auditor,
            action="model:create",
            resource=Resource("Model", "finance/m", "finance", None),
            at=make.at,
        )
    record_denial(make.session, denied.value)
    assert denied.value.details["policies"] == ["auditors-only-read"]
    first, second = decisions(make.session)
    assert (first.allowed, second.allowed) == (False, False)
    assert str(second.id) == denied.value.details["decision"]
    assert first.policy_ids == ["no-read-up"]


def test_hidden_and_missing_are_one_sentence_that_names_nothing(make: Factory) -> None:
    with pytest.raises(HiddenByPolicy) as hidden:
        asked(make, "model:read", SECRET)
    assert hidden.value.message == Unseen().message
    assert (hidden.value.code, hidden.value.details) == (Unseen().code, {})


def test_other_errors_record_no_denial(make: Factory) -> None:
    record_denial(make.session, Unseen())
    assert decisions(make.session) == []


def test_platform_questions_are_denied_and_never_hidden(make: Factory) -> None:
    nobody = make.actor(make.principal("nobody"))
    with pytest.raises(DeniedByPolicy):
        permit(
            make.platform.rules, actor=nobody, action="model:list", resource=PLATFORM, at=make.at
        )
