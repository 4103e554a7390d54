import random
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bailiwick.core.ids import new_id
from bailiwick.monitoring import accuracy_between, window_digest
from bailiwick.monitoring.windows import write_descriptors
from factories import Factory
from support.api_traffic import FOREVER, START, Traffic, inference

DAY = timedelta(days=1)


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    """Of a deployment that has answered nothing yet."""
    return Traffic(make, make.running())


def test_a_window_begins_with_its_start_and_ends_before_its_end(traffic: Traffic) -> None:
    traffic.ask(*(inference(number) for number in range(5)))
    rows = traffic.window(start=START + timedelta(hours=1), end=START + timedelta(hours=3))
    assert [row.record_id for row in rows] == ["r00001", "r00002"]


def test_rows_are_ordered_by_time_and_then_by_id(traffic: Traffic) -> None:
    traffic.ask(inference(1, at=START), inference(0, at=START), inference(2, at=START - DAY))
    rows = traffic.window(start=START - DAY)
    assert [row.record_id for row in rows] == ["r00002", "r00000", "r00001"]


@pytest.mark.parametrize("seed", range(3))
def test_late_doubled_and_shuffled_traffic_gives_the_same_window(
    make: Factory, traffic: Traffic, seed: int
) -> None:
    place = make.environment("second")
    other = Traffic(make, make.deployment(traffic.deployment.model, place, name="second"))
    rows = [inference(number) for number in range(40)]
    labels = [(f"r{number:05}", "Fuel") for number in range(0, 40, 3)]
    traffic.ask(*rows)
    traffic.tell(START, **dict(labels))
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    jumbled = rows + chance.sample(rows, 20)
    chance.shuffle(jumbled)
    chance.shuffle(labels)
    for begin in range(0, len(jumbled), 7):
        other.tell(START + DAY, **dict(labels[begin : begin + 7]))
        other.ask(*jumbled[begin : begin + 7], at=START + 30 * DAY)
    assert list(traffic.window()) == list(other.window())
    assert window_digest(traffic.window()) == window_digest(other.window())


def test_a_label_from_the_future_is_not_seen(traffic: Traffic) -> None:
    traffic.ask(inference(1))
    traffic.tell(START + 2 * DAY, r00001="Fuel")
    known = [traffic.window(known_at=START + days * DAY)[0].label for days in (1, 2, 3)]
    assert known == [None, "Fuel", "Fuel"]


def test_the_newest_label_that_was_known_wins(traffic: Traffic) -> None:
    traffic.ask(inference(1))
    for days, label in enumerate(("Fuel", "Travel", "Rent")):
        traffic.tell(START + days * DAY, r00001=label)
    seen = [traffic.window(known_at=START + days * DAY)[0].label for days in range(4)]
    assert seen == ["Fuel", "Travel", "Rent", "Rent"]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    history=st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc")), max_size=12),
    moment=st.integers(0, 12),
)
def test_any_history_of_labels_is_seen_as_it_stood_at_a_moment(
    make: Factory, traffic: Traffic, history: list[tuple[int, str]], moment: int
) -> None:
    with make.session.begin_nested() as savepoint:
        traffic.ask(*(inference(number) for number in range(3)))
        expected: dict[str, str] = {}
        for day, (number, label) in enumerate(history):
            traffic.tell(START + day * DAY, **{f"r{number:05}": label})
            if day <= moment:
                expected[f"r{number:05}"] = label
        rows = traffic.window(known_at=START + moment * DAY)
        savepoint.rollback()
    assert {row.record_id: row.label for row in rows if row.label} == expected


def test_only_one_version_only_labelled_or_only_the_newest(traffic: Traffic) -> None:
    traffic.ask(*(inference(number) for number in range(6)))
    traffic.tell(START, r00001="Fuel", r00004="Fuel")
    assert len(traffic.window(version_id=traffic.version.id)) == 6
    assert traffic.window(version_id=new_id()) == []
    labelled = [row.record_id for row in traffic.window(labelled_only=True)]
    assert labelled == ["r00001", "r00004"]
    assert [row.record_id for row in traffic.window(newest=2)] == ["r00004", "r00005"]


def test_other_deployments_are_not_seen(make: Factory, traffic: Traffic) -> None:
    place = make.environment("second")
    other = Traffic(make, make.deployment(traffic.deployment.model, place, name="second"))
    other.ask(inference(1))
    other.tell(START, r00001="Fuel")
    traffic.ask(inference(1))
    assert traffic.window()[0].label is None


@pytest.mark.parametrize(
    "change",
    [
        {"prediction": "Other"},
        {"confidence": 0.123},
        {"characters": 99},
        {"words": 99},
        {"unseen_words_ratio": 0.5},
        {"record_id": "other"},
    ],
)
def test_the_digest_tells_apart_all_that_a_check_looks_at(
    make: Factory, traffic: Traffic, change: dict[str, object]
) -> None:
    place = make.environment("second")
    other = Traffic(make, make.deployment(traffic.deployment.model, place, name="second"))
    traffic.ask(inference(1))
    other.ask(inference(1, **change))
    assert window_digest(traffic.window()) != window_digest(other.window())


def test_the_digest_sees_a_label_arrive(traffic: Traffic) -> None:
    traffic.ask(inference(1))
    before = window_digest(traffic.window())
    traffic.tell(START, r00001="Fuel")
    assert window_digest(traffic.window()) != before
    assert window_digest([]) != before


def test_accuracy_is_counted_as_the_rows_say(traffic: Traffic) -> None:
    traffic.ask(*(inference(number) for number in range(10)))
    traffic.tell(START, r00001="Fuel", r00002="Fuel", r00003="never seen")
    period = accuracy_between(
        traffic.make.session, traffic.deployment.id, start=START, end=FOREVER, known_at=FOREVER
    )
    assert (period.rows, period.labelled_rows, period.correct) == (10, 3, 1)
    assert period.accuracy == pytest.approx(1 / 3)
    nothing = accuracy_between(
        traffic.make.session, traffic.deployment.id, start=FOREVER, end=FOREVER, known_at=FOREVER
    )
    assert (nothing.rows, nothing.accuracy) == (0, None)


def test_what_a_check_reads_holds_no_text(traffic: Traffic, tmp_path: Path) -> None:
    traffic.ask(inference(1, text="Zebra 4711"))
    write_descriptors(traffic.window(vault=traffic.make.platform.texts), tmp_path / "rows.parquet")
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.column_names == [
        "prediction",
        "confidence",
        "characters",
        "words",
        "unseen_words_ratio",
    ]
    assert table.num_rows == 1
    assert b"Zebra" not in (tmp_path / "rows.parquet").read_bytes()
