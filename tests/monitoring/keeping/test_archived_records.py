"""Whole days of old records move into segments; readers see no difference."""

from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import delete, select, text

from bailiwick.audit import AuditEvent
from bailiwick.blobs import CorruptBlob
from bailiwick.core.errors import Invalid
from bailiwick.db.session import ImmutableRow
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import (
    InferenceRecord,
    Outcome,
    accuracy_between,
    erase_texts,
    log_inferences,
    read_window,
    set_terms,
)
from bailiwick.monitoring.keeping import Keeping, moving, set_keeping, tally_next
from support.api_traffic import FOREVER, START, inference
from support.kept_records import DAY, LATER, Kept, days


@pytest.fixture
def kept(platform: Platform) -> Kept:
    """Of a deployment that has answered nothing yet."""
    return Kept.on(platform)


def accuracy(kept: Kept, days_from: float = 0, days_until: float = 9) -> tuple[int, int, int]:
    with kept.platform.database.reading() as session:
        told = accuracy_between(
            session,
            kept.deployment_id,
            start=START + days_from * DAY,
            end=START + days_until * DAY,
            known_at=FOREVER,
            blobs=kept.platform.blobs,
        )
    return told.rows, told.labelled_rows, told.correct


def test_readers_see_the_same_before_and_after(kept: Kept) -> None:
    kept.keep(days(5))
    told = [Outcome("d00-1", "Fuel"), Outcome("d01-0", "Travel"), Outcome("d04-0", "Fuel")]
    kept.tell(*told, at=START + 11 * DAY)
    span = {"start": START + timedelta(hours=1), "end": START + 4 * DAY + timedelta(hours=1)}
    windows = [{}, span, {"labelled_only": True}, {"newest": 4}, {"version_id": kept.version_id}]
    before = [kept.window(**one) for one in windows]
    counts = accuracy(kept), accuracy(kept, 0.04, 3.5)
    assert kept.archive_all(START + 33 * DAY) == 3
    assert [kept.window(**one) for one in windows] == before
    for _ in range(2):
        assert (accuracy(kept), accuracy(kept, 0.04, 3.5)) == counts
        while tally_next(kept.platform.database, kept.platform.blobs, at=START + 34 * DAY):
            pass
    assert {segment.stale for segment in kept.segments()} == {False}
    assert (kept.hot(), len(kept.segments())) == (6, 3)
    assert all(row.text for row in before[0])


def test_a_day_moves_when_all_of_it_is_old_enough(kept: Kept) -> None:
    kept.keep(days(1))
    assert kept.archive(START + 31 * DAY - timedelta(seconds=1)) is None
    segment = kept.archive(START + 31 * DAY)
    assert segment is not None
    assert (segment.rows, segment.start, segment.end, segment.part) == (3, START, START + DAY, 0)
    assert (segment.first_at, segment.last_at) == (START, START + timedelta(hours=2))


def test_a_segment_is_sorted_compressed_and_holds_no_text_in_clear(kept: Kept) -> None:
    kept.keep(reversed(days(1)))
    segment = kept.archive()
    assert segment is not None
    path = kept.platform.blobs.verified_path(segment.blob)
    table = pq.read_table(path)
    assert table["record_id"].to_pylist() == ["d00-0", "d00-1", "d00-2"]
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    assert (column.compression, column.statistics.has_min_max) == ("ZSTD", True)
    assert b"paid" not in path.read_bytes()
    assert segment.bytes == path.stat().st_size


def test_archiving_is_audited_with_digest_and_rows(kept: Kept) -> None:
    kept.keep(days(1))
    segment = kept.archive()
    assert segment is not None
    with kept.platform.database.reading() as session:
        query = select(AuditEvent.body).where(AuditEvent.action == "records.archived")
        body = session.scalars(query).one()
    assert f'"sha256":"{segment.blob}"'.encode() in body
    assert b'"rows":3' in body


