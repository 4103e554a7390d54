"""Carrying out jobs: claim one, do what its kind says, write the end of it."""

import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from bailiwick.core.disks import is_full
from bailiwick.core.errors import BailiwickError, Conflict, DiskFull, LastingConflict, Unavailable
from bailiwick.lifecycle.checks import carry_out_check
from bailiwick.lifecycle.children import JobProcessFailed
from bailiwick.lifecycle.job_logs import add_lines, faults_told, told
from bailiwick.lifecycle.jobs import JobKind, Lease, LeaseLost, claim, fail, heartbeat
from bailiwick.lifecycle.leftovers import name_of, tidy
from bailiwick.lifecycle.limits import Limits, Watch
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.replays import carry_out_backtest
from bailiwick.lifecycle.retrain import carry_out_retraining
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.traffic_comparisons import carry_out_comparison
from bailiwick.lifecycle.training_jobs import carry_out_training
from bailiwick.lifecycle.training_plans import TrainingOrder
from bailiwick.lifecycle.trials import carry_out_trial
from bailiwick.policy import record_denial

log = structlog.get_logger(__name__)
PROGRESS_SECONDS = 0.5
FAULTS_TOLD = 10  # of a process that died, to the worker's log; the job's has all
LINES_A_BEAT = 20  # of a process that tells more, the last ones
FULL = "the disk of the work folder is full: free some space below BAILIWICK_HOME"
# What may be gone at the next attempt; a Conflict is a race that another attempt sees the end of (a
# champion that was replaced is compared with anew), unless it says that it lasts.
PASSING = (Unavailable, Conflict)


def run_next(platform: Platform, *, owner: str) -> bool:
    """Carry out one job if one waits; whether there was one. Never raises for a job's sake."""
    settings = platform.settings
    with platform.database.transaction() as session:
        lease = claim(
            session,
            owner=owner,
            lease_seconds=settings.lease_seconds,
            at=platform.clock.now(),
            namespace_jobs=settings.namespace_jobs,
        )
    if lease is None:
        return False
    folder = settings.work_folder / "jobs" / name_of(lease.job_id, lease.attempt)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _carry_out(platform, lease, folder)
    except LeaseLost as error:
        log.warning("lease lost", job=str(lease.job_id), reason=error.message)
    except JobProcessFailed as error:
        where = faults_told(folder)[-FAULTS_TOLD:]
        log.warning("job process failed", job=str(lease.job_id), how=error.message, where=where)
        _give_up(platform, lease, error, retry=True)
    except BailiwickError as error:
        _give_up(platform, lease, error, retry=_may_pass(error))
    except Exception as error:  # noqa: BLE001 - a job must never end its worker
        # The text of such an error can hold data: its type and place are all that is told.
        kind, place = type(error).__name__, traceback.format_tb(error.__traceback__)
        log.warning("job attempt met a fault", job=str(lease.job_id), kind=kind, place=place)
        problem = (
            DiskFull(FULL)
            if is_full(error)
            else Unavailable(f"the worker met {kind}; its log says where")
        )
        _give_up(platform, lease, problem, retry=True)
    finally:
        tidy(folder)
    return True


def _may_pass(error: BailiwickError) -> bool:
    return isinstance(error, PASSING) and not isinstance(error, LastingConflict)


def _carry_out(platform: Platform, lease: Lease, folder: Path) -> None:
    with platform.database.reading() as session:
        ordered = session.get_one(Job, lease.job_id).limits
    limits = Limits.of(platform.settings, lease.kind, ordered)
    beat = _Beat(platform, lease, Watch(limits, ordered, folder))
    try:
        _do(platform, lease, folder, beat)
    finally:
        _keep_log(platform, lease, [*beat.unwritten, *faults_told(folder)])


def _do(platform: Platform, lease: Lease, folder: Path, beat: "_Beat") -> None:
    match lease.kind:
        case JobKind.TRAIN:
            with platform.database.reading() as session:
                payload = session.get_one(Job, lease.job_id).payload
            carry_out_training(platform, lease, TrainingOrder.from_payload(payload), folder, beat)
        case JobKind.RETRAIN:
            carry_out_retraining(platform, lease, folder, beat)
        case JobKind.CHECK:
            carry_out_check(platform, lease, folder, beat)
        case JobKind.COMPARE:
            carry_out_comparison(platform, lease, folder, beat)
        case JobKind.BACKTEST:
            carry_out_backtest(platform, lease, folder, beat)
        case JobKind.TRIAL:
            carry_out_trial(platform, lease, folder, beat)


def _keep_log(platform: Platform, lease: Lease, lines: list[str]) -> None:
    if not lines:
        return
    try:
        with platform.database.transaction() as session:
            at = platform.clock.now()
            add_lines(session, lease.job_id, lines, attempt=lease.attempt, at=at)
    except (Conflict, Unavailable) as lost:
        log.warning("the log could not be kept", job=str(lease.job_id), reason=lost.message)


class _Beat:
    """Renews the lease, publishes progress and watches the limits, at most every half second.

    A database that is out of reach for a moment ends nothing: the lease outlasts several beats.
    """

    def __init__(self, platform: Platform, lease: Lease, watch: Watch) -> None:
        self._platform, self._lease, self._watch = platform, lease, watch
        self._last = 0.0
        self.unwritten: list[str] = []  # lines of the log
        self._noted = ""
        self._progress: Mapping[str, Any] | None = None  # the newest, not published yet

    def __call__(self, progress: Mapping[str, Any] | None) -> None:
        self._note(progress)
        if time.monotonic() - self._last < PROGRESS_SECONDS:
            return
        self._watch.check()
        try:
            with self._platform.database.transaction() as session:
                at = self._platform.clock.now()
                heartbeat(
                    session,
                    self._lease,
                    lease_seconds=self._platform.settings.lease_seconds,
                    at=at,
                    progress=self._progress,
                )
                job_id, attempt = self._lease.job_id, self._lease.attempt
                add_lines(session, job_id, self.unwritten, attempt=attempt, at=at)
            self.unwritten, self._progress = [], None
        except Unavailable as error:
            log.warning("no heartbeat", job=str(self._lease.job_id), reason=error.message)
        self._last = time.monotonic()

    def _note(self, progress: Mapping[str, Any] | None) -> None:
        self._progress = progress or self._progress
        if progress and (line := told(progress)) != self._noted:
            self._noted = line
            self.unwritten = [*self.unwritten, line][-LINES_A_BEAT:]


def _give_up(platform: Platform, lease: Lease, error: BailiwickError, *, retry: bool) -> None:
    log.warning("job attempt failed", job=str(lease.job_id), code=error.code, retry=retry)
    try:
        with platform.database.transaction() as session:
            record_denial(session, error)
            at, outlast = platform.clock.now(), isinstance(error, DiskFull)
            fail(session, lease, error.message, retry=retry, outlast=outlast, at=at)
    except (Conflict, Unavailable) as lost:
        # The lease runs out by itself, and the job is then taken over.
        log.warning("the failure could not be recorded", job=str(lease.job_id), reason=lost.message)
