"""A version's files as a folder, every byte verified against the manifest."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from bailiwick.blobs import BlobStore, file_digest
from bailiwick.registry.tables import ModelVersion


def materialise(version: ModelVersion, blobs: BlobStore, folder: Path) -> Path:
    """A folder below `folder` that holds exactly the files of the version's manifest.

    The folder is named after the manifest's digest and appears whole or not at all. Each
    file's digest is checked on the way; `CorruptBlob` or `NotFound` name what is damaged.
    """
    target = folder / version.manifest_digest
    if target.is_dir():
        if all(_is_intact(target, file) for file in version.manifest):
            return target
        shutil.rmtree(target)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as temporary:
        staged = Path(temporary) / "artifact"
        for file in version.manifest:
            path = staged / str(file["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(blobs.verified_path(str(file["sha256"])), path)
        try:
            staged.rename(target)
        except OSError:
            if not target.is_dir():  # another process was faster: its folder is the same
                raise
    return target


def _is_intact(folder: Path, file: dict[str, Any]) -> bool:
    path = folder / str(file["path"])
    return path.is_file() and file_digest(path) == file["sha256"]
