"""The worker's ticks that archive and drop."""

from threading import Event

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.worker import ticks
from support.api_traffic import START
from support.kept_records import DAY, Kept, days


def test_old_records_are_archived_and_dropped_in_their_time(
    platform: Platform, clock: ReplayClock
) -> None:
    kept = Kept.on(platform, retention_days=90, summary_days=90)
    kept.keep(days(3))

    def turn(day: int) -> tuple[int, int, int]:
        clock.advance_to(START + day * DAY)
        for tick in (ticks.seal_texts, ticks.archive_records, ticks.drop_records):
            tick(platform, Event())
        segments = kept.segments()
        return kept.hot(), len(segments), sum(one.purged_at is not None for one in segments)

    assert turn(30) == (9, 0, 0)
    assert turn(32) == (3, 2, 0)
    assert turn(60) == (0, 3, 0)
    assert turn(92) == (0, 3, 2)
    assert len(kept.window()) == 3
