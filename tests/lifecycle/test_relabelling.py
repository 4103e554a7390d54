"""Raising a dataset's label: everything downstream rises at once, visibly, and never falls."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.audit.tables import AuditEvent
from bailiwick.core.errors import Denied, Invalid
from bailiwick.lifecycle.jobs import JobKind
from bailiwick.lifecycle.promotion import ask_for_approval, roll_back
from bailiwick.lifecycle.relabelling import (
    Relabelled,
    preview_relabelling,
    relabel_dataset,
    relabel_dataset_version,
)
from bailiwick.lifecycle.schedules import set_schedule
from bailiwick.lifecycle.tables import Job, Schedule
from bailiwick.lineage import Dataset, DatasetVersion, Run
from bailiwick.monitoring import Alert, Inference, create_monitor, log_inferences
from bailiwick.policy import (
    ApprovalRequest,
    Decision,
    HiddenByPolicy,
    Label,
    LabelMove,
    StoredLabel,
    count_approvals,
    decide_approval,
    load_label,
)
from bailiwick.registry import (
    Breach,
    Deployment,
    ModelVersion,
    pointed_at,
    version_subject,
)
from factories import CONFIDENTIAL, Factory
from support.lifecycle_world import audited, queue_job
from support.lineage_graphs import OPEN, Lineage

RESTRICTED = replace(CONFIDENTIAL, level="restricted")
HIGHER = replace(OPEN, level="internal", compartments=frozenset({"finance"}))


@pytest.fixture
def lineage(make: Factory) -> Lineage:
    return Lineage.begin(make)


@pytest.fixture
def relabel(make: Factory, lineage: Lineage) -> Callable[..., Relabelled]:
    """As the steward."""

    def act(target: Dataset | DatasetVersion, label: Label, reason: str = "more is known") -> Any:
        more: dict[str, Any] = {
            "reason": reason,
            "rules": make.platform.rules,
            "actor": make.actor(lineage.steward),
            "at": make.at,
        }
        if isinstance(target, Dataset):
            return relabel_dataset(make.session, target, label, **more)
        return relabel_dataset_version(make.session, target, label, **more)

    return act


def test_everything_that_carries_a_label_rises_with_the_data(
    make: Factory, lineage: Lineage, relabel: Callable[..., Relabelled]
) -> None:
    deployment = make.running()
    data = make.session.scalars(select(DatasetVersion)).one()
    done = relabel(data.dataset, RESTRICTED)
    everything = [
        data.dataset,
        data,
        deployment,
        deployment.model,
        *make.session.scalars(select(ModelVersion)),
        *make.session.scalars(select(Run)),
        *make.session.scalars(select(Job)),
        *make.session.scalars(select(ApprovalRequest)),
    ]
    assert {lineage.label(one) for one in everything} == {RESTRICTED}
    assert done.moved == {
        "dataset": 1,
        "dataset-version": 1,
        "run": 2,
        "model-version": 1,
        "model": 1,
        "deployment": 1,
        "job": 1,
        "approval": 1,
    }
    assert (done.old, done.new, done.sealed) == (CONFIDENTIAL, RESTRICTED, 0)


def test_one_act_is_one_cause_with_a_move_and_an_event_for_each_thing(
    make: Factory, lineage: Lineage, relabel: Callable[..., Relabelled]
) -> None:
    first = lineage.data()
    second = lineage.data(first)
    done = relabel(first.dataset, HIGHER, "it holds customers' names")
    moves = make.session.scalars(select(LabelMove).order_by(LabelMove.id)).all()
    assert {move.cause_id for move in moves} == {done.cause_id}
    root = next(move for move in moves if move.id == move.cause_id)
    assert (root.node_type, root.node_id, root.reason) == (
        "dataset",
        first.dataset_id,
        "it holds customers' names",
    )
    assert {move.actor_id for move in moves} == {lineage.steward.id}
    assert [load_label(make.session, move.old_label_id) for move in moves] == [OPEN] * len(moves)
    assert audited(make.session, second.id)[-1] == "dataset-version.label-raised"
    told = make.session.scalars(select(AuditEvent).where(AuditEvent.action.like("%label-raised")))
    bodies = [event.body for event in told]
    assert len(bodies) == len(moves) == sum(done.moved.values())
    assert not any(b"customers' names" in body for body in bodies)
    decided = make.session.scalars(select(Decision).where(Decision.action == "dataset:label")).one()
    assert decided.resource_id == str(first.dataset_id)


def test_one_version_rises_alone_with_what_learned_from_it(
    lineage: Lineage, relabel: Callable[..., Relabelled]
) -> None:
    one = lineage.data()
    other = lineage.data(into=one.dataset)
    learned, apart = lineage.model(one), lineage.model(other)
    relabel(one, HIGHER)
    assert lineage.label(one) == lineage.label(learned) == HIGHER
    assert lineage.label(one.dataset) == lineage.label(other) == lineage.label(apart) == OPEN


@pytest.mark.parametrize(
    "lower",
    [
        {"level": "internal"},
        {"compartments": frozenset()},
        {"residency": frozenset({"eu", "uk"})},
        {"purposes": frozenset({"accounting", "research"})},
        {"level": "restricted", "residency": frozenset({"world"})},
    ],
    ids=["level", "compartment", "zone", "purpose", "higher and lower"],
)
def test_only_a_waiver_lowers_and_the_refusal_says_how(
    make: Factory, relabel: Callable[..., Relabelled], lower: dict[str, Any]
) -> None:
    dataset = make.dataset()
    with pytest.raises(Invalid, match=r"ask for a waiver \(POST /api/v1/waivers\)"):
        relabel(dataset, replace(CONFIDENTIAL, **lower))
    assert make.session.scalars(select(LabelMove)).all() == []


def test_the_same_label_again_changes_nothing(
    make: Factory, relabel: Callable[..., Relabelled]
) -> None:
    dataset = make.dataset()
    done = relabel(dataset, CONFIDENTIAL)
    assert (done.cause_id, done.moved) == (None, {})
    assert make.session.scalars(select(LabelMove)).all() == []


def test_a_label_of_unknown_words_or_without_a_reason_is_refused(
    make: Factory, relabel: Callable[..., Relabelled]
) -> None:
    dataset = make.dataset()
    with pytest.raises(Invalid, match="no compartment named kitchen"):
        relabel(dataset, replace(CONFIDENTIAL, compartments=frozenset({"finance", "kitchen"})))
    with pytest.raises(Invalid, match="say why"):
        relabel(dataset, RESTRICTED, "  ")


def test_only_a_steward_who_may_see_it_labels(make: Factory) -> None:
    dataset = make.dataset()
    common: dict[str, Any] = {
        "reason": "x",
        "rules": make.platform.rules,
        "at": make.at,
    }
    with pytest.raises(Denied):
        relabel_dataset(
            make.session, dataset, RESTRICTED, actor=make.actor(make.engineer), **common
        )
    low = make.principal("low", "steward", clearance="internal")
    with pytest.raises(HiddenByPolicy):
        relabel_dataset(make.session, dataset, RESTRICTED, actor=make.actor(low), **common)


def test_what_was_made_of_two_that_now_exclude_each_other_is_sealed(
    lineage: Lineage, relabel: Callable[..., Relabelled]
) -> None:
    one, other = lineage.data(), lineage.data()
    both = lineage.model(one, other)
    deployment = lineage.deployed(both)
    relabel(one.dataset, replace(OPEN, residency=frozenset({"eu"})))
    done = relabel(other.dataset, replace(OPEN, residency=frozenset({"us"})))
    assert done.sealed == 4  # the version, its run, its model, its deployment
    assert lineage.label(both).residency == frozenset()
    assert lineage.label(both).is_sealed
    assert not lineage.label(other).is_sealed
    (breach,) = done.breaches
    assert breach.deployment_id == deployment.id
    assert breach.policy_ids == ["residency", "sealed"]
    assert "Make it again without one of its inputs" in breach.reason
    with pytest.raises(Invalid, match="waiver"):
        relabel(both_as_data(lineage, one, other), OPEN)


def both_as_data(lineage: Lineage, one: DatasetVersion, other: DatasetVersion) -> DatasetVersion:
    """A version that is sealed like the model that learned from both."""
    made = lineage.data()
    sealed = lineage.platform.rules.scheme.join_or_seal([lineage.label(one), lineage.label(other)])
    made.label_id = (
        lineage.session.scalars(select(StoredLabel.id).where(StoredLabel.residency == [])).first()
        or ""
    )
    assert load_label(lineage.session, made.label_id) == sealed
    return made


def test_deployments_rise_with_what_they_have_served_and_no_other(
    lineage: Lineage, relabel: Callable[..., Relabelled]
) -> None:
    old_data, new_data = lineage.data(), lineage.data()
    first = lineage.model(old_data)
    both = lineage.deployed(first)
    second = lineage.model(new_data, into=first.model)
    newest = lineage.deployed(second)
    relabel(old_data.dataset, HIGHER)
    assert lineage.label(both) == HIGHER  # it served the first one once
    assert lineage.label(newest) == OPEN
    assert lineage.label(first.model) == HIGHER


def test_a_deployment_rises_with_answers_that_were_logged_of_a_version(
    make: Factory, lineage: Lineage, relabel: Callable[..., Relabelled]
) -> None:
    old_data, new_data = lineage.data(), lineage.data()
    first = lineage.model(old_data)
    second = lineage.model(new_data, into=first.model)
    deployment = lineage.deployed(second)
    answer = Inference("r", make.at, "Fuel", 0.9, 4, 1, 0.0, None)
    log_inferences(make.session, deployment.id, first.id, [answer], at=make.at)
    relabel(old_data.dataset, HIGHER)
    assert lineage.label(deployment) == HIGHER


def test_jobs_and_schedules_of_a_deployment_rise_with_it(
    make: Factory, lineage: Lineage, relabel: Callable[..., Relabelled]
) -> None:
    data = lineage.data()
    deployment = lineage.deployed(lineage.model(data))
    monitor = create_monitor(
        make.session,
        deployment,
        max_accuracy_drop=0.05,
        min_rows=20,
        window_days=7,
        alarms_by="checks",
        actor_id=make.engineer.id,
        at=make.at,
    )
    schedule = set_schedule(
        make.session,
        JobKind.CHECK,
        monitor.id,
        namespace=deployment.namespace,
        label_id=deployment.label_id,
        cron="0 6 * * *",
        acts_as=make.engineer.id,
        actor_id=make.engineer.id,
        at=make.at,
    )
    job, apart = queue_job(make), queue_job(make)
    job.subject_id, job.label_id = monitor.id, deployment.label_id
    make.session.flush()
    relabel(data.dataset, HIGHER)
    for one in (job, schedule):
        make.session.refresh(one)
        assert load_label(make.session, one.label_id) == HIGHER
    make.session.refresh(apart)
    assert load_label(make.session, apart.label_id) == CONFIDENTIAL
    assert make.session.scalars(select(Schedule.label_id)).one() == job.label_id


def test_an_approval_for_the_lower_label_is_withdrawn_and_counts_for_nothing(
    make: Factory, relabel: Callable[..., Relabelled]
) -> None:
    model = make.model()
    version = make.model_version(model, make.dataset_version(make.dataset()))
    common: dict[str, Any] = {"rules": make.platform.rules, "at": make.at}
    request = ask_for_approval(
        make.session,
        version,
        tiers=make.platform.tiers,
        actor=make.actor(make.engineer),
        **common,
    )
    answered = {"approve": True, "comment": "", "actor": make.actor(make.approver), **common}
    decide_approval(make.session, request, **answered)
    before = version_subject(version)
    assert count_approvals(make.session, before, purpose="promote", at=make.at) == 1
    relabel(make.session.scalars(select(Dataset)).one(), RESTRICTED)
    make.session.refresh(version)
    make.session.refresh(request)
    now = version_subject(version)
    assert (request.state, request.label_id) == ("withdrawn", version.label_id)
    assert count_approvals(make.session, now, purpose="promote", at=make.at) == 0
    assert audited(make.session, request.id)[-2:] == ["approval.label-raised", "approval.withdrawn"]


def test_the_owner_is_told_and_the_preview_had_said_so(
    make: Factory, relabel: Callable[..., Relabelled]
) -> None:
    deployment = make.running()
    data = make.session.scalars(select(DatasetVersion)).one()
    rules = make.platform.rules
    said = preview_relabelling(make.session, data.dataset, RESTRICTED, rules=rules, at=make.at)
    assert make.session.scalars(select(Breach)).all() == []
    (breach,) = relabel(data.dataset, RESTRICTED).breaches
    (would,) = said.out_of_policy
    assert (would.deployment.id, list(would.policy_ids), would.reason) == (
        deployment.id,
        breach.policy_ids,
        breach.reason,
    )
    assert breach.policy_ids == ["no-deploy-up"]
    assert breach.stop_at == make.at + timedelta(hours=24)
    alert = make.session.scalars(select(Alert)).one()
    assert (alert.source, alert.kind, alert.owner_id, alert.breach_id) == (
        "policy",
        "out-of-policy",
        make.engineer.id,
        breach.id,
    )
    assert "It will be stopped at 2026-01-06 08:00 UTC unless" in alert.sentence
    assert "purchases" not in alert.sentence + breach.cause + breach.reason


def test_no_registration_and_no_rollback_lowers_a_label(
    make: Factory, lineage: Lineage, relabel: Callable[..., Relabelled]
) -> None:
    model = make.model()
    place = make.environment(clearance="restricted")
    first = make.champion(make.model_version(model, make.dataset_version(make.dataset())))
    deployment = make.deployment(model, place)
    clean = make.dataset_version(make.dataset("clean"), seed=1)
    make.champion(make.model_version(model, clean))
    relabel(
        make.session.scalars(select(Dataset).where(Dataset.name == "purchases")).one(), RESTRICTED
    )
    third = make.model_version(model, clean)
    assert lineage.label(third) == CONFIDENTIAL  # it learned nothing else
    for container in (model, deployment, first):
        assert lineage.label(container) == RESTRICTED
    make.champion(third)
    roll_back(
        make.session,
        model.id,
        reason="x",
        rules=make.platform.rules,
        actor=make.actor(make.engineer),
        at=make.at,
    )
    champion = pointed_at(make.session, model.id, "champion")
    assert champion is not None
    assert champion.number == 2
    for container in (model, deployment, first):
        assert lineage.label(container) == RESTRICTED


def test_a_deployment_that_a_promotion_raised_says_why(make: Factory, lineage: Lineage) -> None:
    model = make.model(label=RESTRICTED)
    make.champion(make.model_version(model, make.dataset_version(make.dataset())))
    deployment = make.deployment(model, make.environment(clearance="restricted"))
    secret = make.dataset_version(make.dataset("secret", label=RESTRICTED), seed=1)
    make.champion(make.model_version(model, secret))
    assert lineage.label(deployment) == RESTRICTED
    moves = select(LabelMove).where(LabelMove.node_id == deployment.id)
    move = make.session.scalars(moves).one()
    assert (move.reason, move.cause_id) == ("it serves version 2", move.id)
    assert audited(make.session, deployment.id)[-1] == "deployment.label-raised"
    assert make.session.get_one(Deployment, deployment.id).label_id == move.new_label_id
