"""Gates: each reason, the numbers of the interval, and a file that cannot be misread."""

from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest
import yaml

from bailiwick.core.errors import Invalid
from bailiwick.core.resources import bundled
from bailiwick.lifecycle.gates import (
    GATES,
    WAIVABLE_GATES,
    Evidence,
    Paired,
    Rejection,
    Tier,
    load_tiers,
    reasons_to_reject,
    tier_named,
)
from bailiwick.lifecycle.gating import FURTHER_GATES
from support.measured import measured

TIER = Tier(
    name="test",
    min_holdout_rows=200,
    min_accuracy=0.5,
    min_gain_over_majority=0.1,
    min_gain_over_champion=0.0,
    max_unknown_label_ratio=0.1,
    max_parameters=1_000_000,
    approvals=1,
)
NUMBERS = [field.name for field in fields(Tier) if field.name not in ("name", "reproduce")]
LATER = {field.name for field in fields(Tier) if field.default is not MISSING}
GOOD = Evidence(
    holdout_rows=1_000,
    accuracy=0.7,
    macro_f1=0.6,
    majority_accuracy=0.3,
    unknown_label_rows=0,
    parameters=1_000_000,
    champion_accuracy=0.62,
    paired=Paired(both=550, only_candidate=150, only_champion=70, neither=230),
    has_champion=True,
    measured=measured(),
)


def test_good_evidence_passes_and_so_does_each_value_on_its_limit() -> None:
    assert reasons_to_reject(GOOD, TIER) == []
    limit = replace(
        GOOD,
        holdout_rows=200,
        accuracy=0.5,
        majority_accuracy=0.4,
        unknown_label_rows=20,
    )
    assert reasons_to_reject(limit, TIER) == []


@pytest.mark.parametrize(
    ("gate", "change", "reason"),
    [
        ("min_holdout_rows", {"holdout_rows": 199}, "only 199 holdout rows, 200 are needed"),
        (
            "min_accuracy",
            {"accuracy": 0.499, "majority_accuracy": 0.1},
            "accuracy 0.499 is below 0.500",
        ),
        (
            "min_gain_over_majority",
            {"majority_accuracy": 0.61},
            "accuracy 0.700 is not 0.100 above always answering the most frequent label (0.610)",
        ),
        (
            "max_unknown_label_ratio",
            {"unknown_label_rows": 101},
            "10.1% of the holdout rows carry labels that it cannot answer, 10.0% are allowed",
        ),
        (
            "max_parameters",
            {"parameters": 1_000_001},
            "1,000,001 parameters, 1,000,000 are allowed",
        ),
        (
            "evidence",
            {"paired": None},
            "it was not compared with the champion on the same rows",
        ),
        (
            "evidence",
            {"paired": Paired(0, 0, 0, 0)},
            "it was not compared with the champion on the same rows",
        ),
        (
            "min_gain_over_champion",
            {"paired": Paired(600, 100, 90, 210)},
            (
                "not clearly better than the champion on the newest labelled rows: +0.010 "
                "accuracy, 95 % interval -0.017 to +0.037, of which the lower end must exceed "
                "+0.000"
            ),
        ),
        (
            "min_gain_over_champion",
            {"paired": Paired(600, 20, 120, 260)},
            (
                "worse than the champion on the newest labelled rows: -0.100 accuracy, "
                "95 % interval -0.122 to -0.078, of which the lower end must exceed +0.000"
            ),
        ),
    ],
)
def test_each_gate_says_what_it_saw_and_what_it_wants(
    gate: str, change: dict[str, object], reason: str
) -> None:
    judged = replace(GOOD, **change)  # type: ignore[arg-type]  # fields of different types
    assert reasons_to_reject(judged, TIER) == [Rejection(gate, reason)]


def test_every_gate_can_be_waived_but_for_what_is_unknown() -> None:
    assert set(NUMBERS) - LATER - {"approvals"} | set(FURTHER_GATES) == WAIVABLE_GATES
    assert set(GATES) - WAIVABLE_GATES == {"evidence"}  # what is unknown is never passed


def test_every_reason_is_told_at_once() -> None:
    bad = replace(GOOD, holdout_rows=0, accuracy=0.0, parameters=9_000_000, paired=None)
    assert len(reasons_to_reject(bad, TIER)) == 5


def test_an_accuracy_that_is_no_number_does_not_pass() -> None:
    for field in ("accuracy", "majority_accuracy"):
        unknown = replace(GOOD, **{field: float("nan")})  # type: ignore[arg-type]  # a number
        (rejection,) = reasons_to_reject(unknown, TIER)
        assert rejection.gate == "evidence"


def test_without_a_champion_there_is_nothing_to_beat() -> None:
    first = replace(GOOD, has_champion=False, champion_accuracy=None, paired=None)
    assert reasons_to_reject(first, TIER) == []


