"""What becomes of a batch, whatever format it came in."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Invalid, Unavailable
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import (
    Feedback,
    InferenceRecord,
    Outcome,
    Pseudonyms,
    RejectedRecord,
    forget_rejected,
    load_or_create_key,
    log_feedback,
    set_terms,
    take,
    terms_of,
)
from bailiwick.monitoring.embeddings import directions_of, packed
from bailiwick.monitoring.intake import Batch, JoinedFeedback, Taken, texts_of
from bailiwick.monitoring.intake.log import screen
from bailiwick.monitoring.intake.records import read_lines
from bailiwick.monitoring.intake.rules import Terms
from bailiwick.registry import served_version
from bailiwick.texts import measures_of
from bailiwick.worker import ticks
from factories import Factory
from support.api_traffic import START, Traffic
from support.intake_records import EXACTLY, FULL, record

NAMES = Pseudonyms(b"k" * 32)
NOW = START + timedelta(hours=1)


def batch_of(*records: dict[str, Any]) -> Batch:
    return read_lines([json.dumps(one).encode() for one in records], 0)


@pytest.fixture
def traffic(make: Factory) -> Traffic:
    """Of a deployment that has answered nothing yet."""
    return Traffic(make, make.running())


def taken(
    traffic: Traffic, *records: dict[str, Any], keeps_text: bool = False, at: datetime = NOW
) -> Taken:
    return take(
        traffic.make.session,
        traffic.deployment.id,
        traffic.version.id,
        batch_of(*records),
        keeps_text=keeps_text,
        pseudonyms=NAMES,
        vault=traffic.make.platform.texts,
        at=at,
    )


def stored(traffic: Traffic) -> list[InferenceRecord]:
    query = select(InferenceRecord).order_by(InferenceRecord.record_id)
    return list(traffic.make.session.scalars(query))


def labels(traffic: Traffic) -> dict[str, str | None]:
    return {row.record_id: row.label for row in traffic.window()}


def tell(traffic: Traffic, *outcomes: Outcome) -> tuple[int, int]:
    told = log_feedback(
        traffic.make.session,
        traffic.deployment.id,
        outcomes,
        actor_id=traffic.make.engineer.id,
        at=NOW,
    )
    return told.new, told.known


def by_key(value: str, label: str | None) -> Outcome:
    return Outcome(None, label, NAMES.join_keys([value])[0])


def test_all_that_a_record_says_is_kept_and_names_are_hashed(traffic: Traffic) -> None:
    terms = Terms(segments=("region",), features=("amount", "supplier"))
    set_terms(
        traffic.make.session,
        traffic.deployment.id,
        segments=terms.segments,
        features=terms.features,
        max_ahead_seconds=300,
        max_age_days=10,
        rejected_days=3,
        actor_id=traffic.make.engineer.id,
        at=NOW,
    )
    assert taken(traffic, FULL) == Taken(new=1, known=0, rejected=[])
    (row,) = stored(traffic)
    assert (row.latency_ms, row.tokens, row.mean_log_probability) == (12.5, 7, -0.25)
    assert (row.segments, row.at, row.received_at) == ({"region": "north"}, EXACTLY, NOW)
    assert row.subject_key == NAMES.subjects(["Ada Lovelace"])[0]
    assert row.join_key == NAMES.join_keys(["INV-4711"])[0]
    assert (row.unseen_words_ratio, row.characters, row.sealed) == (0.25, 31, None)
    hashed = NAMES.categories([{"supplier": "Zanzibar Garage"}])[0]
    assert row.features == {"amount": 12.5} | (hashed or {})
    assert "Zanzibar" not in str(row.features)
    assert (row.tokens_per_word, row.non_letter_ratio, row.language) == (1.5, 0.125, "da")
    assert (row.entropy, row.refusal, row.repetition_ratio) == (0.75, False, 0.5)
    assert [row.text_key, row.form_key] == NAMES.text_keys(["5f2a", "77c0"])


def test_of_an_embedding_only_its_directions_are_kept(traffic: Traffic) -> None:
    vector = [0.25, -1.0, 3.5]
    assert taken(traffic, record(1, embedding=vector), record(2)).new == 2
    with_one, without = stored(traffic)
    assert with_one.embedding == packed(directions_of(np.array([vector])))[0]
    assert without.embedding is None


def test_of_kept_texts_what_is_missing_is_measured(traffic: Traffic) -> None:
    text = "Invoice 4711"
    sent = [record(1, text=text, words=9), record(2), record(3, text="INVOICE  12")]
    assert taken(traffic, *sent, keeps_text=True).new == 3
    own = measures_of(text)
    first, bare, alike = stored(traffic)
    assert (first.words, first.characters) == (9, own.characters)  # what it says itself stands
    assert first.non_letter_ratio == own.non_letter_ratio
    assert [first.text_key, first.form_key] == NAMES.text_keys([own.text_key, own.form_key])
    assert first.form_key == alike.form_key
    assert first.text_key != alike.text_key
    assert (bare.words, bare.text_key, bare.language) == (None, None, None)


def test_what_a_record_lacks_stays_unknown(traffic: Traffic) -> None:
    assert taken(traffic, record(confidence=None)).new == 1
    (row,) = stored(traffic)
    assert (row.confidence, row.words, row.segments, row.join_key) == (None, None, None, None)


def test_pseudonyms_depend_on_the_key_and_on_what_is_named() -> None:
    (one,) = NAMES.subjects(["Ada"])
    assert one is not None
    assert len(one) == 64
    assert NAMES.subjects(["Ada", None]) == [one, None]
    assert NAMES.join_keys(["Ada"]) != [one] != Pseudonyms(b"o" * 32).subjects(["Ada"])


def test_the_key_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "pseudonyms.key"
    with ThreadPoolExecutor(4) as threads:
        keys = set(threads.map(load_or_create_key, [path] * 4))
    assert len(keys) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    path.write_text("nonsense")
    with pytest.raises(Unavailable, match="restore it from a backup"):
        load_or_create_key(path)


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"confidence": 1.5}, "unfit", "confidence"),
        ({"confidence": "0.5"}, "unfit", "confidence"),
        ({"words": -1}, "unfit", "words"),
        ({"tokens": 2**31}, "unfit", "tokens"),
        ({"prediction": ""}, "unfit", "prediction"),
        ({"prediction": None}, "unfit", "prediction: is missing"),
        ({"record_id": "x" * 201}, "unfit", "record_id"),
        ({"mean_log_probability": 0.5}, "unfit", "mean_log_probability"),
        ({"at": "2026-01-01T00:00:00"}, "unfit", "at"),
        ({"at": "Zebra"}, "unfit", "at"),
        ({"Zebra 4711": 1}, "unfit", "…: no field"),
        ({"zebra": 1}, "unfit", "zebra: no field"),
        ({"segments": {"Zebra 4711": "x"}}, "unfit", "segments"),
        ({"segments": {"region": "x" * 101}}, "unfit", "segments"),
        ({"features": {"Zebra 4711": 1}}, "unfit", "features"),
        ({"features": {"supplier": ["Zebra"]}}, "unfit", "features"),
        ({"features": {"amount": 1e300}}, "unfit", "features"),
        ({"features": {"supplier": "Ze\0bra"}}, "unstorable", "NUL"),
        ({"features": {"supplier": "Zebra"}}, "undeclared-feature", "not declared"),
        ({"prediction": "Ze\0bra"}, "unstorable", "NUL"),
        ({"segments": {"region": "Ze\0bra"}}, "unstorable", "NUL"),
        ({"at": "2026-01-01T01:05:01Z"}, "future", "300 seconds ahead"),
        ({"at": "2022-12-01T00:00:00Z"}, "too-old", "1,095 days"),
        ({"text": "Zebra 4711"}, "text-not-kept", "does not keep text"),
        ({"segments": {"region": "Zebra"}}, "undeclared-segment", "not declared"),
    ],
)
def test_a_record_that_cannot_be_used_is_set_aside_and_says_why(
    traffic: Traffic, changes: dict[str, Any], code: str, said: str
) -> None:
    told = taken(traffic, record(1), record(2, **changes), record(3))
    assert (told.new, told.known) == (2, 0)
    (fault,) = told.rejected
    assert (fault.place, fault.code) == (1, code)
    assert said in fault.detail
    assert "Zebra" not in fault.detail
    (kept,) = traffic.make.session.scalars(select(RejectedRecord))
    assert (kept.code, kept.place, kept.sealed, kept.digest) == (code, 1, None, fault.digest)
    assert kept.expires_at == NOW + timedelta(days=30)


def test_the_record_itself_is_kept_only_with_the_text(traffic: Traffic) -> None:
    bad = record(1, confidence=7, text="Zebra")
    taken(traffic, bad, bad, keeps_text=True)
    taken(traffic, bad, keeps_text=True)
    session = traffic.make.session
    (kept,) = session.scalars(select(RejectedRecord))  # the same bytes, once
    (raw,) = texts_of(session, traffic.make.platform.texts, [kept])
    assert json.loads(str(raw)) == bad


def test_what_was_set_aside_is_forgotten_in_time(traffic: Traffic) -> None:
    taken(traffic, record(confidence=7))
    session = traffic.make.session
    assert forget_rejected(session, at=NOW + timedelta(days=29)) == 0
    assert forget_rejected(session, at=NOW + timedelta(days=30)) == 1


def test_a_record_counts_once_in_a_batch_and_between_batches(traffic: Traffic) -> None:
    assert taken(traffic, record(1), record(1, prediction="Other"), record(2)).new == 2
    again = taken(traffic, record(2, prediction="Other"), record(3))
    assert (again.new, again.known) == (1, 1)
    assert [row.prediction for row in stored(traffic)] == ["Fuel"] * 3


def test_late_and_unordered_records_land_at_their_own_time(traffic: Traffic) -> None:
    days = (9, 400, 2, 30)
    moments = {day: NOW - timedelta(days=day) for day in days}
    for day in days:
        taken(traffic, record(day, at=moments[day].isoformat()))
    window = traffic.window(start=moments[30], end=moments[2])
    assert [row.at for row in window] == [moments[30], moments[9]]


def test_terms_are_screened_by_the_deployments_own_rules() -> None:
    batch = batch_of(record(1), record(2, segments={"region": "n"}), record(3, text="t"))
    wide = Terms(segments=("region",), max_age_days=1)
    assert screen(batch, wide, keeps_text=True, at=NOW).faults == []
    late = screen(batch, wide, keeps_text=True, at=NOW + timedelta(days=2))
    assert [fault.code for fault in late.faults] == ["too-old"] * 3
    assert len(late) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segments": ["Region 1"]}, "small letters"),
        ({"segments": ["a", "a"]}, "different"),
        ({"segments": list("abcdefghi")}, "at most 8"),
        ({"features": ["words"]}, "every record has words anyway"),
        ({"features": [f"f{number}" for number in range(41)]}, "at most 40"),
        ({"max_ahead_seconds": -1}, "max_ahead_seconds"),
        ({"max_age_days": 0}, "max_age_days"),
        ({"rejected_days": 10**6}, "rejected_days"),
        ({"refusals": ["no", " "]}, "refusals"),
        ({"refusals": ["no"] * 101}, "refusals"),
    ],
)
def test_terms_that_make_no_sense_are_refused(
    traffic: Traffic, changes: dict[str, Any], said: str
) -> None:
    given: dict[str, Any] = {"segments": (), "max_ahead_seconds": 1, "max_age_days": 1}
    given |= {"rejected_days": 1} | changes
    by: dict[str, Any] = {"actor_id": traffic.make.engineer.id, "at": NOW}
    with pytest.raises(Invalid, match=said):
        set_terms(traffic.make.session, traffic.deployment.id, **given, **by)
    assert terms_of(traffic.make.session, traffic.deployment.id) == Terms()


def test_a_withdrawn_label_leaves_the_record_unlabelled_and_is_audited(traffic: Traffic) -> None:
    taken(traffic, record(1), record(2))
    assert tell(traffic, Outcome("r00001", "Fuel"), Outcome("r00002", "Fuel")) == (2, 0)
    assert tell(traffic, Outcome("r00001", None), Outcome("never", None)) == (1, 1)
    assert labels(traffic) == {"r00001": None, "r00002": "Fuel"}
    assert len(traffic.window(labelled_only=True)) == 1
    events = select(AuditEvent.body).where(AuditEvent.action == "feedback.withdrawn")
    (body,) = traffic.make.session.scalars(events)
    assert b'"labels":1' in body
    assert tell(traffic, Outcome("r00001", "Travel")) == (1, 0)
    assert labels(traffic)["r00001"] == "Travel"
    revisions = select(Feedback.revision).where(Feedback.record_id == "r00001")
    assert sorted(traffic.make.session.scalars(revisions)) == [1, 2, 3]


def test_a_join_key_labels_all_its_records_also_those_to_come(traffic: Traffic) -> None:
    taken(traffic, record(1, join_key="INV-1"), record(2, join_key="INV-1"), record(3))
    assert tell(traffic, by_key("INV-1", "Fuel"), by_key("INV-2", "Travel")) == (2, 0)
    assert labels(traffic) == {"r00001": "Fuel", "r00002": "Fuel", "r00003": None}
    taken(traffic, record(4, join_key="INV-1"), record(5, join_key="INV-2"))
    assert labels(traffic) | {"r00004": "Fuel", "r00005": "Travel"} == labels(traffic)
    assert tell(traffic, by_key("INV-1", "Fuel")) == (0, 1)
    assert tell(traffic, by_key("INV-1", "Office"), by_key("INV-2", None)) == (2, 0)
    assert labels(traffic)["r00004"] == "Office"
    assert labels(traffic)["r00005"] is None


def test_a_label_of_its_own_outlasts_the_arrival_of_its_record(traffic: Traffic) -> None:
    tell(traffic, Outcome("r00001", "Own"), by_key("INV-1", "Shared"))
    taken(traffic, record(1, join_key="INV-1"), record(2, join_key="INV-1"))
    assert labels(traffic) == {"r00001": "Own", "r00002": "Shared"}
    taken(traffic, record(2, join_key="INV-1"))
    assert labels(traffic) == {"r00001": "Own", "r00002": "Shared"}


def test_clients_with_the_same_records_in_other_orders_at_once(platform: Platform) -> None:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        deployment = make.running()
        version, engineer = served_version(session, deployment).id, make.engineer.id
    rows = [record(number, join_key=f"INV-{number % 7}") for number in range(300)]

    def send(turn: int) -> int:
        with platform.database.transaction() as session:
            if turn == 3:
                outcomes = [by_key(f"INV-{number}", "Fuel") for number in range(7)]
                log_feedback(session, deployment.id, outcomes, actor_id=engineer, at=NOW)
                return 0
            given = rows[:: -1 if turn % 2 else 1]
            return take(
                session,
                deployment.id,
                version,
                batch_of(*given),
                keeps_text=False,
                pseudonyms=NAMES,
                vault=platform.texts,
                at=NOW,
            ).new

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(send, range(6))) == 300
    with platform.database.reading() as session:
        told = session.execute(select(Feedback.record_id, Feedback.label)).all()
        assert len(told) == 300  # whoever came first, each record has its label, once
        assert len(list(session.scalars(select(JoinedFeedback)))) == 7


def test_a_tick_forgets_what_has_expired(platform: Platform) -> None:
    with platform.database.transaction() as session:
        traffic = Traffic(make := Factory(session, platform), make.running())
        taken(traffic, record(confidence=7), at=platform.clock.now() - timedelta(days=31))
        taken(traffic, record(confidence=8), at=platform.clock.now() - timedelta(days=29))
    for _ in range(2):
        ticks.forget_rejected_records(platform)
        with platform.database.reading() as session:
            assert len(list(session.scalars(select(RejectedRecord)))) == 1
