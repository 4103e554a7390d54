"""Exceptions to gates: for this exact version, by other people, for a time, and on record."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Denied, Invalid
from bailiwick.lifecycle.gates import GATES, WAIVABLE_GATES, Rejection
from bailiwick.lifecycle.promotion import ask_for_approval, evaluation_of, promote
from bailiwick.lifecycle.tables import Evaluation
from bailiwick.lifecycle.waivers import excused_gates, gates_passed
from bailiwick.lineage import DatasetVersion
from bailiwick.policy import intern_label
from bailiwick.registry import CHAMPION, ModelVersion, pointed_at
from factories import Factory
from support.waiving import LOW, MONTH, acting, answer, asked, excuse, request_of, terms

# What an accuracy of 0.2 fails, the most frequent label being right in 0.2 as well.
FAILED = ["min_accuracy", "min_gain_over_majority"]


@pytest.fixture
def data(make: Factory) -> DatasetVersion:
    return make.dataset_version(make.dataset())


@pytest.fixture
def failed(make: Factory, data: DatasetVersion) -> ModelVersion:
    """A version that two gates rejected."""
    version = make.model_version(make.model(), data, accuracy=0.2)
    evaluation = evaluation_of(make.session, version)
    assert evaluation is not None
    assert [rejection["gate"] for rejection in evaluation.rejections] == FAILED
    return version


def approved(make: Factory, version: ModelVersion, **more: Any) -> None:
    engineer = make.actor(make.engineer)
    common: Any = {"rules": make.platform.rules, "at": more.get("at", make.at)}
    request = ask_for_approval(
        make.session, version, tiers=make.platform.tiers, actor=engineer, **common
    )
    answer(make, request, **more)


def promoted(make: Factory, version: ModelVersion, **more: Any) -> None:
    promote(
        make.session,
        version,
        reason="needed now",
        rules=make.platform.rules,
        tiers=make.platform.tiers,
        actor=make.actor(make.engineer),
        at=more.get("at", make.at),
    )


def test_a_version_whose_every_failed_gate_is_excused_may_become_champion(
    make: Factory, session: Session, failed: ModelVersion
) -> None:
    first = acting(make, failed, excuse(make.at, FAILED[0]))
    with pytest.raises(Conflict, match="has not passed its gates"):
        approved(make, failed)
    with pytest.raises(Denied) as refused:
        promoted(make, failed)
    assert "promotion-needs-gates" in refused.value.details["policies"]  # type: ignore[operator]
    second = acting(make, failed, excuse(make.at, FAILED[1]))
    approved(make, failed)
    promoted(make, failed)
    assert pointed_at(session, failed.model_id, CHAMPION) is failed
    moved = session.scalars(
        select(AuditEvent).where(AuditEvent.action == "alias.moved").order_by(AuditEvent.id.desc())
    ).first()
    assert moved is not None
    for waiver in (first, second):
        assert f'"{waiver.gate}":"{waiver.id}"'.encode() in moved.body


def test_an_excuse_is_no_approval_of_the_promotion(make: Factory, failed: ModelVersion) -> None:
    for gate in FAILED:
        acting(make, failed, excuse(make.at, gate))
    with pytest.raises(Denied) as refused:
        promoted(make, failed)
    assert refused.value.details["policies"] == ["promotion-needs-approvals"]


def test_an_excuse_runs_out(make: Factory, failed: ModelVersion) -> None:
    for gate in FAILED:
        acting(make, failed, excuse(make.at, gate))
    approved(make, failed)
    with pytest.raises(Denied) as refused:
        promoted(make, failed, at=make.at + MONTH)
    assert "promotion-needs-gates" in refused.value.details["policies"]  # type: ignore[operator]
    promoted(make, failed, at=make.at + timedelta(days=13))


def test_an_excuse_is_for_this_version_and_no_other(
    make: Factory, data: DatasetVersion, failed: ModelVersion
) -> None:
    for gate in FAILED:
        acting(make, failed, excuse(make.at, gate))
    other = make.model_version(failed.model, data, accuracy=0.2)
    assert excused_gates(make.session, other, at=make.at) == {}
    with pytest.raises(Denied):
        promoted(make, other)


def test_an_excuse_ends_when_the_versions_label_rises(make: Factory, failed: ModelVersion) -> None:
    acting(make, failed, excuse(make.at, FAILED[0]))
    assert set(excused_gates(make.session, failed, at=make.at)) == {FAILED[0]}
    failed.label_id = intern_label(make.session, LOW)
    make.session.flush()
    assert excused_gates(make.session, failed, at=make.at) == {}


def test_a_lower_label_excuses_no_gate_and_an_excuse_lowers_no_label(
    make: Factory, failed: ModelVersion
) -> None:
    acting(make, failed, terms(make.at))
    assert excused_gates(make.session, failed, at=make.at) == {}
    acting(make, failed, excuse(make.at, FAILED[0]))
    assert set(excused_gates(make.session, failed, at=make.at)) == {FAILED[0]}


@pytest.mark.parametrize("gate", ["evidence", "min_luck", ""])
def test_what_is_unknown_is_never_excused(make: Factory, failed: ModelVersion, gate: str) -> None:
    with pytest.raises(Invalid, match="no gate"):
        asked(make, failed, excuse(make.at, gate))


def test_what_was_passed_needs_no_excuse(make: Factory, failed: ModelVersion) -> None:
    with pytest.raises(Conflict, match="passed the gate max_parameters"):
        asked(make, failed, excuse(make.at, "max_parameters"))


def test_only_model_versions_have_gates(make: Factory, data: DatasetVersion) -> None:
    with pytest.raises(Invalid, match="gates are for model versions"):
        asked(make, data, excuse(make.at, FAILED[0]))


def test_the_risk_tier_says_how_many_must_agree(make: Factory, failed: ModelVersion) -> None:
    waiver = asked(make, failed, excuse(make.at, FAILED[0]))
    assert request_of(make, waiver).required == make.platform.tiers["standard"].approvals


@pytest.mark.parametrize("passed", [False, True])
def test_what_was_not_evaluated_has_passed_nothing(*, passed: bool) -> None:
    assert gates_passed(None, GATES) is False
    evaluation = Evaluation(passed=passed, rejections=[])
    assert gates_passed(evaluation, GATES) is passed


def test_each_failed_gate_needs_its_own_excuse_and_unknown_evidence_has_none() -> None:
    def judged(*gates: str) -> Evaluation:
        rejections = [asdict(Rejection(gate, "because")) for gate in gates]
        return Evaluation(passed=False, rejections=rejections)

    assert gates_passed(judged(*WAIVABLE_GATES), WAIVABLE_GATES)
    for gate in WAIVABLE_GATES:
        assert not gates_passed(judged(*WAIVABLE_GATES), WAIVABLE_GATES - {gate})
    assert not gates_passed(judged("evidence"), GATES)
    assert not gates_passed(judged("min_accuracy", "evidence"), GATES)