def test_a_day_that_died_before_its_transaction_is_archived_once(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.keep(days(1))
    before = kept.window()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(moving, "_move", die)
        with pytest.raises(KeyboardInterrupt):
            kept.archive()
    assert (kept.hot(), kept.segments(), kept.window()) == (3, [], before)
    assert kept.archive() is not None
    assert (kept.hot(), len(kept.segments()), kept.window()) == (0, 1, before)


def test_records_that_came_in_meanwhile_put_it_off(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.keep(days(1))
    check = moving.check_segment

    def late(*given: object) -> None:
        kept.keep(days(1, record_id="late"), at=START + 10 * DAY)
        check(*given)

    with monkeypatch.context() as patch:
        patch.setattr(moving, "check_segment", late)
        assert kept.archive() is None
    assert kept.hot() == 4
    segment = kept.archive()
    assert segment is not None
    assert segment.rows == 4


def test_a_file_that_reads_otherwise_than_it_was_written_removes_nothing(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.keep(days(1))
    monkeypatch.setattr(moving, "write_segment", cut(moving.write_segment))
    with pytest.raises(CorruptBlob):
        kept.archive()
    assert (kept.hot(), kept.segments()) == (3, [])


def cut(write: object) -> object:
    """A writer that says it wrote one row more."""

    def written(*given: object) -> object:
        told = write(*given)  # type: ignore[operator]
        told.rows += 1
        return told

    return written


def test_the_database_removes_no_record_whose_segment_is_not_there(kept: Kept) -> None:
    kept.keep(days(2))
    kept.archive(START + 31 * DAY)
    with pytest.raises(ImmutableRow), kept.platform.database.transaction() as session:
        session.execute(delete(InferenceRecord))
    assert kept.hot() == 3


def test_what_is_archived_is_closed(kept: Kept) -> None:
    kept.keep(days(1))
    kept.archive()
    told = kept.keep(days(1), at=START + 20 * DAY)
    assert [fault.code for fault in told.rejected] == ["too-old"] * 3
    rows = [inference(1)]
    with pytest.raises(Invalid, match="archived"), kept.platform.database.transaction() as session:
        log_inferences(session, kept.deployment_id, kept.version_id, rows, at=LATER)


def test_labels_come_late_by_record_id_and_by_join_key(kept: Kept) -> None:
    kept.keep(days(2, join_key="INV-1"))
    kept.archive_all()
    (key,) = kept.platform.pseudonyms.join_keys(["INV-1"])
    kept.tell(Outcome("d00-0", "Travel"))
    assert [row.label for row in kept.window()] == ["Travel"] + [None] * 5
    kept.tell(Outcome(None, "Fuel", key))
    assert {row.label for row in kept.window()} == {"Fuel"}
    assert accuracy(kept) == (6, 6, 6)
    assert [(one.stale, one.correct_rows) for one in kept.segments()] == [(True, 0)] * 2
    database, blobs = kept.platform.database, kept.platform.blobs
    assert not tally_next(database, blobs, at=LATER + DAY / 2)
    while tally_next(database, blobs, at=LATER + DAY):
        pass
    assert [(one.labelled_rows, one.correct_rows) for one in kept.segments()] == [(3, 3)] * 2


def test_a_label_that_comes_while_others_are_counted_is_counted_at_the_next_turn(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.keep(days(1))
    kept.archive_all()
    kept.tell(Outcome("d00-0", "Fuel"))
    late, count = [Outcome("d00-1", "Fuel")], moving.tallied

    def counted(*given: Any, **named: Any) -> Any:
        result = count(*given, **named)
        while late:
            kept.tell(late.pop(), at=LATER + DAY)
        return result

    monkeypatch.setattr(moving, "tallied", counted)
    database, blobs = kept.platform.database, kept.platform.blobs
    for day, labelled, waits in ((1, 1, True), (2, 2, False)):
        assert tally_next(database, blobs, at=LATER + day * DAY)
        (segment,) = kept.segments()
        assert (segment.labelled_rows, segment.stale) == (labelled, waits)


def test_texts_of_archived_records_are_erased_and_counted(kept: Kept) -> None:
    kept.keep(days(2, subject="Ada"))
    kept.archive(START + 31 * DAY)
    with kept.platform.database.transaction() as session:
        erasure = erase_texts(
            session,
            kept.deployment_id,
            "Ada",
            reason="asked for",
            pseudonyms=kept.platform.pseudonyms,
            vault=kept.platform.texts,
            actor_id=kept.actor_id,
            at=LATER,
        )
        assert erasure.records == 6
    assert {row.text for row in kept.window()} == {None}


def test_a_window_of_archived_days_needs_the_blob_store(kept: Kept) -> None:
    kept.keep(days(1))
    kept.archive()
    span = {"start": START, "end": FOREVER, "known_at": FOREVER}
    with (
        kept.platform.database.reading() as session,
        pytest.raises(Invalid, match="archived days"),
    ):
        read_window(session, kept.deployment_id, **span)


@pytest.mark.parametrize(
    ("keeping", "said"),
    [
        (Keeping(hot_days=29), "lower max_age_days first"),
        (Keeping(retention_days=90), "set hot_days as well"),
        (Keeping(hot_days=60, retention_days=59), "set hot_days as well"),
        (Keeping(summary_days=0), "between 1 and"),
    ],
    ids=["hot", "unarchived", "shorter", "none"],
)
def test_rules_that_contradict_intake_are_refused(kept: Kept, keeping: Keeping, said: str) -> None:
    with (
        pytest.raises(Invalid, match=said),
        kept.platform.database.transaction() as session,
    ):
        set_keeping(session, kept.deployment_id, keeping, actor_id=kept.actor_id, at=LATER)


def test_intake_takes_nothing_older_than_what_is_hot(kept: Kept) -> None:
    ages = {"max_ahead_seconds": 300, "max_age_days": 31, "rejected_days": 30}
    with (
        pytest.raises(Invalid, match="raise hot_days first"),
        kept.platform.database.transaction() as session,
    ):
        set_terms(
            session, kept.deployment_id, segments=(), **ages, actor_id=kept.actor_id, at=LATER
        )


def test_a_day_with_texts_in_clear_waits_until_they_are_sealed(kept: Kept) -> None:
    kept.keep(days(1, text=None))
    with kept.platform.database.transaction() as session:
        copied = "id, deployment_id, version_id, received_at, at, prediction, record_id, text"
        session.execute(
            text(
                f"INSERT INTO inference_records ({copied}) SELECT deployment_id, deployment_id, "  # noqa: S608
                "version_id, received_at, at, prediction, 'plain', 'Zebra' FROM inference_records "
                "WHERE record_id = 'd00-0'"
            )
        )
    assert kept.archive() is None
