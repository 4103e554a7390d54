"""Features that a deployment declares: watched, hashed, declared later, of another kind."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from bailiwick.monitoring import Inference
from bailiwick.monitoring.hours import Window, WindowLayout
from bailiwick.monitoring.intake import Pseudonyms, set_terms
from bailiwick.monitoring.summaries import from_bytes
from bailiwick.monitoring.watching import (
    DriftIncident,
    TrafficBaseline,
)
from factories import Factory
from support.watched_traffic import DAY, HOUR, MINUTE, START, Traffic


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    return Traffic(make)


def test_declared_features_are_watched_and_their_names_stay_hashed(traffic: Traffic) -> None:
    declare(traffic, "amount", "supplier")
    supplied(traffic, START, 8 * 24, new_ratio=0.0)
    supplied(traffic, START + 8 * DAY, 24, new_ratio=0.5)
    traffic.go_on(START + 9 * DAY + HOUR)
    (incident,) = traffic.every(DriftIncident)
    assert incident.cause == "new-categories"
    assert incident.moves[0]["feature"] == "supplier"
    assert traffic.every(TrafficBaseline)[0].watched == [
        "amount",
        "confidence",
        "prediction",
        "supplier",
    ]
    assert "Zanzibar" not in str(incident.moves) + incident.sentence


def test_features_that_are_declared_later_begin_another_baseline(traffic: Traffic) -> None:
    traffic.send(START, 8 * 24)
    traffic.go_on(START + 8 * DAY)
    before = traffic.watch.baseline_id
    declare(traffic, "amount", "supplier")
    traffic.go_on(START + 8 * DAY)
    assert traffic.watch.baseline_id == before is not None  # until records carry them
    supplied(traffic, START + 8 * DAY, 24, new_ratio=0.0)
    traffic.go_on(START + 9 * DAY + HOUR)
    assert len(traffic.every(WindowLayout)) == 2
    carried = traffic.every(TrafficBaseline)[-1]
    assert (carried.origin, carried.carried_from) == ("carried", before)
    assert carried.unwatched == ["amount", "supplier"]
    assert "prediction" in carried.watched  # it is the same version that answers


def test_a_change_within_one_segment_is_seen_though_the_whole_looks_the_same(
    traffic: Traffic,
) -> None:
    declare(traffic, segments=("region",))
    answered(traffic, START, 8 * 24, north=0.5, south=0.5)
    onset = START + 8 * DAY
    answered(traffic, onset, 24, north=0.3, south=0.7)
    traffic.go_on(onset + DAY + HOUR)
    (incident,) = traffic.every(DriftIncident)
    assert incident.cause == "one-segment"
    told = {move["feature"] for move in incident.moves}
    assert told == {"prediction where region=north", "prediction where region=south"}
    assert "The mix of predicted categories where region is " in incident.sentence
    assert abs(incident.since - onset) <= 2 * HOUR
    figures = {one["name"]: one for one in incident.moves[0]["figures"]}
    assert figures["fuel"]["before"] == pytest.approx(0.5, abs=0.05)
    assert figures["(missing)"]["after"] == 0.0
    examples = incident.moves[0]["examples"]["after"]
    assert len(examples) == 3


def answered(traffic: Traffic, start: datetime, hours: int, **fuel: float) -> None:
    """Forty requests an hour of each region, so many of them answered with fuel."""
    inferences = [
        Inference(
            f"{start}-{hour}-{region}-{row}",
            start + hour * HOUR + row * MINUTE,
            "fuel" if traffic.random.random() < ratio else "food",
            0.5,
            None,
            None,
            None,
            None,
            segments={"region": region},
        )
        for hour in range(hours)
        for region, ratio in fuel.items()
        for row in range(40)
    ]
    traffic.log(inferences, at=start + hours * HOUR)


def test_a_feature_that_changes_its_kind_is_missing_and_no_fault(traffic: Traffic) -> None:
    declare(traffic, "amount", "supplier")
    supplied(traffic, START, 8, new_ratio=0.0)
    traffic.go_on(START + 9 * HOUR)
    at = START + 9 * HOUR
    odd = {"amount": "twelve", "supplier": 12.0}
    traffic.log([Inference("odd", at, "fuel", 0.5, None, None, None, None, features=odd)], at=at)
    traffic.go_on(at + 2 * HOUR)
    window = next(one for one in traffic.every(Window) if one.start == at)
    parts = from_bytes(window.summary).parts
    assert parts["amount"].counts[-1] == 1  # type: ignore[union-attr]
    assert parts["supplier"].new == (("12.0", 1),)  # type: ignore[union-attr]


def test_the_segment_that_it_came_from_stands_first_with_examples(traffic: Traffic) -> None:
    declare(traffic, segments=("region", "kind"))
    cut(traffic, START, 8 * 24, strange="nowhere")
    cut(traffic, START + 8 * DAY, 24, strange="north")
    traffic.go_on(START + 9 * DAY + HOUR)
    (incident,) = traffic.every(DriftIncident)
    move = incident.moves[0]
    assert move["feature"] == "words"
    first, *others = move["segments"]
    assert (first["segment"], first["value"]) == ("region", "north")
    assert first["after"] - first["before"] > 5 > max(abs(o["after"] - o["before"]) for o in others)
    examples = move["examples"]
    assert [len(examples[side]) for side in ("before", "after")] == [3, 3]
    assert min(one["value"] for one in examples["after"]) > 12
    assert max(one["value"] for one in examples["before"]) < 12


def cut(traffic: Traffic, start: datetime, hours: int, *, strange: str) -> None:
    """Requests from two regions, of two kinds; those of a strange region are twice as long."""
    regions = ("north", "south")
    inferences = []
    for number in range(hours * 40):
        at = start + number * MINUTE * 1.5
        region = regions[number % 2]
        words = round(traffic.random.normal(16 if region == strange else 8, 2))
        segments = {"region": region, "kind": "ab"[number // 2 % 2]}
        one = Inference(f"{at}", at, "fuel", 0.5, None, words, None, None, segments=segments)
        inferences.append(one)
    traffic.log(inferences, at=start + hours * HOUR)


def declare(traffic: Traffic, *names: str, segments: Sequence[str] = ()) -> None:
    set_terms(
        traffic.make.session,
        traffic.deployment.id,
        segments=segments,
        features=names,
        max_ahead_seconds=300,
        max_age_days=1_000,
        rejected_days=3,
        actor_id=traffic.make.engineer.id,
        at=START,
    )


def supplied(traffic: Traffic, start: datetime, hours: int, *, new_ratio: float) -> None:
    """Forty invoices an hour, of ten suppliers, or of a new one."""
    hash_of = Pseudonyms(b"k" * 32)
    names = hash_of.categories([{"supplier": f"Zanzibar {n}"} for n in range(10)])
    strange = hash_of.categories([{"supplier": "Zanzibar Garage"}])[0]
    inferences = []
    for hour in range(hours):
        for row in range(40):
            known = names[int(traffic.random.integers(10))]
            supplier = strange if traffic.random.random() < new_ratio else known
            features = {"amount": float(traffic.random.lognormal(3)), **(supplier or {})}
            at = start + hour * HOUR + row * MINUTE
            one = Inference(f"{at}", at, "fuel", 0.5, None, None, None, None, features=features)
            inferences.append(one)
    traffic.log(inferences, at=start + hours * HOUR)
