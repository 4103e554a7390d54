"""Labels as counts: equal to counting all over again, whatever order things happened in."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from bailiwick.monitoring import Inference, Outcome, log_feedback, log_inferences
from bailiwick.monitoring.confusion import (
    MOST_LABELS,
    OTHER,
    LabelArrival,
    LabelChange,
    LabelHour,
    LabelLedger,
    arrivals_between,
    counts_between,
    hours_between,
)
from bailiwick.monitoring.confusion.counts import LabelCounts
from bailiwick.monitoring.labelled import count
from bailiwick.monitoring.windows import read_window
from bailiwick.registry import served_version
from factories import Factory
from support.labelled_traffic import DAY, HOUR, START, LabelledTraffic

FOREVER = START + 1_000 * DAY
LABELS = ("fuel", "food", "travel")


@pytest.fixture
def traffic(make: Factory) -> LabelledTraffic:
    return LabelledTraffic(make)


def asked(number: int, said: str, at_hour: int, key: str | None = None) -> Inference:
    return Inference(
        record_id=f"r{number}",
        at=START + at_hour * HOUR,
        prediction=said,
        confidence=(number % 10) / 10,
        characters=None,
        words=None,
        unseen_words_ratio=None,
        text=None,
        segments={"region": "north" if number % 2 else "south"},
        join_key=key,
    )


def recounted(traffic: LabelledTraffic) -> tuple[int, int, Counter[tuple[str, str]]]:
    """Rows, right ones and the confusion, from the records and their newest labels."""
    rows = read_window(
        traffic.make.session,
        traffic.deployment.id,
        start=START,
        end=FOREVER,
        known_at=FOREVER,
        labelled_only=True,
    )
    cells = Counter((row.prediction, row.label or "") for row in rows)
    return len(rows), sum(row.prediction == row.label for row in rows), cells


def counted(traffic: LabelledTraffic) -> tuple[int, int, Counter[tuple[str, str]]]:
    """The same from the counts."""
    session, identifier = traffic.make.session, traffic.deployment.id
    counts = counts_between(session, identifier, None, start=START, end=FOREVER)
    names = session.get_one(LabelLedger, identifier).labels
    cells = Counter({(names[p], names[t]): n for (p, t), n in counts.cells.items() if n})
    hours = hours_between(session, identifier, start=START, end=FOREVER)
    assert sum(hour.rows for hour in hours) == counts.rows
    assert sum(n for place, n in counts.bins.items() if place[1] == 0) == counts.rows
    assert sum(counts.slices.values()) == counts.rows
    return counts.rows, counts.correct, cells


def steps(seed: int) -> Iterator[tuple[str, int, str | None]]:
    """A random course of requests and what is said of them, by id or by join key."""
    random = np.random.default_rng(seed)
    asked_already: set[int] = set()
    for _ in range(60):
        number = int(random.integers(12))
        kind = str(random.choice(["ask", "tell", "tell by key", "withdraw", "count"]))
        if kind == "ask" and number in asked_already:
            continue
        asked_already |= {number} if kind == "ask" else set()
        label = None if kind == "withdraw" else str(random.choice(LABELS))
        yield kind, number, label


@pytest.mark.parametrize("seed", range(6))
def test_counts_equal_counting_again_whatever_happened_in_whatever_order(
    traffic: LabelledTraffic, seed: int
) -> None:
    session, identifier = traffic.make.session, traffic.deployment.id
    by = {"actor_id": traffic.make.engineer.id}
    at = START
    for kind, number, label in steps(seed):
        at += timedelta(minutes=7)
        if kind == "ask":
            own = asked(number, label or "", number % 5, key=f"{number % 4:064}")
            log_inferences(session, identifier, traffic.version_id, [own], at=at)
        elif kind == "count":
            count(session, traffic.monitor, at=at)
        else:
            key = f"{number % 4:064}" if kind == "tell by key" else None
            said = Outcome(None if key else f"r{number}", label, join_key=key)
            log_feedback(session, identifier, [said], at=at, **by)
    count(session, traffic.monitor, at=at + 2 * DAY)  # what waited for its record is due again
    assert counted(traffic) == recounted(traffic)
    arrived = sum(one.rows for one in traffic.every(LabelArrival))
    assert arrived >= counted(traffic)[0]  # what was withdrawn arrived all the same


def test_a_label_before_its_record_waits_and_is_counted_once_it_is_there(
    traffic: LabelledTraffic,
) -> None:
    session, identifier = traffic.make.session, traffic.deployment.id
    count(session, traffic.monitor, at=START)
    traffic.tell({"r1": "fuel", "never": "fuel"}, at=START)
    count(session, traffic.monitor, at=START + HOUR)
    [waiting] = traffic.every(LabelChange)
    assert waiting.due_at == START + 2 * HOUR  # as long again as it has waited
    log_inferences(session, identifier, traffic.version_id, [asked(1, "fuel", 0)], at=START + HOUR)
    count(session, traffic.monitor, at=START + 2 * HOUR)
    assert counted(traffic)[:2] == (1, 1)
    assert len(traffic.every(LabelChange)) == 1  # the other one goes on waiting
    count(session, traffic.monitor, at=START + 30 * DAY)
    assert traffic.every(LabelChange)[0].due_at == START + 31 * DAY


def test_what_was_labelled_before_there_was_a_monitor_is_counted(make: Factory) -> None:
    deployment = make.running()
    version_id = served_version(make.session, deployment).id
    said: dict[str, Any] = {"actor_id": make.engineer.id}
    own = [asked(number, "fuel", 0) for number in range(3)]
    log_inferences(make.session, deployment.id, version_id, own, at=START)
    for hour, label in enumerate(["fuel", "food", None]):
        outcomes = [Outcome(f"r{number}", label) for number in range(hour, 3)]
        log_feedback(make.session, deployment.id, outcomes, at=START + hour * HOUR, **said)
    watched = LabelledTraffic(make, deployment=deployment)
    watched.turn(START + DAY)
    assert counted(watched) == recounted(watched) == (2, 1, Counter(LAST_SAID))
    assert [one.rows for one in watched.every(LabelArrival)] == [3]


LAST_SAID = {("fuel", "fuel"): 1, ("fuel", "food"): 1}


def test_labels_beyond_the_last_place_are_others(traffic: LabelledTraffic) -> None:
    session, identifier = traffic.make.session, traffic.deployment.id
    count(session, traffic.monitor, at=START)
    own = [asked(number, f"label {number}", 0) for number in range(MOST_LABELS + 3)]
    log_inferences(session, identifier, traffic.version_id, own, at=START)
    traffic.tell({one.record_id: one.prediction for one in own}, at=START)
    count(session, traffic.monitor, at=START + HOUR)
    counts = counts_between(session, identifier, None, start=START, end=FOREVER)
    assert counts.cells[OTHER, OTHER] == 3
    assert (counts.rows, counts.correct) == (len(own), len(own))


def test_first_labels_arrive_once_and_never_in_a_step_that_was_judged(
    traffic: LabelledTraffic,
) -> None:
    session, identifier = traffic.make.session, traffic.deployment.id
    count(session, traffic.monitor, at=START)
    own = [asked(number, "fuel", number) for number in range(3)]
    log_inferences(session, identifier, traffic.version_id, own, at=START)
    traffic.watch.next_start = START + DAY
    traffic.tell({"r0": "fuel", "r2": "food"}, at=START + HOUR)
    traffic.tell({"r0": "food", "r2": None}, at=START + 2 * HOUR)
    count(session, traffic.monitor, at=START + 3 * HOUR)
    about = (session, identifier, traffic.version_id)
    [arrival] = arrivals_between(*about, start=START, end=FOREVER)
    assert arrival.arrived == START + DAY
    assert [(wrong, rows) for _, wrong, rows in arrival.requests] == [(0, 1), (1, 1)]


def test_the_same_counts_are_the_same_bytes(traffic: LabelledTraffic) -> None:
    traffic.turn(START)
    traffic.day(0)
    traffic.turn(START + DAY)
    stored = traffic.make.session.scalars(select(LabelHour.content)).all()
    assert all(LabelCounts.from_bytes(one).to_bytes() == one for one in stored)
