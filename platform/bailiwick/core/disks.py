"""What disks do: they fill up, and after a power cut they know only what was synced.

`fsync` of a file keeps its bytes, that of its folder its name.
"""

import errno
import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` as they are now survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, mode: int = 0o777) -> None:
    """Make `folder`, and those above it that are missing; their names survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True, mode=mode)
    sync_folder(folder.parent)


def is_full(error: BaseException) -> bool:
    """Whether a disk was full, or one's share of it; some libraries say so in words alone.

    >>> is_full(OSError(errno.ENOSPC, "")), is_full(OSError(errno.ENOENT, ""))
    (True, False)
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "No space left on device" in str(error)