def test_the_lower_end_must_exceed_the_tiers_gain_and_not_only_the_gain_itself() -> None:
    # +0.08 with a half width of 0.028: the lower end is 0.052.
    assert reasons_to_reject(GOOD, replace(TIER, min_gain_over_champion=0.05)) == []
    (rejection,) = reasons_to_reject(GOOD, replace(TIER, min_gain_over_champion=0.06))
    assert rejection.reason.startswith("not clearly better than the champion")


def test_the_interval_is_what_one_computes_by_hand() -> None:
    # b = 40, c = 20, n = 500: d = 0.04, se = sqrt(60 - 400/500)/500 = 0.0153883, 1.959964 se.
    paired = Paired(both=400, only_candidate=40, only_champion=20, neither=40)
    assert paired.rows == 500
    assert paired.gain == pytest.approx(0.04)
    assert paired.gain_interval() == pytest.approx((0.0098394, 0.0701606), abs=1e-6)


def test_two_that_answer_alike_differ_by_nothing() -> None:
    paired = Paired(both=300, only_candidate=0, only_champion=0, neither=100)
    assert paired.gain_interval() == (0.0, 0.0)
    (rejection,) = reasons_to_reject(replace(GOOD, paired=paired), TIER)
    assert "not clearly better" in rejection.reason


def test_the_shipped_tiers_load_and_the_higher_one_demands_no_less() -> None:
    tiers = load_tiers(bundled("policies") / "gates.yaml")
    standard, high = tiers["standard"], tier_named(tiers, "high")
    assert high.min_holdout_rows >= standard.min_holdout_rows
    assert high.min_accuracy >= standard.min_accuracy
    assert high.approvals >= standard.approvals >= 1


def test_an_unknown_tier_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(Invalid, match="no risk tier 'low'; there are test"):
        tier_named({"test": TIER}, "low")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"min_accuracy": None}, "min_accuracy"),
        ({"min_accuracy": "0.3"}, "min_accuracy"),
        ({"max_unknown_label_ratio": float("nan")}, "max_unknown_label_ratio"),
        ({"approvals": True}, "approvals"),
        ({"surprise": 1}, "surprise"),
        ({3: 1}, "3"),
    ],
)
def test_a_wrong_value_is_refused_with_its_tier(
    tmp_path: Path, change: dict[object, object], said: str
) -> None:
    values: dict[object, object] = dict.fromkeys(NUMBERS, 1)
    values |= change
    (tmp_path / "gates.yaml").write_text(yaml.safe_dump({"tiers": {"mine": values}}))
    with pytest.raises(Invalid, match=rf"wrong here: {said}\)") as refused:
        load_tiers(tmp_path / "gates.yaml")
    assert "tier 'mine' in gates.yaml" in refused.value.message


def test_a_missing_value_is_refused_by_its_name(tmp_path: Path) -> None:
    values = dict.fromkeys(set(NUMBERS) - {"approvals"}, 1)
    (tmp_path / "gates.yaml").write_text(yaml.safe_dump({"tiers": {"mine": values}}))
    with pytest.raises(Invalid, match=r"wrong here: approvals"):
        load_tiers(tmp_path / "gates.yaml")


@pytest.mark.parametrize(
    "content",
    ["", "tiers", "[1]", "tiers: [a", "tiers: 3", "tiers: {mine: 3}", "\x00", "tiers: \xff"],
)
def test_a_file_without_tiers_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "gates.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(Invalid, match=r"gates\.yaml"):
        load_tiers(tmp_path / "gates.yaml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"gates\.yaml cannot be read"):
        load_tiers(tmp_path / "gates.yaml")


def test_a_file_from_before_the_later_values_means_those_of_the_shipped_standard_tier(
    tmp_path: Path,
) -> None:
    standard = load_tiers(bundled("policies") / "gates.yaml")["standard"]
    values = {name: getattr(standard, name) for name in {*NUMBERS, "reproduce"} - LATER}
    (tmp_path / "gates.yaml").write_text(yaml.safe_dump({"tiers": {"standard": values}}))
    assert load_tiers(tmp_path / "gates.yaml")["standard"] == standard


@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_whether_to_train_twice_is_said_with_true_or_false(tmp_path: Path, value: object) -> None:
    values = dict.fromkeys(set(NUMBERS) - LATER, 1) | {"reproduce": value}
    (tmp_path / "gates.yaml").write_text(yaml.safe_dump({"tiers": {"mine": values}}))
    with pytest.raises(Invalid, match=r"wrong here: reproduce\)"):
        load_tiers(tmp_path / "gates.yaml")


def test_each_tier_of_the_shipped_ones_demands_at_least_what_the_one_below_does() -> None:
    tiers = load_tiers(bundled("policies") / "gates.yaml")
    assert not tiers["standard"].demands_less_than(tiers["low"])
    assert not tiers["high"].demands_less_than(tiers["standard"])
    assert tiers["low"].demands_less_than(tiers["standard"])
    assert [tiers[name].approvals for name in ("low", "standard", "high")] == [0, 1, 2]
