"""Estimated accuracy of a window, and what it makes of an incident."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import select

from bailiwick.monitoring import Alert, WindowRow
from bailiwick.monitoring.estimating import Expectation, expectation
from bailiwick.monitoring.watching import DriftIncident, weigh
from factories import Factory
from support.evaluation_rows import LABELS, evaluation_rows
from support.watched_traffic import DAY, HOUR, START, Traffic


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "reference.parquet"
    path.write_bytes(evaluation_rows(2_000))
    return path


def rows(low: float, high: float, *, labelled: bool = False, count: int = 800) -> list[WindowRow]:
    """Answers that are as sure as between these, and right as often as that."""
    random = np.random.default_rng(3)
    found = []
    for number in range(count):
        sure = float(random.uniform(low, high))
        said, other = LABELS[number % 3], LABELS[(number + 1) % 3]
        truth = (said if random.random() < sure else other) if labelled else None
        found.append(
            WindowRow(str(number), START, uuid4(), said, sure, None, None, None, None, truth)
        )
    return found


def expected(reference: Path, *given: WindowRow) -> Expectation:
    found = expectation(reference, given, [])
    assert found is not None
    return found


def test_less_sure_answers_are_expected_to_be_less_accurate(reference: Path) -> None:
    found = expected(reference, *rows(0.6, 0.7))
    assert found.estimate.trusted
    assert found.estimate.accuracy == pytest.approx(0.65, abs=0.04)
    assert found.verified is None
    assert "no estimate has been verified" in found.sentence


def test_labels_verify_the_estimate_and_its_error_is_told(reference: Path) -> None:
    first = expected(reference, *rows(0.6, 1.0, labelled=True))
    assert first.verified is not None
    assert abs(first.verified.error) < 0.05
    again = expectation(reference, rows(0.6, 1.0), [first.verified])
    assert again is not None
    assert "past estimates were off by" in again.sentence


def test_confidences_that_were_never_seen_are_not_trusted(reference: Path) -> None:
    found = expected(reference, *rows(0.1, 0.4))
    assert not found.estimate.trusted
    assert found.sentence.startswith("Accuracy cannot be estimated")


def test_without_confidences_nothing_is_estimated(reference: Path) -> None:
    bare = [WindowRow("1", START, uuid4(), "Fuel", None, None, None, None, None, None)]
    assert expectation(reference, bare, []) is None


@pytest.mark.parametrize(
    ("low", "high", "severity", "kind"),
    [(0.6, 0.65, "page", "harm"), (0.7, 0.9, "note", "drift"), (0.1, 0.4, "warning", "drift")],
    ids=["it hurts", "it does no harm", "nobody knows"],
)
def test_what_a_change_does_decides_how_loud_its_alert_is(
    make: Factory, reference: Path, low: float, high: float, severity: str, kind: str
) -> None:
    traffic = Traffic(make)
    traffic.send(START, 8 * 24)
    traffic.send(START + 8 * DAY, 24, words=14.0)
    traffic.go_on(START + 9 * DAY + HOUR)
    (incident,) = traffic.every(DriftIncident)
    said = {"actor_id": make.engineer.id, "at": START + 10 * DAY}
    found = expected(reference, *rows(low, high)).estimate
    early = incident.since - timedelta(hours=1)
    weigh(make.session, traffic.monitor, found, 0.8, early, **said)
    assert incident.effect is None  # that was other traffic
    weigh(make.session, traffic.monitor, found, 0.8, incident.since, **said)
    alert = make.session.scalars(select(Alert)).one()
    assert (alert.severity, alert.kind) == (severity, kind)
    assert incident.effect
    assert alert.sentence.endswith(incident.effect)
