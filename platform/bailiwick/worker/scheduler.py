"""The worker process: APScheduler turns the ticks, the database decides what happens once."""

import os
import socket
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from bailiwick.core.disks import is_full
from bailiwick.core.errors import BailiwickError
from bailiwick.lifecycle import Platform
from bailiwick.policy.tallies import FLUSH_SECONDS
from bailiwick.worker import ticks

FORGET_SECONDS = 60.0
WATCH_SECONDS = 15.0
COUNT_SECONDS = 60.0
ROLLOUT_SECONDS = 5.0  # within which a breach is answered
FULL = "the disk is full: free some space below BAILIWICK_HOME; this is tried again"
log = structlog.get_logger(__name__)


class Worker:
    """Schedules, alerts, the audit sequencer and jobs of one installation.

    Any number may run: a schedule fires once per due time (unique key), a job is held by one
    lease, the audit log has one sequencer (lock). Each tick runs in a thread of its own and
    never twice at a time in one process.
    """

    def __init__(self, platform: Platform, *, interval_seconds: float = 1.0) -> None:
        self._platform = platform
        self._stopping = threading.Event()
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        workers = platform.settings.workers
        self._scheduler = BackgroundScheduler(
            timezone=UTC, executors={"default": ThreadPoolExecutor(workers + 18)}
        )
        self._every(ticks.fire_schedules, interval_seconds)
        self._every(ticks.watch_traffic, WATCH_SECONDS)
        self._every(ticks.watch_labels, WATCH_SECONDS)
        self._every(ticks.judge_rollouts, ROLLOUT_SECONDS)
        self._every(ticks.check_served_elsewhere, COUNT_SECONDS)
        self._every(ticks.forget_rollout_records, FORGET_SECONDS)
        self._every(ticks.answer_alerts, interval_seconds)
        self._every(ticks.count_labels, COUNT_SECONDS)
        self._every(ticks.stop_out_of_policy, interval_seconds)
        self._every(ticks.sequence_audit, interval_seconds)
        self._every(ticks.end_waivers, interval_seconds)
        self._every(ticks.send_messages, interval_seconds, self._stopping)
        self._every(ticks.write_counts, FLUSH_SECONDS)
        self._every(ticks.forget_rejected_records, FORGET_SECONDS)
        self._every(ticks.clear_leftovers, FORGET_SECONDS)
        for keeping in (ticks.seal_texts, ticks.archive_records, ticks.drop_records):
            self._every(keeping, FORGET_SECONDS, self._stopping)
        for number in range(workers):
            owner = f"{self._owner}:{number}"
            self._every(ticks.work, interval_seconds, owner, self._stopping)

    def start(self) -> None:
        """Begin; returns at once."""
        self._scheduler.start()

    def stop(self) -> None:
        """Let the ticks and the job that run come to their end, begin no other, then stop."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)
        ticks.write_counts(self._platform)

    def _every(self, tick: Callable[..., None], interval_seconds: float, *extra: object) -> None:
        self._scheduler.add_job(
            _guarded,
            "interval",
            args=(tick, self._platform, *extra),
            seconds=interval_seconds,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=datetime.now(UTC),
        )


def _guarded(tick: Callable[..., None], platform: Platform, *extra: object) -> None:
    """A tick that fails is told of and tried again at the next turn."""
    try:
        with platform.database.reading() as session:
            now = platform.in_force(session)
        tick(now, *extra)
    except BailiwickError as error:
        log.warning("tick failed", tick=tick.__name__, code=error.code, reason=error.message)
    except Exception as error:  # noqa: BLE001 - one tick must never stop the others
        if is_full(error):
            log.warning("tick failed", tick=tick.__name__, code="disk-full", reason=FULL)
            return
        # Without the error's own text: that may quote what it was about.
        place = traceback.format_tb(error.__traceback__)
        log.warning("tick met a fault", tick=tick.__name__, kind=type(error).__name__, place=place)
