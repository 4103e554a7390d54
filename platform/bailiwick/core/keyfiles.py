"""Key files: written whole or not at all, readable by their owner alone, made once.

What a key has sealed is lost with it, so the file survives a power cut before anybody uses it.
"""

import contextlib
import os
from pathlib import Path
from uuid import uuid4

from bailiwick.core.disks import make_folder, sync_folder


def create_once(path: Path, content: bytes) -> None:
    """Write a new file beside `path` and link it there: complete or absent, first one wins.

    The folder is made with mode 0700 if it is not there, the file with mode 0600.
    """
    make_folder(path.parent, mode=0o700)
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first
            path.hardlink_to(fresh)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Put a file with `content` in the place of `path`: one or the other, even at a power cut."""
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    create_once(fresh, content)
    try:
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)
