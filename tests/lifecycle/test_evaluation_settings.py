"""What a model's versions are judged by: who may say it, and what becomes of it in a training."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import Principal
from bailiwick.audit import AuditEvent
from bailiwick.core.canonical import digest_of
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Conflict, Denied, Invalid, NotFound
from bailiwick.lifecycle import Platform, run_next, training_jobs
from bailiwick.lifecycle.evaluation_settings import (
    NOTHING_DECLARED,
    JudgedBy,
    judged_by,
    set_judged_by,
)
from bailiwick.lifecycle.gates import tier_named
from bailiwick.lifecycle.jobs import claim
from bailiwick.lifecycle.measuring import ToMeasure, figures_of, to_measure
from bailiwick.lifecycle.promotion import evaluation_of, promote
from bailiwick.lifecycle.retrain import Overrides, start
from bailiwick.lifecycle.tables import Evaluation, EvaluationSettings, RetrainingPolicy
from bailiwick.lifecycle.training_jobs import finish_training
from bailiwick.lifecycle.training_plans import (
    DEFAULT_SELECTION,
    TrainingOrder,
    TrainingPlan,
    order_training,
    plan_training,
)
from bailiwick.lineage import DatasetVersion
from bailiwick.policy import Label
from bailiwick.registry import CHAMPION, ModelVersion, RegisteredModel, pointed_at
from bailiwick.training import SmallClassifierRecipe
from factories import CONFIDENTIAL, PURPOSE, Factory
from support.evaluation_rows import evaluation_rows
from support.lifecycle_children import FakeTraining, training_outcome
from support.lifecycle_world import World, bring, factory_again, requests
from support.measured import measured
from support.waiving import acting, excuse

INTERNAL = replace(CONFIDENTIAL, level="internal")
RESTRICTED = replace(CONFIDENTIAL, level="restricted")


def say(make: Factory, model: RegisteredModel, terms: JudgedBy, **more: Any) -> EvaluationSettings:
    """A steward says what the model's versions are judged by."""
    by = more.get("by") or find_or_make(make, "sam", "steward")
    return set_judged_by(
        make.session,
        model,
        terms,
        rules=make.platform.rules,
        actor=make.actor(by),
        at=make.at,
    )


def find_or_make(make: Factory, name: str, role: str) -> Principal:
    found = make.session.scalar(select(Principal).where(Principal.name == name))
    return found or make.principal(name, role)


def planned(
    make: Factory, model: RegisteredModel, data: DatasetVersion, tier: str = "standard"
) -> TrainingPlan:
    order = TrainingOrder(
        model_id=model.id,
        dataset_version_ids=(data.id,),
        recipe=SmallClassifierRecipe(),
        selection=DEFAULT_SELECTION,
        purpose=PURPOSE,
        risk_tier=tier,
        seed=0,
        from_champion=False,
    )
    actor = make.actor(make.engineer)
    return plan_training(make.session, order, rules=make.platform.rules, actor=actor, at=make.at)


def wanted(make: Factory, plan: TrainingPlan, **more: Any) -> ToMeasure:
    return to_measure(
        make.session,
        plan,
        tier=tier_named(make.platform.tiers, plan.order.risk_tier),
        rules=make.platform.rules,
        actor=make.actor(more.get("by", make.engineer)),
        at=more.get("at", make.at),
    )


def test_what_is_said_is_kept_and_audited_with_old_and_new(make: Factory, session: Session) -> None:
    model = make.model()
    golden = make.dataset_version(make.dataset("golden"))
    assert judged_by(session, model.id) == NOTHING_DECLARED
    terms = JudgedBy(golden.id, ("region", "branch"), "customer")
    for _ in range(2):  # the same again is no change
        say(make, model, terms)
    assert judged_by(session, model.id) == terms
    say(make, model, NOTHING_DECLARED)
    events = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.action == "model.evaluation-settings-changed")
        .order_by(AuditEvent.id)
    ).all()
    told = [json.loads(event.body)["details"] for event in events]
    said = [(one["old"], one["new"]) for one in told]
    nothing = NOTHING_DECLARED.to_dict()
    assert said == [(nothing, terms.to_dict()), (terms.to_dict(), nothing)]


@pytest.mark.parametrize(
    "terms",
    [
        {"segments": ("region", "region")},
        {"segments": tuple(map(str, range(9)))},
        {"segments": (" ",)},
        {"key_column": "x" * 201},
    ],
    ids=["twice", "too many", "blank", "long"],
)
def test_what_cannot_be_meant_is_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"segments?"):
        JudgedBy(**terms)


def test_golden_rows_above_the_models_label_are_refused(make: Factory) -> None:
    golden = make.dataset_version(make.dataset("golden", label=RESTRICTED))
    with pytest.raises(Invalid, match="ranks above the model's"):
        say(make, make.model(), JudgedBy(golden.id))


