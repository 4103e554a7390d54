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
        if _holds_exactly(target, version.manifest):
            return target
        shutil.rmtree(target, ignore_errors=True)  # another process may be at it too
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


def _holds_exactly(folder: Path, manifest: list[dict[str, Any]]) -> bool:
    """Whether the manifest's files are there unchanged, and nothing beside them."""
    expected = {str(file["path"]): str(file["sha256"]) for file in manifest}
    try:
        found = {
            str(path.relative_to(folder)): file_digest(path)
            for path in folder.rglob("*")
            if not path.is_dir()
        }
    except FileNotFoundError:  # another process is replacing the folder
        return False
    return found == expected
