"""What has been kept for long enough goes, and nothing else does."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bailiwick.audit import AuditEvent
from bailiwick.lifecycle import Platform
from bailiwick.monitoring import Outcome
from bailiwick.monitoring.archive import ArchivedJoinKey
from bailiwick.monitoring.hours.tables import Window
from bailiwick.monitoring.keeping import drop_next, drop_summaries, purge_next
from bailiwick.monitoring.keeping.inventory import inventory_of
from bailiwick.monitoring.texts import DataKey
from support.api_traffic import START
from support.kept_records import DAY, Kept, days


@pytest.fixture
def kept(platform: Platform) -> Kept:
    """Three days of records, all of them archived; they are kept for 90."""
    found = Kept.on(platform, retention_days=90, summary_days=40)
    found.keep(days(3, join_key="INV-1"))
    found.tell(Outcome("d00-0", "Fuel"))
    assert found.archive_all() == 3
    return found


def drop(kept: Kept, at_day: float) -> int:
    database, blobs = kept.platform.database, kept.platform.blobs
    count = 0
    while drop_next(database, blobs, at=START + at_day * DAY):
        count += 1
    while purge_next(database, blobs, at=START + at_day * DAY):
        pass
    return count


def test_a_segment_goes_with_its_file_its_key_and_its_join_keys(kept: Kept) -> None:
    assert drop(kept, 90.9) == 0
    assert drop(kept, 91) == 1
    first, second, _ = kept.segments()
    assert first.dropped_at == first.purged_at == START + 91 * DAY
    assert not kept.platform.blobs.path_of(first.blob).exists()
    assert kept.platform.blobs.path_of(second.blob).exists()
    assert kept.window()[0].record_id == "d01-0"
    with kept.platform.database.reading() as session:
        gone = session.scalars(select(DataKey.about).where(DataKey.wrapped.is_(None))).all()
        left = session.scalars(select(ArchivedJoinKey.record_id)).all()
        body = session.scalars(
            select(AuditEvent.body).where(AuditEvent.action == "records.dropped")
        ).one()
    assert gone == ["2026-01-01"]
    assert len(left) == 6
    assert f'"sha256":"{first.blob}"'.encode() in body
    assert b'"day":"2026-01-01","rows":3' in body


def test_a_file_that_another_segment_has_as_well_stays(kept: Kept) -> None:
    first, second, _ = kept.segments()
    with kept.platform.database.transaction() as session:
        copy = type(first)(
            **{
                column.name: getattr(second, column.name)
                for column in first.__table__.columns
                if column.name not in {"id", "part", "blob"}
            },
            part=1,
            blob=first.blob,
        )
        session.add(copy)
    assert drop(kept, 91) == 1
    assert kept.platform.blobs.path_of(first.blob).exists()


def test_a_process_that_died_after_the_drop_leaves_the_file_to_the_next(kept: Kept) -> None:
    assert drop_next(kept.platform.database, kept.platform.blobs, at=START + 91 * DAY)
    first = kept.segments()[0]
    assert kept.platform.blobs.path_of(first.blob).exists()
    assert drop(kept, 91) == 0
    assert not kept.platform.blobs.path_of(first.blob).exists()


def test_the_inventory_says_what_is_kept_since_when(kept: Kept) -> None:
    drop(kept, 91)
    with kept.platform.database.reading() as session:
        there = inventory_of(session, kept.deployment_id)
    assert (there.hot_records, there.archived_records, there.segments) == (0, 6, 2)
    assert (there.since, there.archived_until) == (START + DAY, START + 3 * DAY)
    assert there.dropped_segments == 1
    assert there.segment_bytes > 0


def test_hourly_summaries_go_in_their_time(kept: Kept) -> None:
    kept.sum_up(3)
    hours = [START + number * timedelta(hours=1) for number in range(3)]
    with kept.platform.database.transaction() as session:
        assert drop_summaries(session, at=hours[1] + 40 * DAY) == 1
        assert session.scalars(select(Window.start).order_by(Window.start)).all() == hours[1:]