def test_who_may_not_read_the_rows_cannot_name_them(make: Factory, session: Session) -> None:
    golden, model = make.dataset_version(make.dataset("golden")), make.model()
    blind = make.principal("blind", "steward", clearance="internal")
    with pytest.raises((Denied, NotFound)):
        say(make, model, JudgedBy(golden.id), by=blind)
    assert judged_by(session, model.id) == NOTHING_DECLARED


@pytest.mark.parametrize("label", [INTERNAL, CONFIDENTIAL, RESTRICTED], ids=lambda one: one.level)
def test_membership_is_asked_of_models_of_confidential_data(make: Factory, label: Label) -> None:
    model = make.model(label=label)
    data = make.dataset_version(make.dataset(label=label))
    asked = wanted(make, planned(make, model, data))
    assert ("membership" in asked.not_required) is (label.level == "internal")
    assert "golden_set" in asked.not_required
    assert "reproducibility" in asked.not_required


def test_the_high_tier_trains_twice(make: Factory, tmp_path: Any) -> None:
    data = make.dataset_version(make.dataset())
    asked = wanted(make, planned(make, make.model(), data, tier="high"))
    spec = asked.spec(make.platform.blobs, tmp_path)
    assert (spec["reproduce"], spec["membership"], spec["golden"]) == (True, True, None)


def test_golden_rows_that_may_not_be_read_or_do_not_fit_are_unknown(make: Factory) -> None:
    model, data = make.model(), make.dataset_version(make.dataset())
    golden = make.dataset_version(make.dataset("golden"), seed=3)
    say(make, model, JudgedBy(golden.id))
    plan = planned(make, model, data)
    assert wanted(make, plan).golden is golden
    auditor = make.principal("auditor", "auditor")
    unread = wanted(make, plan, by=auditor)
    assert unread.golden is None
    assert "may not read the golden set's rows" in unread.unknown["golden_set"]
    other = wanted(make, replace(plan, text_columns=("subject", "body")))
    assert other.unknown["golden_set"].endswith("the version reads subject, body")
    found = figures_of(measured(), plan.judged, unread)
    assert found["golden_set"] == {"unknown": unread.unknown["golden_set"]}
    assert found["slices"] == measured()["slices"]


def test_what_was_changed_while_it_trained_was_not_measured(make: Factory) -> None:
    model, data = make.model(), make.dataset_version(make.dataset())
    plan = planned(make, model, data)
    say(make, model, JudgedBy(None, ("region",)))
    found = figures_of(measured(), plan.judged, wanted(make, plan))
    assert "was changed meanwhile" in found["slices"]["unknown"]
    assert found["robustness"] == measured()["robustness"]


def judged(
    make: Factory, tmp_path: Any, tier: str = "standard", **figures: dict[str, Any]
) -> tuple[ModelVersion, Evaluation]:
    """A version that was measured so."""
    model, data = make.model(), make.dataset_version(make.dataset())
    plan = planned(make, model, data, tier)
    actor, rules = make.actor(make.engineer), make.platform.rules
    order_training(make.session, plan.order, rules=rules, actor=actor, at=make.at)
    lease = claim(make.session, owner="test", lease_seconds=60, at=make.at)
    assert lease is not None
    outcome = training_outcome(tmp_path) | {"champion": None, "paired": None}
    for file in outcome["files"]:
        make.platform.blobs.put_file(tmp_path / "artifact" / file["path"])
    version = finish_training(
        make.session,
        make.platform,
        lease,
        plan,
        outcome | {"measured": measured() | figures},
        reference_blob=make.platform.blobs.put_bytes(evaluation_rows()),
        started_at=make.at,
        at=make.at,
    )
    evaluation = evaluation_of(make.session, version)
    assert evaluation is not None
    return version, evaluation


def crown(make: Factory, version: ModelVersion) -> None:
    promote(
        make.session,
        version,
        reason="tried",
        rules=make.platform.rules,
        tiers=make.platform.tiers,
        actor=make.actor(make.engineer),
        at=make.at,
    )


def test_figures_are_stored_with_the_evaluation_and_tell_how_each_gate_stands(
    make: Factory, tmp_path: Any
) -> None:
    _, evaluation = judged(make, tmp_path, size=measured()["size"] | {"bytes": 10**9})
    assert not evaluation.passed
    assert [one["gate"] for one in evaluation.rejections] == ["size"]
    assert evaluation.evidence["measured"]["size"]["bytes"] == 10**9
    standing = {one.gate: one.standing for one in evaluation.standings}
    assert standing["size"] == "rejected"
    assert standing["golden_set"] == standing["reproducibility"] == "not required"
    assert standing["membership"] == "passed"


