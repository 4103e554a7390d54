"""A job's log: stages, figures, kinds and places; never what a row says, and never without end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import JobState, Platform, execution, run_next
from bailiwick.lifecycle.children import JobProcessFailed
from bailiwick.lifecycle.execution import _Beat
from bailiwick.lifecycle.job_logs import KEPT_LINES, MAX_LINE, add_lines, faults, log_lines, told
from bailiwick.lifecycle.jobs import Lease
from bailiwick.lifecycle.tables import Job, JobLogLine
from factories import Factory
from support.lifecycle_world import queue_job

SECRET = "zanzibar garage 4711"
TRACEBACK = f"""/srv/lib/site-packages/evidently/core.py:12: UserWarning: {SECRET}
  warnings.warn(text)
{SECRET}
Traceback (most recent call last):
  File "/srv/platform/bailiwick/training/run.py", line 60, in main
    run(spec, print_progress)
  File "/opt/venv/lib/site-packages/torch/nn/functional.py", line 9, in linear
    return _linear(input)
  File "<string>", line 1, in <module>
torch.OutOfMemoryError: {SECRET}
{SECRET}
ZanzibarError: {SECRET}
"""


def lines(session: Session, job: Job, *, after: int | None = None, limit: int = 100) -> list[str]:
    return [one.line for one in log_lines(session, job.id, after=after, limit=limit)]


def test_of_what_a_process_complains_places_and_kinds_are_told_and_no_word_more() -> None:
    assert list(faults(TRACEBACK)) == [
        "UserWarning at evidently/core.py:12",
        "at bailiwick/training/run.py:60 in main",
        "at torch/nn/functional.py:9 in linear",
        "at <string>:1 in <module>",
        "torch.OutOfMemoryError",
    ]


def test_a_crash_in_native_code_is_told_with_its_place() -> None:
    crash = [sys.executable, "-X", "faulthandler", "-c", "import ctypes; ctypes.string_at(0)"]
    wrote = subprocess.run(crash, capture_output=True, text=True, check=False).stderr
    kind, place, end = faults(wrote)
    assert kind == "Segmentation fault"
    assert re.fullmatch(r"at __init__\.py:\d+ in string_at", place)
    assert end == "at <string>:1 in <module>"


def test_progress_is_a_stage_with_its_figures() -> None:
    assert told({"stage": "evaluate", "step": 0, "steps": 1}) == "evaluate 0/1"
    assert told({"stage": "trial"}) == "trial"
    assert told({"step": 1, "loss": 0.123456789, "text": SECRET}) == "working loss=0.123457"


def test_lines_are_counted_over_attempts_and_the_oldest_go(make: Factory, session: Session) -> None:
    job = queue_job(make)
    add_lines(session, job.id, ["first", "x" * 9_999], attempt=0, at=make.at)
    assert lines(session, job) == ["first", "x" * MAX_LINE]
    many = [f"line {number}" for number in range(KEPT_LINES + 5)]
    add_lines(session, job.id, many, attempt=0, at=make.at)
    add_lines(session, job.id, ["last"], attempt=0, at=make.at)
    count = select(func.count()).select_from(JobLogLine)
    assert session.scalar(count) == KEPT_LINES
    newest = log_lines(session, job.id, after=None, limit=2)
    assert [one.line for one in newest] == [many[-1], "last"]
    assert newest[-1].number == KEPT_LINES + 3
    assert lines(session, job, after=newest[0].number) == ["last"]
    assert lines(session, job, after=newest[-1].number) == []


def test_an_attempt_that_is_over_adds_nothing(make: Factory, session: Session) -> None:
    job = queue_job(make)
    job.attempt = 2
    add_lines(session, job.id, ["from the dead"], attempt=1, at=make.at)
    assert lines(session, job) == []


def test_an_attempt_leaves_its_progress_and_the_places_of_its_fault(
    platform: Platform, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def carry_out(_: Platform, lease: Lease, folder: Path, beat: _Beat) -> None:
        assert lease.attempt == 1
        for step in (1, 1, 2):
            beat({"stage": "train", "step": step, "steps": 2, "loss": 0.5})
        inner = folder / "refits-0"
        inner.mkdir()
        (inner / "stderr.log").write_text(TRACEBACK)
        raise JobProcessFailed("it died")

    monkeypatch.setattr(execution, "carry_out_check", carry_out)
    with platform.database.transaction() as session:
        job_id = queue_job(Factory(session, platform)).id
    assert run_next(platform, owner="w")
    with platform.database.reading() as session:
        job = session.get_one(Job, job_id)
        assert job.state == JobState.QUEUED
        kept = log_lines(session, job_id, after=None, limit=100)
    assert [one.line for one in kept[:2]] == ["train 1/2 loss=0.5", "train 2/2 loss=0.5"]
    assert [one.line for one in kept[2:]] == list(faults(TRACEBACK))
    assert {(one.attempt, one.at) for one in kept} == {(1, clock.now())}
    assert SECRET.split(maxsplit=1)[0] not in " ".join(one.line for one in kept).lower()
