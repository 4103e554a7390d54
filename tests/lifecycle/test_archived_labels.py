"""Labels that come when their records are in the archive are counted like the others."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.label_watching import watch_all_labels
from bailiwick.monitoring import Outcome, create_monitor
from bailiwick.monitoring.archive import finding
from bailiwick.monitoring.confusion import LabelChange, LabelHour
from bailiwick.registry import Deployment
from support.api_traffic import START
from support.kept_records import DAY, LATER, Kept, days

MINUTES = timedelta(minutes=2)


@pytest.fixture
def kept(platform: Platform, clock: ReplayClock) -> Kept:
    """Five days of records, of which three are archived."""
    found = Kept.on(platform)
    with platform.database.transaction() as session:
        create_monitor(
            session,
            session.get_one(Deployment, found.deployment_id),
            max_accuracy_drop=0.05,
            min_rows=100,
            window_days=7,
            actor_id=found.actor_id,
            at=START,
        )
    found.keep(days(5))
    assert found.archive_all(START + 33 * DAY) == 3
    clock.advance_to(LATER)
    return found


def counted(platform: Platform) -> tuple[int, int, int]:
    """Labels, those that were right, and batches of feedback that wait."""
    with platform.database.reading() as session:
        rows, right = session.execute(
            select(func.sum(LabelHour.rows), func.sum(LabelHour.correct))
        ).one()
        waiting = session.scalar(select(func.count()).select_from(LabelChange)) or 0
    return rows or 0, right or 0, waiting


def test_they_are_found_once_a_minute_has_passed(
    kept: Kept, platform: Platform, clock: ReplayClock
) -> None:
    watch_all_labels(platform)
    told = [Outcome("d00-1", "Fuel"), Outcome("d01-0", "Travel"), Outcome("d04-0", "Fuel")]
    kept.tell(*told, at=clock.now())
    watch_all_labels(platform)
    assert counted(platform) == (1, 1, 1)  # the one that is hot
    clock.advance_to(clock.now() + MINUTES)
    watch_all_labels(platform)
    assert counted(platform) == (3, 2, 0)
    kept.tell(Outcome("d01-0", "Fuel"), at=clock.now())
    for _ in range(2):
        watch_all_labels(platform)
        clock.advance_to(clock.now() + MINUTES)
    assert counted(platform) == (3, 3, 0)


def test_files_are_read_once_for_a_label_whose_record_never_came(
    kept: Kept, platform: Platform, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch_all_labels(platform)
    kept.tell(Outcome("nobody", "Fuel"), Outcome("d02-1", "Fuel"), at=clock.now())
    asked: list[set[str]] = []
    find = finding.find_records
    monkeypatch.setattr(
        "bailiwick.monitoring.labelled.course.find_records",
        lambda blobs, files, ids: asked.append(set(ids)) or find(blobs, files, ids),
    )
    for _ in range(5):
        clock.advance_to(clock.now() + DAY)
        watch_all_labels(platform)
    assert [one for one in asked if one] == [{"nobody", "d02-1"}]
    assert counted(platform) == (1, 1, 1)
