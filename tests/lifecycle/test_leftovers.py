"""Files that killed processes left: removed once nobody can want them, and not before."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.jobs import Lease, claim
from bailiwick.lifecycle.leftovers import DAY_SECONDS, clear_leftovers, name_of
from factories import Factory
from support.lifecycle_world import queue_job

ROWS, WORDS = "train.parquet", "stderr.log"


@pytest.fixture
def held(platform: Platform) -> Lease:
    """A job that a worker has begun."""
    with platform.database.transaction() as session:
        queue_job(Factory(session, platform))
        lease = claim(session, owner="first", lease_seconds=60, at=platform.clock.now())
    assert lease is not None
    return lease


def attempt(platform: Platform, lease: Lease, *, said: str = "") -> Path:
    """The folder of an attempt with rows, weights and what its process last said."""
    folder = platform.settings.work_folder / "jobs" / name_of(lease.job_id, lease.attempt)
    (folder / "artifact").mkdir(parents=True)
    (folder / "artifact" / "model.safetensors").write_bytes(b"weights")
    (folder / ROWS).write_bytes(b"rows")
    (folder / WORDS).write_text(said)
    return folder


def test_rows_and_weights_stay_while_their_attempt_is_under_way(
    platform: Platform, held: Lease
) -> None:
    folder = attempt(platform, held)
    clear_leftovers(platform)
    assert (folder / ROWS).exists()


def test_they_go_once_another_attempt_has_begun_and_last_words_stay(
    platform: Platform, held: Lease, clock: ReplayClock
) -> None:
    silent = attempt(platform, held)
    clock.advance_to(clock.now() + timedelta(minutes=2))
    with platform.database.transaction() as session:
        second = claim(session, owner="second", lease_seconds=60, at=clock.now())
    assert second is not None
    running = attempt(platform, second)
    clear_leftovers(platform)
    assert (silent.exists(), (running / ROWS).exists()) == (False, True)
    talkative = attempt(platform, held, said="KeyError")
    clear_leftovers(platform)
    assert [path.name for path in talkative.iterdir()] == [WORDS]


@pytest.mark.parametrize("age_days", [0, 2])
def test_what_is_half_written_goes_when_nobody_has_touched_it_for_a_day(
    platform: Platform, age_days: int
) -> None:
    work, blobs = platform.settings.work_folder, platform.blobs
    kept = blobs.put_bytes(b"a blob")
    upload, segment = work / "upload-x", work / "segments" / "y.parquet"
    incoming, artifacts = blobs.root / ".incoming-z", work / "artifacts"
    for folder in (upload, segment.parent, artifacts):
        folder.mkdir(parents=True)
    for file in (upload / "arrived", segment, incoming, artifacts / "model"):
        file.write_bytes(b"rows")
    then = time.time() - age_days * DAY_SECONDS
    for path in (*work.rglob("*"), *blobs.root.rglob("*")):
        os.utime(path, (then, then))
    clear_leftovers(platform)
    gone = [not path.exists() for path in (upload, segment, incoming)]
    assert gone == [bool(age_days)] * 3
    assert (artifacts / "model").exists()
    assert blobs.read_bytes(kept) == b"a blob"


def test_without_any_folder_there_is_nothing_to_clear(platform: Platform) -> None:
    clear_leftovers(platform)
    assert not platform.settings.work_folder.exists()