def test_the_audit_log_has_the_figures_digest_and_no_value_of_a_segment(
    make: Factory, tmp_path: Any
) -> None:
    lost = {"both": 700, "only_candidate": 40, "only_champion": 160, "neither": 100}
    a_slice = {"by": "segment branch", "value": "Zanzibar", "rows": 1_000, "paired": lost}
    version, evaluation = judged(
        make, tmp_path, slices=measured()["slices"] | {"slices": [a_slice]}
    )
    assert "'Zanzibar'" in evaluation.reasons[0]
    (event,) = make.session.scalars(
        select(AuditEvent).where(
            AuditEvent.action == "model-version.evaluated",
            AuditEvent.subject_id == str(version.id),
        )
    )
    details = json.loads(event.body)["details"]
    assert b"Zanzibar" not in event.body
    assert details["measured_digest"] == digest_of(evaluation.evidence["measured"])
    assert [one["gate"] for one in details["rejections"]] == ["slices"]


def test_an_evaluation_of_before_these_figures_can_still_be_read(
    make: Factory, tmp_path: Any
) -> None:
    _, evaluation = judged(make, tmp_path)
    old = {name: one for name, one in evaluation.evidence.items() if name != "measured"}
    make.session.expunge(evaluation)
    evaluation.evidence = old
    assert evaluation.standings == []
    assert evaluation.reasons == []


def test_a_further_gate_is_waived_like_any_other_and_what_is_unknown_is_not(
    make: Factory, tmp_path: Any
) -> None:
    figures = {"size": measured()["size"] | {"bytes": 10**9}}
    version, _ = judged(make, tmp_path, "low", **figures)
    with pytest.raises(Denied):
        crown(make, version)
    acting(make, version, excuse(make.at, "size"))
    crown(make, version)
    assert pointed_at(make.session, version.model_id, CHAMPION) is version


def test_what_could_not_be_measured_cannot_be_waived(make: Factory, tmp_path: Any) -> None:
    version, evaluation = judged(make, tmp_path, "low", robustness={"unknown": "no memory"})
    assert evaluation.reasons == ["robustness is unknown: no memory"]
    for gate, refused in (("evidence", Invalid), ("robustness", Conflict)):
        with pytest.raises(refused):
            acting(make, version, excuse(make.at, gate))
    with pytest.raises(Denied):
        crown(make, version)


def test_a_tier_without_approvals_asks_nobody_and_the_standard_one_asks(
    make: Factory, tmp_path: Any
) -> None:
    low, _ = judged(make, tmp_path, "low")
    crown(make, low)
    assert pointed_at(make.session, low.model_id, CHAMPION) is low


def test_one_approval_is_asked_for_in_the_standard_tier(make: Factory, tmp_path: Any) -> None:
    version, _ = judged(make, tmp_path)
    with pytest.raises(Denied) as refused:
        crown(make, version)
    assert "promotion-needs-approvals" in refused.value.details["policies"]  # type: ignore[operator]


def test_a_retraining_measures_what_is_declared_on_traffic_and_on_files(
    world: World, platform: Platform, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = FakeTraining()
    monkeypatch.setattr(training_jobs, "run_child", child)
    bring(world, *requests(20, first=clock.now() - timedelta(days=10)))
    with platform.database.transaction() as session:
        make = factory_again(session, platform)
        model = session.get_one(RegisteredModel, world.model.id)
        golden = make.dataset_version(make.dataset("golden"), seed=3)
        say(make, model, JudgedBy(golden.id, ("cost_centre",), "merchant"))
        policy = session.get_one(RetrainingPolicy, world.policy.id)
        start(
            session,
            policy,
            reason="declared",
            overrides=Overrides(window_days=3_650),
            rules=platform.rules,
            actor=make.actor(make.engineer),
            at=make.at,
        )
    read: list[int] = []
    child.meanwhile.append(
        lambda: read.append(len(pq.read_table(child.specs[0]["measures"]["golden"]["path"])))
    )
    assert run_next(platform, owner="worker")
    spec = child.specs[0]["measures"]
    assert (spec["segments"], spec["key"], spec["membership"]) == (["cost_centre"], True, True)
    assert read == [200]
    rows = child.train + child.holdout
    marked = [row for row in rows if row["segment:cost_centre"] is not None]
    assert len(rows) == 200 + 20
    assert len(marked) == 200  # those of the file; the requests declare no such segment
    assert all(row["text"].endswith(f"| {row['segment:cost_centre']}") for row in marked)
    with platform.database.reading() as session:
        version = session.scalars(
            select(ModelVersion).order_by(ModelVersion.number.desc()).limit(1)
        ).one()
        evaluation = evaluation_of(session, version)
        assert evaluation is not None
        standing = {one.gate: one.standing for one in evaluation.standings}
    assert standing["golden_set"] == "passed"
