"""Disks of their own for installations: small file systems in memory, which really fill up.

Only root may mount one, and not on every machine: `why_not` says why, and tests are skipped.
"""

import ctypes
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

DISK_BYTES = 96 * 1024**2
PAGE_BYTES = 4_096
ROOM_BYTES = 4 * PAGE_BYTES  # of a disk that is nearly full: some writes succeed by half
_PIECES = (1024**2, PAGE_BYTES, 1)
_BALLAST = "ballast"
_MNT_DETACH = 2
_LIBRARY = ctypes.CDLL(None, use_errno=True)


@cache
def why_not() -> str:
    """Why no disk can be mounted here; empty if one can."""
    if not sys.platform.startswith("linux"):
        return "only Linux mounts file systems in memory"
    try:
        with mounted():
            return ""
    except OSError as error:
        return f"no file system can be mounted here ({error.strerror}): run it as root"


@contextmanager
def mounted() -> Iterator[Path]:
    """An empty disk, which anybody may look into; gone afterwards with all that is on it."""
    folder = Path(tempfile.mkdtemp(prefix="bailiwick-disk-"))
    try:
        kind = b"tmpfs"
        options = f"size={DISK_BYTES},mode=755".encode()
        if _LIBRARY.mount(kind, os.fsencode(folder), kind, 0, options):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            _LIBRARY.umount2(os.fsencode(folder), _MNT_DETACH)
    finally:
        folder.rmdir()


def fill(disk: Path, *, but_bytes: int = 0) -> None:
    """Write until nothing more can be written, then give back so many bytes."""
    with (disk / _BALLAST).open("ab", buffering=0) as ballast:
        for piece in _PIECES:
            try:
                while ballast.write(b"\1" * piece) == piece:
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        ballast.truncate(max(0, ballast.tell() - but_bytes))


def make_room(disk: Path) -> None:
    """Take away what filled it."""
    (disk / _BALLAST).unlink(missing_ok=True)
