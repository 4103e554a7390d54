from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from bailiwick.audit import AuditEvent
from bailiwick.core.batches import BATCH_ROWS
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import Outcome, log_feedback, log_inferences
from bailiwick.monitoring.tables import Feedback, InferenceRecord
from bailiwick.registry import served_version
from factories import Factory
from support.api_traffic import START, Traffic, inference


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    """Of a deployment that has answered nothing yet."""
    return Traffic(make, make.running())


def kept(traffic: Traffic) -> list[InferenceRecord]:
    query = select(InferenceRecord).order_by(InferenceRecord.record_id)
    return list(traffic.make.session.scalars(query))


def test_requests_are_kept_as_they_were_answered(traffic: Traffic) -> None:
    assert traffic.ask(inference(1), inference(2)) == (2, 0)
    first, second = kept(traffic)
    assert (first.at, first.received_at) == (START + timedelta(hours=1), START)
    assert (first.prediction, first.confidence, second.characters) == ("Fuel", 0.501, 2)
    assert first.version_id == traffic.version.id


def test_a_record_counts_once_and_stays_as_it_was_first_sent(traffic: Traffic) -> None:
    traffic.ask(inference(1))
    changed = inference(1, prediction="Other")
    assert traffic.ask(changed, inference(2), changed) == (1, 2)
    assert [record.prediction for record in kept(traffic)] == ["Fuel", "Travel"]


def test_of_one_id_twice_in_a_batch_the_first_is_kept(traffic: Traffic) -> None:
    assert traffic.ask(inference(1), inference(1, prediction="Other")) == (1, 1)
    assert kept(traffic)[0].prediction == "Fuel"


def test_ids_belong_to_their_deployment(make: Factory, traffic: Traffic) -> None:
    place = make.environment("second")
    second = Traffic(make, make.deployment(traffic.deployment.model, place, name="second"))
    assert traffic.ask(inference(1)) == second.ask(inference(1)) == (1, 0)


def test_more_rows_than_a_statement_takes_are_kept(traffic: Traffic) -> None:
    many = [inference(number) for number in range(2 * BATCH_ROWS + 7)]
    assert traffic.ask(*many) == (len(many), 0)
    assert traffic.ask(*many) == (0, len(many))
    labels = {f"r{number:05}": "Fuel" for number in range(len(many))}
    assert traffic.tell(START, **labels) == (len(many), 0)
    assert traffic.tell(START, **labels) == (0, len(many))


def test_nothing_is_fine(traffic: Traffic) -> None:
    assert traffic.ask() == traffic.tell(START) == (0, 0)


def test_a_correction_is_a_new_row_and_the_same_label_is_none(traffic: Traffic) -> None:
    assert traffic.tell(START, a="Fuel", b="Fuel") == (2, 0)
    assert traffic.tell(START, a="Fuel", b="Travel") == (1, 1)
    assert traffic.tell(START, b="Fuel") == (1, 0)
    rows = traffic.make.session.execute(
        select(Feedback.revision, Feedback.label)
        .where(Feedback.record_id == "b")
        .order_by(Feedback.revision)
    ).all()
    assert [tuple(row) for row in rows] == [(1, "Fuel"), (2, "Travel"), (3, "Fuel")]


def test_only_corrections_are_audited_and_without_the_labels(traffic: Traffic) -> None:
    events = select(AuditEvent.body).where(AuditEvent.action == "feedback.corrected")
    traffic.tell(START, a="Fuel", b="Fuel")
    assert traffic.make.session.scalars(events).all() == []
    traffic.tell(START, a="Travel", b="Travel", c="Travel")
    (body,) = traffic.make.session.scalars(events)
    assert b'"corrections":2' in body
    assert b"Travel" not in body


@pytest.mark.parametrize("table", [InferenceRecord, Feedback])
def test_what_was_logged_never_changes(traffic: Traffic, table: type[Feedback]) -> None:
    traffic.ask(inference(1))
    traffic.tell(START, r00001="Fuel")
    with pytest.raises(Exception, match="is immutable"):
        traffic.make.session.execute(update(table).values(record_id="other"))


def test_two_clients_with_the_same_records_at_the_same_moment(platform: Platform) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        deployment = make.running()
        version, engineer = served_version(session, deployment).id, make.engineer.id
    rows = [inference(number) for number in range(50)]

    def send(_: int) -> None:
        with platform.database.transaction() as session:
            log_inferences(session, deployment.id, version, rows, at=START)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send, range(4)))
    with platform.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(InferenceRecord)) == 50
        outcome = [Outcome("r00001", "Fuel")]
        log_feedback(session, deployment.id, outcome, actor_id=engineer, at=START)
