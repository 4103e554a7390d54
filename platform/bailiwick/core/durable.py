"""Names that survive a power cut: `fsync` of a file keeps its bytes, that of a folder its names."""

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
