"""The further gates: what passes, what is rejected and why; what is unknown never passes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bailiwick.lifecycle.gates import Tier, load_tiers
from bailiwick.lifecycle.gating import FURTHER_GATES, further_reasons, standings
from bailiwick.lifecycle.gating.words import in_words
from support.measured import AS_GOOD, measured

TIERS = load_tiers(Path(__file__).parents[2] / "policies" / "gates.yaml")
STANDARD = TIERS["standard"]
WORSE = {"both": 700, "only_candidate": 40, "only_champion": 160, "neither": 100}


def rejected(tier: Tier = STANDARD, **changes: dict[str, Any]) -> list[tuple[str, str]]:
    """What the gates say of good figures with some changed."""
    return list(further_reasons(measured(**changes), tier))


def a_slice(by: str, value: str, paired: dict[str, int]) -> dict[str, Any]:
    return {"by": by, "value": value, "rows": sum(paired.values()), "paired": paired}


@pytest.mark.parametrize("tier", TIERS)
def test_good_figures_pass_in_every_tier(tier: str) -> None:
    assert rejected(TIERS[tier]) == []


@pytest.mark.parametrize(
    ("gate", "change", "said"),
    [
        ("golden_set", {"paired": WORSE}, "worse on the golden set's 1,000 rows: -0.120 accuracy"),
        (
            "golden_set",
            {"paired": {"both": 40, "only_candidate": 5, "only_champion": 5, "neither": 0}},
            "not shown to be as good on the golden set's 50 rows: +0.000 accuracy, 95 % interval",
        ),
        ("golden_set", {"leaked_rows": 351}, "35.1% of the golden set was learned from"),
        (
            "slices",
            {"slices": [a_slice("segment region", "north", WORSE)]},
            "worse than the champion on segment region 'north' (1,000 rows): -0.120 accuracy",
        ),
        ("slices", {"missing": ["region"]}, "the segment region is declared, and no row"),
        ("slices", {"largest_left_out": 101}, "one of 101 rows was left out"),
        ("calibration", {"error": 0.2, "champion_error": 0.19}, "off by 0.200 on average"),
        ("calibration", {"error": 0.2, "champion_error": None}, "0.150 is allowed"),
        ("latency", {"p95_ms": 251.0, "champion_p95_ms": 200.0}, "up to 251.0 ms, 250 ms are"),
        ("latency", {"p95_ms": 30.0, "champion_p95_ms": 14.0}, "2 times as long is allowed"),
        ("size", {"bytes": 500_000_001}, "500,000,001 bytes, 500,000,000 are allowed"),
        (
            "robustness",
            {"changes": [{"change": "typos", "accuracy": 0.40, "paired": None}]},
            "with typos it loses 0.460 accuracy (0.860 to 0.400 on 1,000 rows), 0.450 is allowed",
        ),
        (
            "robustness",
            {"changes": [{"change": "cut", "accuracy": 0.74, "paired": WORSE}]},
            "worse than the champion with texts cut short: -0.120 accuracy on 1,000 rows",
        ),
        ("data_checks", {"rows_after": 3}, "3 training rows are dated after the first row"),
        ("data_checks", {"duplicate_rows": 3_210}, "80.2% of the training rows repeat"),
        ("data_checks", {"leaked_rows": 351}, "35.1% of the rows it is judged on were also"),
        (
            "data_checks",
            {"repeated_text_rows": 951},
            "95.1% of the rows it is judged on have a text",
        ),
        ("data_checks", {"leaked_key_rows": 1}, "have a key that was also learned from, 0.0%"),
        ("data_checks", {"keyed_rows": 0}, "a key is declared, and no row"),
        (
            "membership",
            {"attacks": [{"attack": "loss", "auc": 0.84, "low": 0.8, "high": 0.88}]},
            "in 84.0% of pairs, 95 % interval 80.0% to 88.0% (300 of each)",
        ),
        (
            "reproducibility",
            {"same": False, "differing": ["model.safetensors"]},
            "trained again with the same seed it is another model: model.safetensors differ",
        ),
    ],
)
def test_each_gate_says_what_it_saw_and_what_it_allows(
    gate: str, change: dict[str, Any], said: str
) -> None:
    ((found, reason),) = rejected(**{gate: change})
    assert found == gate
    assert said in reason
    of_gate = next(one for one in standings(measured(**{gate: change}), {gate}) if one.gate == gate)
    assert of_gate.standing == "rejected"


@pytest.mark.parametrize("gate", FURTHER_GATES)
def test_a_gate_that_could_not_run_is_a_rejection_with_its_reason(gate: str) -> None:
    good = measured()
    for figures, why in (
        (None, "it was not measured"),
        ({"unknown": "the disk was full"}, "the disk was full"),
        ({}, "what was measured cannot be read"),
        (good[gate] | {"seconds": float("nan")}, "a figure is not a number"),
        (dict.fromkeys(good[gate], "nonsense"), "what was measured cannot be read"),
    ):
        given = {name: one for name, one in good.items() if name != gate}
        if figures is not None:
            given[gate] = figures
        if gate == "reproducibility" and figures == dict.fromkeys(good[gate], "nonsense"):
            assert [name for name, _ in further_reasons(given, STANDARD)] == [gate]
            continue
        assert list(further_reasons(given, STANDARD)) == [("evidence", f"{gate} is unknown: {why}")]


def test_what_nothing_asks_for_is_not_missed_and_says_so() -> None:
    given = measured() | {"membership": {"not_required": "it learned from public data only"}}
    assert list(further_reasons(given, STANDARD)) == []
    (one,) = (found for found in standings(given, ()) if found.gate == "membership")
    assert (one.standing, one.figures) == ("not required", "it learned from public data only")


def test_without_a_champion_nothing_is_compared_and_the_absolute_bounds_hold() -> None:
    alone = {
        "golden_set": {"paired": None},
        "slices": {"slices": [a_slice("class", "Fuel", WORSE) | {"paired": None}]},
        "calibration": {"champion_error": None},
        "latency": {"champion_p95_ms": None},
        "size": {"champion_bytes": None},
        "robustness": {"changes": [{"change": "typos", "accuracy": 0.7, "paired": None}]},
    }
    assert rejected(**alone) == []
    (one,) = rejected(**alone | {"latency": {"p95_ms": 300.0, "champion_p95_ms": None}})
    assert one[0] == "latency"


def test_a_slower_model_that_nobody_notices_passes() -> None:
    assert rejected(latency={"p95_ms": 24.0, "champion_p95_ms": 0.2}) == []


def test_small_slices_are_not_judged_and_a_large_loss_of_a_large_one_is_found() -> None:
    small = {"both": 50, "only_candidate": 0, "only_champion": 40, "neither": 10}
    assert rejected(slices={"slices": [a_slice("class", "Fuel", small)]}) == []
    many = [a_slice("class", str(place), AS_GOOD) for place in range(40)]
    lost = a_slice("class", "Rail", {name: count // 4 for name, count in WORSE.items()})
    ((_, reason),) = rejected(slices={"slices": [*many, lost]})
    assert "on class 'Rail' (250 rows)" in reason
    assert "of 41 slices, Holm" in reason


def test_a_candidate_as_good_as_its_champion_is_seldom_rejected_for_a_slice() -> None:
    chance = np.random.default_rng(3)
    said_no = 0
    for _ in range(400):
        counts = chance.multinomial(150, [0.5, 0.15, 0.15, 0.2], size=30)
        names = ("both", "only_candidate", "only_champion", "neither")
        given = [
            a_slice("class", str(place), dict(zip(names, map(int, one), strict=True)))
            for place, one in enumerate(counts)
        ]
        said_no += bool(rejected(slices={"slices": given}))
    assert said_no / 400 <= 0.05


def test_an_evaluation_of_before_these_gates_has_no_standings() -> None:
    assert standings({}, {"min_accuracy"}) == []


def test_every_gate_tells_its_figures_in_words() -> None:
    told = {one.gate: one.figures for one in standings(measured(), ())}
    assert (
        told["golden_set"]
        == "86.0% of 1,000 rows right, +2.0% beside the champion (+0.0% to +4.0%)"
    )
    assert (
        told["slices"] == "1 classes and segments, none with fewer rows right than by the champion"
    )
    assert told["latency"] == "95 % of requests within 3.0 ms, the champion's 2.5 ms"
    assert told["reproducibility"] == "trained twice, the same digests, 9 s"
    assert all(told.values())
    assert set(told) == set(FURTHER_GATES)
    assert in_words("size", {"bytes": None}) == "what was measured cannot be read"
    lost = {"slices": [a_slice("class", "Rail", WORSE)], "missing": [], "largest_left_out": 0}
    assert in_words("slices", lost).endswith("most lost on class 'Rail': 120 of 1,000 rows")
