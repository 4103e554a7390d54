"""Records that wait to be sent: append-only files in a folder, oldest first."""

import fcntl
import os
import tempfile
from pathlib import Path

from bailiwick.client.errors import ClientError, MisusedClient

PIECE_BYTES = 2 * 1024**2
SUFFIX = ".ndjson"


class SpoolFull(ClientError):
    """As many records wait as may; nothing was kept of the one that was being logged."""


class Spool:
    """One process appends lines and takes away whole files. Not thread-safe by itself.

    What `append` has returned from survives the end of the process, not that of the machine.
    Without a folder a temporary one is used.
    """

    def __init__(self, folder: Path | None, *, max_bytes: int, piece_records: int) -> None:
        self.is_temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="bailiwick-records-"))
        self._max_bytes = max_bytes
        self._piece_records = piece_records
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _locked(self.folder)
        self._open: int | None = None  # the file that is being written
        self._records = 0
        self._sizes = {path: _mended(path) for path in sorted(self.folder.glob(f"*{SUFFIX}"))}
        self._sizes = {path: size for path, size in self._sizes.items() if size}
        self._waiting = sum(self._sizes.values())
        self._next = 1 + max((int(path.stem) for path in self._sizes), default=0)

    @property
    def waiting_bytes(self) -> int:
        """What waits to be sent."""
        return self._waiting

    @property
    def has_whole_piece(self) -> bool:
        """Whether a file is there that takes no more."""
        return len(self._sizes) > (self._open is not None)

    def append(self, line: bytes) -> None:
        """Write a line, whole or not at all; `SpoolFull` over the limit or on a full disk."""
        if self.waiting_bytes + len(line) > self._max_bytes:
            raise SpoolFull(
                f"{self.waiting_bytes:,} bytes of records wait to be sent, which is the limit; see "
                "why the API does not take them (`last_error`), or allow more with max_bytes"
            )
        descriptor = self._begin() if self._open is None else self._open
        path = self._path(self._next - 1)
        try:
            written = os.write(descriptor, line)
        except OSError as error:
            written = -1
            reason = error.strerror
        else:
            reason = "the disk is full"
        if written != len(line):
            os.ftruncate(descriptor, self._sizes[path])
            raise SpoolFull(f"a record cannot be written to {self.folder} ({reason})")
        self._sizes[path] += len(line)
        self._waiting += len(line)
        self._records += 1
        if self._records >= self._piece_records or self._sizes[path] >= PIECE_BYTES:
            self.seal()

    def seal(self) -> None:
        """Begin another file with the next line."""
        if self._open is not None:
            os.close(self._open)
            self._open = None

    def oldest(self) -> Path | None:
        """The file to send next; it takes no more lines from now on."""
        if not self._sizes:
            return None
        if len(self._sizes) == 1:
            self.seal()
        return min(self._sizes)

    def forget(self, path: Path) -> None:
        """Delete what has been acknowledged."""
        path.unlink()
        self._waiting -= self._sizes.pop(path)

    def close(self) -> None:
        """Give the folder back; a temporary one goes away once it is empty."""
        self.seal()
        os.close(self._lock)
        if self.is_temporary and not self._sizes:
            (self.folder / "lock").unlink()
            self.folder.rmdir()

    def _begin(self) -> int:
        path = self._path(self._next)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        try:
            descriptor = self._open = os.open(path, flags, 0o600)
        except OSError as error:
            raise SpoolFull(f"no file can be made in {self.folder} ({error.strerror})") from error
        self._sizes[path] = self._records = 0
        self._next += 1
        return descriptor

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:016d}{SUFFIX}"


def _locked(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise MisusedClient(
            f"another recorder uses the folder {folder}; give each process one of its own"
        ) from error
    return descriptor


def _mended(path: Path) -> int:
    """The size of a file that was left, cut back to its last whole line; 0 and gone if empty."""
    whole = path.read_bytes().rfind(b"\n") + 1
    if whole:
        os.truncate(path, whole)
    else:
        path.unlink()
    return whole
