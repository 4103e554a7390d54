"""Files that processes which died left behind: rows and weights do not outlive their work.

Whoever works tidies up itself; this is for those that were killed before they could.
"""

import contextlib
import shutil
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from bailiwick.lifecycle.jobs import JobState
from bailiwick.lifecycle.platform import Platform
from bailiwick.lifecycle.tables import Job

LAST_WORDS = "stderr.log"
UPLOAD = "upload-"  # how folders are named in which files of requests are taken apart
DAY_SECONDS = 86_400


def clear_leftovers(platform: Platform) -> None:
    """Remove the files of attempts that are over, and others that nobody has touched for a day.

    No upload, segment or blob takes a day to write. Ages are the file system's, which the
    platform's clock need not agree with.
    """
    work = platform.settings.work_folder
    for folder in _ended_attempts(platform, work / "jobs"):
        tidy(folder)
    for path in [
        *work.glob(f"{UPLOAD}*"),
        *(work / "segments").glob("*"),
        *platform.blobs.incoming(),
    ]:
        with contextlib.suppress(FileNotFoundError):  # its process lives, and has just removed it
            if time.time() - path.stat().st_mtime > DAY_SECONDS:
                _remove(path)


def tidy(folder: Path) -> None:
    """Empty an attempt's folder; what its process last said stays, if it said anything."""
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.name != LAST_WORDS or not path.stat().st_size:
                _remove(path)
    with contextlib.suppress(OSError):  # not empty: the last words stay
        folder.rmdir()


def _ended_attempts(platform: Platform, folder: Path) -> list[Path]:
    """Folders named after an attempt that is not under way any more."""
    found = {path.name: path for path in folder.glob("*")}
    if not found:
        return []
    with platform.database.reading() as session:
        query = select(Job.id, Job.attempt).where(Job.state == JobState.RUNNING)
        running = {name_of(*attempt) for attempt in session.execute(query)}
    return [found[name] for name in found.keys() - running]


def name_of(job_id: UUID, attempt: int) -> str:
    """The name of an attempt's folder."""
    return f"{job_id}-{attempt}"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
