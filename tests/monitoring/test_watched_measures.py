"""What is measured of a request is watched, and what moved is told in words."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from bailiwick.monitoring import Alert, Inference
from bailiwick.monitoring.embeddings import packed_rows
from bailiwick.monitoring.watching import DriftIncident, TrafficBaseline
from factories import Factory
from support.watched_traffic import DAY, HOUR, START, Traffic

Values = dict[str, Any]
ROWS = 40


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    return Traffic(make)


def send(
    traffic: Traffic,
    start: datetime,
    hours: int,
    change: Callable[[Values, int], Values] | None = None,
) -> None:
    """Danish and English texts of their own, in a space of four dimensions."""
    random = traffic.random
    vectors = packed_rows(random.normal(size=(hours * ROWS, 4)))
    inferences = []
    for row in range(hours * ROWS):
        at = start + row // ROWS * HOUR + row % ROWS * HOUR / 60
        key = f"{random.integers(2**60):016x}"
        values = {
            "non_letter_ratio": float(np.clip(random.normal(0.08, 0.02), 0, 1)),
            "language": "en" if random.random() < 0.97 else "da",
            "text_key": key,
            "form_key": key,
            "embedding": vectors[row],
            "entropy": float(random.gamma(2.0, 0.1)),
            "refusal": bool(random.random() < 0.02),
            "repetition_ratio": 0.0,
        }
        values = change(values, row) if change else values
        inferences.append(Inference(f"{at}", at, "fuel", None, None, None, None, None, **values))
    traffic.log(inferences, at=start + hours * HOUR)


def other_characters(values: Values, row: int) -> Values:
    return values | {"non_letter_ratio": 0.3 + row % 5 / 100}


def more_danish(values: Values, row: int) -> Values:
    return values | {"language": "da" if row % 5 < 2 else "en"}


def the_same_form(values: Values, row: int) -> Values:
    return values | ({"form_key": "template"} if row % 2 else {})


def refusing(values: Values, row: int) -> Values:
    return values | {"refusal": row % 4 == 0}


def about_something_else(values: Values, row: int) -> Values:
    return values | {"embedding": packed_rows([[3.0, 1.0, row % 7 / 7, 0.0]])[0]}


@pytest.mark.parametrize(
    ("change", "feature", "said"),
    [
        (
            other_characters,
            "non_letter_ratio",
            r"The share of characters that are no letters rose from 8\.\d% to 3\d\.\d% \(by ",
        ),
        (
            more_danish,
            "language",
            r"The mix of languages \(share of (da|en)\) (rose|fell) from \d+\.\d% to (40|60)\.\d%",
        ),
        (
            the_same_form,
            "form_key",
            r"The share of texts that repeat another but for .* rose from 0\.\d% to 4[78]\.\d%",
        ),
        (refusing, "refusal", r"The share of answers that refuse rose from 2\.\d% to 25\.\d%"),
        (
            about_something_else,
            "embedding",
            r"What texts are about, as the model's encoder sees it, moved by \d\.\d\d sd \(95 %",
        ),
    ],
    ids=["characters", "language", "repeats", "refusals", "embedding"],
)
def test_a_change_that_only_one_measure_sees_is_told_in_its_words(
    traffic: Traffic, change: Callable[[Values, int], Values], feature: str, said: str
) -> None:
    send(traffic, START, 8 * 24)
    onset = START + 8 * DAY
    send(traffic, onset, 24, change)
    traffic.go_on(onset + DAY + HOUR)
    (baseline,) = traffic.every(TrafficBaseline)
    assert set(baseline.watched) > {"entropy", "repetition_ratio", "text_key", feature}
    (incident,) = traffic.every(DriftIncident)
    (alert,) = traffic.every(Alert)
    assert incident.moves[0]["feature"] == feature
    assert re.match(said, alert.sentence), alert.sentence
    assert len(incident.moves[0]["examples"]["after"]) == 3


def test_a_quiet_week_of_all_measures_is_quiet(traffic: Traffic) -> None:
    send(traffic, START, 15 * 24)
    traffic.go_on(START + 15 * DAY + HOUR)
    assert not traffic.every(DriftIncident)
