"""Job files on their way to another machine and back: bytes with their digests, no shared disk.

A job's inputs are named in its spec as `{"path": ...}`, files or folders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bailiwick.core.canonical import sha256_hex
from bailiwick.core.errors import Invalid

INPUTS = "inputs"
Spec = dict[str, Any]


class DamagedParcel(Invalid):
    """What arrived is not what was sent."""

    code = "damaged-parcel"


@dataclass(frozen=True, slots=True)
class Parcel:
    """Files by their path within a folder (POSIX), with the SHA-256 (hexadecimal) of each."""

    files: dict[str, bytes]
    digests: dict[str, str]

    @classmethod
    def of(cls, paths: dict[str, Path]) -> "Parcel":
        """The files at `paths`, by name."""
        files = {name: path.read_bytes() for name, path in paths.items()}
        return cls(files, {name: sha256_hex(content) for name, content in files.items()})

    def unpack(self, folder: Path) -> None:
        """Write the files into `folder`. Raises `DamagedParcel`, and then writes none."""
        if self.files.keys() != self.digests.keys():
            raise DamagedParcel("a file of the job is missing or one too many; start it again")
        for name, content in self.files.items():
            if sha256_hex(content) != self.digests[name]:
                raise DamagedParcel("a file of the job was changed on its way; start it again")
            if not (folder / name).resolve().is_relative_to(folder.resolve()):
                raise DamagedParcel("a file of the job names a place outside of its folder")
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def packed(spec: Spec) -> tuple[Spec, Parcel]:
    """The spec with its inputs' paths within a parcel, and the parcel."""
    paths: dict[str, Path] = {}

    def renamed(path: str) -> str:
        source, name = Path(path), f"{INPUTS}/{len(paths)}"
        if source.is_dir():
            within = (one for one in sorted(source.rglob("*")) if one.is_file())
            paths.update({f"{name}/{one.relative_to(source).as_posix()}": one for one in within})
        else:
            paths[name] = source
        return name

    return _with_paths(spec, renamed), Parcel.of(paths)


def unpacked(spec: Spec, parcel: Parcel, folder: Path) -> Spec:
    """The inverse: inputs below `folder`, the spec with their paths there."""
    parcel.unpack(folder)
    found: Spec = _with_paths(spec, lambda name: str(folder / name))
    return found


def made_in(folder: Path) -> Parcel:
    """All that a job process left in its `folder`."""
    made = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return Parcel.of({path.relative_to(folder).as_posix(): path for path in made})


def _with_paths(value: Any, renamed: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            key: renamed(one)
            if key == "path" and isinstance(one, str)
            else _with_paths(one, renamed)
            for key, one in value.items()
        }
    return [_with_paths(one, renamed) for one in value] if isinstance(value, list) else value
