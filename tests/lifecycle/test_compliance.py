"""Deployments held to the policies: breaches are found, told, tolerated for a time, and end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from bailiwick.audit.tables import AuditEvent
from bailiwick.core.errors import Denied
from bailiwick.lifecycle import operation
from bailiwick.lifecycle.compliance import (
    is_tolerated,
    review_deployments,
    stop_due,
    unresolved_breaches,
)
from bailiwick.lifecycle.relabelling import relabel_dataset
from bailiwick.lifecycle.waivers import decide, end_waiver, request_waiver
from bailiwick.lineage import Dataset
from bailiwick.monitoring import Alert, acknowledge, close
from bailiwick.policy import ApprovalRequest, Label, Rules, Waiver
from bailiwick.policy.classification import OutOfPolicy
from bailiwick.policy.waivers import Terms
from bailiwick.registry import (
    Breach,
    Deployment,
    ModelVersion,
    served_version,
)
from factories import CONFIDENTIAL, Factory
from support.lifecycle_world import audited

RESTRICTED = replace(CONFIDENTIAL, level="restricted")
RESEARCH = replace(CONFIDENTIAL, purposes=frozenset({"accounting", "research"}))
GRACE = timedelta(hours=24)


@pytest.fixture
def deployment(make: Factory) -> Deployment:
    """Confidential, in a place that is cleared for that."""
    return make.running()


def raise_to(make: Factory, label: Label, **rules: Any) -> None:
    """The only dataset gets this label, from a steward."""
    steward = make.__dict__.get("steward") or make.principal("steward", "steward")
    make.__dict__["steward"] = steward
    relabel_dataset(
        make.session,
        make.session.scalars(select(Dataset)).one(),
        label,
        reason="x",
        rules=rules.get("rules", make.platform.rules),
        actor=make.actor(steward),
        at=make.at,
    )


def review(
    make: Factory, cause: str = "somebody looked", at: datetime | None = None
) -> list[Breach]:
    return review_deployments(
        make.session,
        rules=make.platform.rules,
        cause=cause,
        actor=make.actor(make.root),
        at=at or make.at,
    )


def breach_of(make: Factory, deployment: Deployment) -> Breach:
    return unresolved_breaches(make.session, [deployment.id])[deployment.id]


def waive(make: Factory, thing: ModelVersion | Deployment) -> Waiver:
    """Let it count as confidential for a week; two other people approve."""
    common: dict[str, Any] = {"rules": make.platform.rules, "at": make.at}
    week = make.at + timedelta(days=7)
    terms = Terms("declassification", "reason", "evidence", week, label=CONFIDENTIAL)
    actor = make.actor(make.engineer)
    request_waiver(make.session, thing, terms, tiers=make.platform.tiers, actor=actor, **common)
    request = make.session.scalars(select(ApprovalRequest).order_by(ApprovalRequest.id.desc()))
    asked = request.first()
    assert asked is not None
    for name in ("paul", "petra"):
        person = make.principal(f"{name}-{str(asked.id)[-4:]}", "approver")
        decide(make.session, asked, approve=True, comment="", actor=make.actor(person), **common)
    return make.session.scalars(select(Waiver).order_by(Waiver.id.desc())).first()  # type: ignore[return-value]


def test_what_the_policies_allow_is_no_breach(make: Factory, deployment: Deployment) -> None:
    assert review(make) == []
    assert make.session.scalars(select(Breach)).all() == []
    assert not is_tolerated(make.session, deployment.id, at=make.at)


def test_a_breach_says_which_policies_since_when_and_who_caused_it(
    make: Factory, deployment: Deployment
) -> None:
    raise_to(make, RESTRICTED)
    breach = breach_of(make, deployment)
    assert (breach.policy_ids, breach.found_at, breach.stop_at) == (
        ["no-deploy-up"],
        make.at,
        make.at + GRACE,
    )
    assert breach.caused_by == make.__dict__["steward"].id
    assert breach.owner_id == deployment.created_by
    assert breach.version_id == served_version(make.session, deployment).id
    assert audited(make.session, breach.id) == ["breach.found"]
    assert is_tolerated(make.session, deployment.id, at=make.at + GRACE - timedelta(seconds=1))
    assert not is_tolerated(make.session, deployment.id, at=make.at + GRACE)


def test_looking_again_changes_nothing_and_grants_no_further_grace(
    make: Factory, deployment: Deployment
) -> None:
    raise_to(make, RESTRICTED)
    breach = breach_of(make, deployment)
    assert review(make, at=make.at + timedelta(hours=3)) == []
    assert audited(make.session, breach.id) == ["breach.found"]
    raise_to(make, replace(RESTRICTED, residency=frozenset({"de"})))
    make.session.refresh(breach)
    assert breach.policy_ids == ["no-deploy-up", "residency"]
    assert breach.stop_at == make.at + GRACE
    assert audited(make.session, breach.id) == ["breach.found", "breach.changed"]
    alert = make.session.scalars(select(Alert)).one()
    assert audited(make.session, alert.id) == ["alert.raised", "alert.updated"]
    assert "may not be processed in the environment's zone" in alert.sentence
    assert (alert.cause, alert.severity) == ("policy", "page")  # it will be stopped


def test_a_purpose_that_is_no_longer_allowed_is_a_breach_of_answering(make: Factory) -> None:
    model = make.model(label=RESEARCH)
    data = make.dataset_version(make.dataset(label=RESEARCH))
    make.champion(make.model_version(model, data))
    deployment = make.deployment(model, make.environment())
    raise_to(make, replace(RESEARCH, purposes=frozenset({"research"})))
    assert breach_of(make, deployment).policy_ids == ["purpose"]


def test_the_platform_stops_it_after_the_grace_time_in_the_name_of_who_caused_it(
    make: Factory, deployment: Deployment
) -> None:
    raise_to(make, RESTRICTED)
    steward, rules = make.__dict__["steward"], make.platform.rules
    early = make.at + GRACE - timedelta(seconds=1)
    assert stop_due(make.session, rules=rules, at=early) == 0
    assert stop_due(make.session, rules=rules, at=make.at + GRACE) == 1
    assert stop_due(make.session, rules=rules, at=make.at + GRACE) == 0
    make.session.refresh(deployment)
    assert deployment.state == "stopped"
    breach = breach_of(make, deployment)
    assert breach.stopped_at == make.at + GRACE
    stopped = select(AuditEvent).where(
        AuditEvent.action.in_(["deployment.stopped", "breach.stopped"])
    )
    assert {one.actor_id for one in make.session.scalars(stopped)} == {steward.id}
    alert = make.session.scalars(select(Alert)).one()
    assert alert.state == "open"
    assert "It was stopped at 2026-01-06 08:00 UTC." in alert.sentence


def test_what_is_allowed_again_before_it_is_due_is_not_stopped(
    make: Factory, deployment: Deployment
) -> None:
    raise_to(make, RESTRICTED)
    deployment.environment.clearance_level = "restricted"
    make.session.flush()
    assert stop_due(make.session, rules=make.platform.rules, at=make.at + GRACE) == 0
    assert deployment.state == "active"
    breach = make.session.scalars(select(Breach)).one()
    assert breach.resolved_at == make.at + GRACE
    assert breach.resolution == "the policies allow it again: its grace time was over"


def rules_with(make: Factory, treatment: OutOfPolicy) -> Rules:
    rules = make.platform.rules
    return replace(rules, scheme=replace(rules.scheme, out_of_policy=treatment))


def test_rules_that_only_report_never_stop(make: Factory, deployment: Deployment) -> None:
    rules = rules_with(make, OutOfPolicy(stop=False))
    raise_to(make, RESTRICTED, rules=rules)
    breach = breach_of(make, deployment)
    assert breach.stop_at is None
    assert stop_due(make.session, rules=rules, at=make.at + timedelta(days=365)) == 0
    assert is_tolerated(make.session, deployment.id, at=make.at + timedelta(days=365))
    alert = make.session.scalars(select(Alert)).one()
    assert "goes on until somebody stops it" in alert.sentence
    assert alert.severity == "warning"


def test_without_grace_the_next_tick_stops_it(make: Factory, deployment: Deployment) -> None:
    rules = rules_with(make, OutOfPolicy(grace_hours=0))
    raise_to(make, RESTRICTED, rules=rules)
    assert not is_tolerated(make.session, deployment.id, at=make.at)
    assert stop_due(make.session, rules=rules, at=make.at) == 1


@pytest.mark.parametrize("about", ["version", "deployment"])
def test_a_waiver_resolves_the_breach_and_its_end_finds_it_again(
    make: Factory, deployment: Deployment, about: str
) -> None:
    raise_to(make, RESTRICTED)
    found = breach_of(make, deployment)
    make.session.refresh(deployment)
    thing = served_version(make.session, deployment) if about == "version" else deployment
    waiver = waive(make, thing)
    make.session.refresh(found)
    assert found.resolution == f"the policies allow it again: waiver {waiver.id} began"
    assert make.session.scalars(select(Alert.state)).one() == "resolved"
    operation.stop(make.session, deployment, **by(make))
    operation.start(make.session, deployment, **by(make))
    end_waiver(make.session, waiver, reason="done", **by(make, make.engineer))
    again = breach_of(make, deployment)
    assert again.id != found.id
    assert again.cause == f"waiver {waiver.id} was ended"
    alert = make.session.scalars(select(Alert)).one()
    assert (alert.state, alert.reopened_at, alert.breach_id) == ("open", make.at, again.id)


def by(make: Factory, person: Any = None) -> dict[str, Any]:
    actor = make.actor(person or make.engineer)
    return {"rules": make.platform.rules, "actor": actor, "at": make.at}


def test_another_champion_resolves_it(make: Factory, deployment: Deployment) -> None:
    clean = make.dataset_version(make.dataset("clean"), seed=1)
    raise_of(make, "purchases", RESTRICTED)
    make.session.refresh(deployment)
    breach = breach_of(make, deployment)
    make.champion(make.model_version(deployment.model, clean))
    make.session.refresh(breach)
    assert breach.resolution == "the policies allow it again: version 2 became champion"


def raise_of(make: Factory, name: str, label: Label) -> None:
    relabel_dataset(
        make.session,
        make.session.scalars(select(Dataset).where(Dataset.name == name)).one(),
        label,
        reason="x",
        rules=make.platform.rules,
        actor=make.actor(make.principal("steward", "steward")),
        at=make.at,
    )


def test_stopping_by_hand_ends_it_and_starting_asks_the_policy(
    make: Factory, deployment: Deployment
) -> None:
    raise_to(make, RESTRICTED)
    breach = breach_of(make, deployment)
    make.session.refresh(deployment)
    operation.stop(make.session, deployment, **by(make))
    assert breach.resolution == "the deployment was stopped"
    with pytest.raises(Denied, match="above the environment's clearance"):
        operation.start(make.session, deployment, **by(make))
    assert deployment.state == "stopped"


def test_what_the_platform_stopped_is_not_started_before_the_policies_allow_it(
    make: Factory, deployment: Deployment
) -> None:
    raise_to(make, RESTRICTED)
    stop_due(make.session, rules=make.platform.rules, at=make.at + GRACE)
    breach = breach_of(make, deployment)
    make.session.refresh(deployment)
    with pytest.raises(Denied):
        operation.start(make.session, deployment, **by(make))
    assert breach.resolved_at is None
    deployment.environment.clearance_level = "restricted"
    make.session.flush()
    operation.start(make.session, deployment, **by(make))
    assert deployment.state == "active"
    assert breach.resolution == "the policies allow it again: it was started again"


def test_an_alert_that_somebody_closed_is_not_raised_again_for_the_same_breach(
    make: Factory, deployment: Deployment
) -> None:
    raise_to(make, RESTRICTED)
    alert = make.session.scalars(select(Alert)).one()
    acknowledge(make.session, alert, actor_id=make.engineer.id, at=make.at)
    close(make.session, alert, resolution="we know", actor_id=make.engineer.id, at=make.at)
    review(make)
    assert make.session.scalars(select(Alert)).all() == [alert]
    deployment.environment.clearance_level = "restricted"
    make.session.flush()
    review(make, "the place was cleared")
    assert make.session.scalars(select(Breach)).one().resolved_at == make.at


def test_other_policies_are_put_to_every_active_deployment(
    make: Factory, deployment: Deployment
) -> None:
    files = dict(make.platform.rules.files)
    frozen = b"""
@id("freeze") @reason("Nothing is served this week: wait for the next.")
forbid (principal, action == Action::"deployment:serve", resource);
"""
    files["duties.cedar"] += frozen
    common = {"cause": "policies were activated", "actor": make.actor(make.root), "at": make.at}
    (breach,) = review_deployments(make.session, rules=Rules.of(files), **common)
    assert (breach.deployment_id, breach.policy_ids) == (deployment.id, ["freeze"])
    assert breach.reason == "Nothing is served this week: wait for the next."
    assert review_deployments(make.session, rules=make.platform.rules, **common) == []
    assert make.session.scalars(select(Breach)).one().resolved_at == make.at


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_a_review_asks_the_database_as_often_for_many_as_for_one(
    make: Factory, deployment: Deployment
) -> None:
    with counted(make.session) as one:
        review(make)
    for number in range(5):
        make.deployment(deployment.model, deployment.environment, name=f"more-{number}")
    with counted(make.session) as many:
        review(make)
    assert len(many) == len(one)
