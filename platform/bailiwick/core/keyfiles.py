"""Key files: written whole or not at all, readable by their owner alone, made once."""

import os
from pathlib import Path
from uuid import uuid4


def create_once(path: Path, content: bytes) -> None:
    """Write a new file beside `path` and link it there: complete or absent, first one wins.

    The folder is made with mode 0700 if it is not there, the file with mode 0600.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
        _sync_folder(path.parent)
    except FileExistsError:
        return  # another process was first
    finally:
        fresh.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
