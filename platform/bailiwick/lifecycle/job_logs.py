"""The log of a job: what its processes told on their way, kept in the database, the newest lines.

Of progress the stage and its figures; of standard error where it came from and which kind of
fault it tells of. Texts of rows can appear in messages of libraries, so messages are left out.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bailiwick.core.ids import new_id
from bailiwick.lifecycle.tables import Job, JobLogLine

KEPT_LINES = 1_000  # of each job
MAX_LINE = 500  # characters that the column holds
_READ_BYTES = 65_536  # of one process's standard error at a time
_FRAME = re.compile(r'\s*File "(?P<path>[^"]+)", line (?P<line>\d+),? in (?P<name>\S+)')
_WARNING = re.compile(r"(?P<path>\S+\.py):(?P<line>\d+): (?P<kind>\w+Warning)\b")
_FATAL = re.compile(r"Fatal Python error: (?P<kind>[\w ]+)")  # what faulthandler begins with
_KIND = re.compile(r"(?P<kind>[A-Za-z_][\w.]*)(:|$)")
_ROOTS = frozenset({"site-packages", "platform"})  # where packages lie


def add_lines(
    session: Session, job_id: UUID, lines: Sequence[str], *, attempt: int, at: datetime
) -> None:
    """Add to the log of a job, unless another attempt has begun; the oldest lines go."""
    lines = lines[-KEPT_LINES:]
    if not lines or session.scalar(select(Job.attempt).where(Job.id == job_id)) != attempt:
        return
    mine = JobLogLine.job_id == job_id
    last = session.scalar(select(func.max(JobLogLine.number)).where(mine)) or 0
    session.add_all(
        JobLogLine(
            id=new_id(), job_id=job_id, number=number, at=at, attempt=attempt, line=line[:MAX_LINE]
        )
        for number, line in enumerate(lines, last + 1)
    )
    forgotten = last + len(lines) - KEPT_LINES
    if forgotten > 0:
        session.execute(delete(JobLogLine).where(mine, JobLogLine.number <= forgotten))


def log_lines(
    session: Session, job_id: UUID, *, after: int | None, limit: int
) -> Sequence[JobLogLine]:
    """At most `limit` lines, oldest first: those after number `after`, or the last ones."""
    mine = select(JobLogLine).where(JobLogLine.job_id == job_id)
    if after is None:
        newest = session.scalars(mine.order_by(JobLogLine.number.desc()).limit(limit)).all()
        return newest[::-1]
    following = mine.where(JobLogLine.number > after).order_by(JobLogLine.number)
    return session.scalars(following.limit(limit)).all()


def told(progress: Mapping[str, Any]) -> str:
    """One line of progress: its stage, how far it is, and its figures.

    >>> told({"stage": "train", "step": 3, "steps": 9, "loss": 0.25})
    'train 3/9 loss=0.25'
    """
    figures = {
        name: value
        for name, value in progress.items()
        if isinstance(value, int | float) and name not in ("step", "steps")
    }
    parts = [str(progress.get("stage", "working"))]
    if "step" in progress and "steps" in progress:
        parts.append(f"{progress['step']}/{progress['steps']}")
    return " ".join(parts + [f"{name}={value:g}" for name, value in figures.items()])


def faults(errors: str) -> Iterator[str]:
    r"""Places and kinds in what a Python process wrote to standard error; nothing else of it.

    >>> wrote = 'File "/srv/platform/bailiwick/a.py", line 3, in fit'
    >>> list(faults(f"{wrote}\nValueError: what a row says\nand more of it"))
    ['at bailiwick/a.py:3 in fit', 'ValueError']
    """
    in_traceback = False
    for line in errors.splitlines():
        if fatal := _FATAL.match(line):
            yield fatal["kind"]
        elif frame := _FRAME.match(line):
            in_traceback = True
            yield f"at {_place(frame)} in {frame['name']}"
        elif warning := _WARNING.match(line):
            yield f"{warning['kind']} at {_place(warning)}"
        elif in_traceback and not line.startswith(" "):  # its source is indented
            in_traceback = False
            if kind := _KIND.match(line):
                yield kind["kind"]


def faults_told(folder: Path) -> list[str]:
    """The `faults` that processes at work in `folder` wrote of; of much, the end."""
    return [fault for path in sorted(folder.glob("**/stderr.log")) for fault in faults(_end(path))]


def _end(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _READ_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:  # it was tidied away
        return ""


def _place(found: re.Match[str]) -> str:
    """The file from its package on, and the line."""
    parts = PurePath(found["path"]).parts
    known = [number for number, part in enumerate(parts) if part in _ROOTS]
    return f"{'/'.join(parts[known[-1] + 1 :] if known else parts[-1:])}:{found['line']}"
