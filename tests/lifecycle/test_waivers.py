"""Waivers: who gets one, where it acts, when it stops, and that nobody inherits it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bailiwick.access import Principal
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid
from bailiwick.lifecycle.subjects import Thing, resource_of
from bailiwick.lifecycle.waivers import end_expired_waivers, end_waiver
from bailiwick.lineage import Content, Dataset, DatasetVersion, Node, Run, add_dataset_version
from bailiwick.policy import (
    Decision,
    DeniedByPolicy,
    HiddenByPolicy,
    Label,
    ask,
    intern_label,
    load_label,
    require,
    withdraw_approval,
)
from bailiwick.policy.waivers import standing_of
from bailiwick.registry import ModelVersion
from factories import CONFIDENTIAL, Factory
from support.waiving import LOW, MONTH, acting, answered, asked, request_of, terms

RESTRICTED = replace(CONFIDENTIAL, level="restricted")
READING = {
    Dataset: "dataset:read",
    DatasetVersion: "dataset:read",
    ModelVersion: "version:read",
}


@pytest.fixture
def junior(make: Factory) -> Principal:
    """An engineer who may see what `LOW` allows, and no more."""
    junior = make.principal("junior", "engineer", clearance="internal")
    junior.clearance_compartments = []
    return junior


def reads(make: Factory, who: Principal, thing: Thing, **more: Any) -> bool:
    action = READING.get(type(thing), "deployment:read")
    return ask(
        make.platform.rules,
        actor=make.actor(who),
        action=action,
        resource=resource_of(make.session, thing),
        at=more.get("at", make.at),
    ).verdict.allowed


def events(session: Session, action: str) -> list[AuditEvent]:
    return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))


@pytest.fixture(params=["dataset", "dataset version", "model version", "deployment"])
def thing(make: Factory, request: pytest.FixtureRequest) -> Thing:
    """Each kind of thing whose label can be waived."""
    deployment = make.running()
    data = make.session.scalars(select(DatasetVersion)).one()
    things: dict[str, Thing] = {
        "dataset": data.dataset,
        "dataset version": data,
        "model version": make.session.scalars(select(ModelVersion)).one(),
        "deployment": deployment,
    }
    return things[request.param]


@pytest.fixture
def data(make: Factory) -> DatasetVersion:
    return make.dataset_version(make.dataset())


def test_an_approved_waiver_lets_in_whom_the_lower_label_lets_in_until_it_expires(
    make: Factory, junior: Principal, thing: Thing
) -> None:
    assert not reads(make, junior, thing)
    waiver = asked(make, thing)
    assert (waiver.state, reads(make, junior, thing)) == ("requested", False)
    answered(make, waiver)
    assert (waiver.state, reads(make, junior, thing)) == ("active", True)
    end = make.at + MONTH
    assert reads(make, junior, thing, at=end - timedelta(seconds=1))
    assert not reads(make, junior, thing, at=end)  # no tick has noted it
    assert (waiver.state, standing_of(waiver, end)) == ("active", "expired")


def test_a_rejected_one_never_acts(make: Factory, junior: Principal, data: DatasetVersion) -> None:
    waiver = answered(make, asked(make, data), approve=False)
    assert (waiver.state, waiver.end_reason) == ("rejected", "rejected")
    assert not reads(make, junior, data)


def test_one_whose_request_is_withdrawn_is_over(make: Factory, data: DatasetVersion) -> None:
    waiver = asked(make, data)
    withdraw_approval(
        make.session,
        request_of(make, waiver),
        rules=make.platform.rules,
        actor=make.actor(make.engineer),
        at=make.at,
    )
    assert (waiver.state, waiver.end_reason) == ("ended", "withdrawn by who asked")
    with pytest.raises(Conflict, match="withdrawn already"):
        answered(make, waiver)


def test_who_asks_never_approves_nor_does_who_made_it(make: Factory, data: DatasetVersion) -> None:
    both = make.principal("both", "engineer", "approver")
    with pytest.raises(DeniedByPolicy) as refused:
        answered(make, asked(make, data, by=both), by=both)
    assert refused.value.details["policies"] == ["four-eyes"]
    trained = make.model_version(make.model(), data, trained_by=both)
    with pytest.raises(DeniedByPolicy) as refused:
        answered(make, asked(make, trained), by=both)
    assert refused.value.details["policies"] == ["four-eyes"]


@pytest.mark.parametrize(
    ("label", "people"), [(CONFIDENTIAL, 1), (RESTRICTED, 2)], ids=["confidential", "restricted"]
)
def test_more_people_must_agree_the_higher_the_label_is(
    make: Factory, label: Label, people: int
) -> None:
    data = make.dataset_version(make.dataset(label=label))
    waiver = asked(make, data)
    assert request_of(make, waiver).required == people
    for number in range(people):
        assert waiver.state == "requested"
        answered(make, waiver, by=make.principal(f"approver-{number}", "approver"))
    assert waiver.state == "active"


@pytest.mark.parametrize("role", ["approver", "auditor", "service"])
def test_only_those_who_work_with_it_ask(make: Factory, data: DatasetVersion, role: str) -> None:
    kind: Any = "service" if role == "service" else "person"
    with pytest.raises(DeniedByPolicy):
        asked(make, data, by=make.principal("x", role, kind=kind))


def test_nobody_asks_about_what_they_may_not_see(
    make: Factory, junior: Principal, data: DatasetVersion
) -> None:
    with pytest.raises(HiddenByPolicy):
        asked(make, data, by=junior)


def test_a_label_that_has_risen_since_is_not_the_one_that_was_waived(
    make: Factory, junior: Principal, data: DatasetVersion
) -> None:
    waiver = acting(make, data)
    data.label_id = intern_label(make.session, RESTRICTED)
    make.session.flush()
    assert (waiver.state, reads(make, junior, data)) == ("active", False)


def test_nor_does_it_act_for_what_has_changed(make: Factory, junior: Principal) -> None:
    deployment = make.running()
    acting(make, deployment)
    assert reads(make, junior, deployment)
    deployment.purpose = "analytics"
    assert not reads(make, junior, deployment)


def test_approving_after_the_label_rose_is_refused(make: Factory, data: DatasetVersion) -> None:
    waiver = asked(make, data)
    data.label_id = intern_label(make.session, RESTRICTED)
    make.session.flush()
    with pytest.raises(Conflict, match="is void: its label has changed"):
        answered(make, waiver)
    assert waiver.state == "requested"


def test_what_is_made_from_a_waived_thing_carries_the_true_label_through_every_hop(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    acting(make, data)
    acting(make, data.dataset)
    derived = data
    for name in ("cleaned", "sampled"):
        public = replace(CONFIDENTIAL, level="public", compartments=frozenset())
        fields = {f: getattr(derived, f) for f in Content.__slots__ if hasattr(derived, f)}
        content = Content(**fields | {"content_digest": name.ljust(64, "0"), "source_blob": None})
        derived = add_dataset_version(
            session,
            make.dataset(name, label=public),
            content,
            scheme=make.platform.rules.scheme,
            kind="prepare",
            inputs=[(Node("dataset-version", derived.id), name, derived.label_id)],
            started_at=make.at,
            actor_id=make.engineer.id,
            at=make.at,
        )
        acting(make, derived)
    version = make.model_version(make.model(), derived)
    assert load_label(session, derived.label_id) == CONFIDENTIAL
    assert load_label(session, version.label_id) == CONFIDENTIAL
    runs = session.scalars(select(Run)).all()
    assert {load_label(session, run.label_id) for run in runs} == {CONFIDENTIAL}
    assert len(runs) == 4


def test_nobody_learns_from_a_waived_dataset_whom_its_true_label_keeps_out(
    make: Factory, junior: Principal, data: DatasetVersion
) -> None:
    acting(make, data)
    assert reads(make, junior, data)
    model = make.model(label=LOW)
    with pytest.raises(DeniedByPolicy) as refused:
        make.model_version(model, data, trained_by=junior)
    assert refused.value.details["policies"] == ["no-train-down", "no-train-up"]


def test_a_waived_version_may_run_where_its_own_label_may_not(make: Factory) -> None:
    model = make.model(label=RESTRICTED)
    rows = make.dataset_version(make.dataset(label=RESTRICTED))
    version = make.champion(make.model_version(model, rows))
    place = make.environment(clearance="internal")
    with pytest.raises(DeniedByPolicy) as refused:
        make.deployment(model, place)
    assert refused.value.details["policies"] == ["no-deploy-up"]
    waiver = asked(make, version)
    for number in range(2):
        answered(make, waiver, by=make.principal(f"approver-{number}", "approver"))
    deployment = make.deployment(model, place)
    assert load_label(make.session, deployment.label_id) == RESTRICTED
    served = make.session.scalars(
        select(Decision).where(Decision.action == "deployment:serve", Decision.allowed)
    ).one()
    assert served.waiver_id == waiver.id
    assert load_label(make.session, str(served.label_id)) == LOW


def test_one_that_is_ended_early_stops_at_once(
    make: Factory, session: Session, junior: Principal, data: DatasetVersion
) -> None:
    waiver = acting(make, data)
    end_waiver(
        session,
        waiver,
        reason="names were found",
        rules=make.platform.rules,
        actor=make.actor(make.approver),
        at=make.at,
    )
    assert not reads(make, junior, data)
    assert (waiver.state, waiver.ended_by) == ("ended", make.approver.id)
    assert len(events(session, "waiver.ended")) == 1
    with pytest.raises(Conflict, match="is ended and cannot be ended"):
        end_waiver(
            session,
            waiver,
            reason="again",
            rules=make.platform.rules,
            actor=make.actor(make.approver),
            at=make.at,
        )


@pytest.mark.parametrize(
    ("role", "may"), [("steward", True), ("approver", True), ("engineer", False), ("admin", True)]
)
def test_stewards_approvers_and_who_asked_end_it(
    make: Factory, data: DatasetVersion, role: str, *, may: bool
) -> None:
    waiver = acting(make, data)
    common: Any = {"rules": make.platform.rules, "at": make.at, "reason": "over"}
    somebody = make.actor(make.principal("x", role))
    if may:
        end_waiver(make.session, waiver, actor=somebody, **common)
    else:
        with pytest.raises(DeniedByPolicy):
            end_waiver(make.session, waiver, actor=somebody, **common)
        end_waiver(make.session, waiver, actor=make.actor(make.engineer), **common)
    assert waiver.state == "ended"


def test_an_end_has_a_reason(make: Factory, data: DatasetVersion) -> None:
    with pytest.raises(Invalid, match="say why"):
        end_waiver(
            make.session,
            acting(make, data),
            reason=" ",
            rules=make.platform.rules,
            actor=make.actor(make.approver),
            at=make.at,
        )


def test_the_tick_notes_the_end_once_in_the_name_of_who_asked(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    waiver, waiting = acting(make, data), asked(make, data)
    at = make.at + MONTH
    assert end_expired_waivers(session, rules=make.platform.rules, at=at - timedelta(1)) == 0
    assert end_expired_waivers(session, rules=make.platform.rules, at=at) == 1
    assert end_expired_waivers(session, rules=make.platform.rules, at=at) == 0
    assert (waiver.state, waiver.ended_by, waiver.ended_at) == ("ended", None, at)
    assert (waiting.state, standing_of(waiting, at)) == ("ended", "expired")
    assert {event.actor_id for event in events(session, "waiver.ended")} == {make.engineer.id}


def test_a_later_waiver_takes_the_place_of_an_earlier_one(
    make: Factory, junior: Principal, data: DatasetVersion
) -> None:
    first = acting(make, data)
    higher = replace(LOW, level="confidential")
    second = acting(make, data, terms(make.at, label=higher))
    assert (first.state, second.state) == ("ended", "active")
    assert first.end_reason == f"replaced by waiver {second.id}"
    assert not reads(make, junior, data)


def test_the_database_itself_allows_one_lower_label_at_a_time(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    acting(make, data)
    other = asked(make, data)
    with pytest.raises(IntegrityError), session.begin_nested():
        other.state = "active"


def test_reason_and_evidence_stay_out_of_the_log(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    acting(make, data)
    written = [event for event in session.scalars(select(AuditEvent)) if "waiver" in event.action]
    assert [event.action for event in written] == ["waiver.requested", "waiver.began"]
    assert not any(b"holds no names" in event.body for event in written)


def test_a_change_that_rests_on_a_waiver_is_refused_once_it_has_ended(
    make: Factory, session: Session, data: DatasetVersion
) -> None:
    waiver = acting(make, data)
    resource = resource_of(session, data)  # built while it acted
    assert resource.waived is not None
    waiver.state = "ended"
    session.flush()
    steward = make.principal("junior-steward", "steward", clearance="internal")
    steward.clearance_compartments = []
    with pytest.raises(HiddenByPolicy):
        require(
            session,
            make.platform.rules,
            actor=make.actor(steward),
            action="dataset:label",
            resource=resource,
            at=make.at,
        )
