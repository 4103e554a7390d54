"""A content-addressed store in a local folder.

A blob's name is the SHA-256 of its bytes, so what is read can be verified and the same
bytes are kept once. Writing is atomic: a temporary file, `fsync`, then a rename. What `put_…`
has returned survives a power cut, name and all: rows that name a blob are committed after it.
"""

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bailiwick.core.disks import is_full, make_folder, sync_folder
from bailiwick.core.errors import BailiwickError, DiskFull, NotFound, Unavailable

CHUNK_BYTES = 1024 * 1024
_INCOMING = ".incoming-"


class CorruptBlob(BailiwickError):
    """Bytes that do not have the digest under which they are kept."""

    code = "corrupt-blob"


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class BlobStore:
    """Blobs in `root/ab/abcdef…`; safe for several processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path_of(self, digest: str) -> Path:
        """Where that blob is, or would be."""
        return self.root / digest[:2] / digest

    def put_bytes(self, data: bytes) -> str:
        """Keep `data`; its digest."""
        digest = hashlib.sha256(data).hexdigest()
        if not self._has(digest):
            with self._incoming() as (stream, temporary):
                stream.write(data)
                self._keep(stream, temporary, digest)
        return digest

    def put_file(self, source: Path) -> str:
        """Keep a copy of the file; its digest, taken from the very bytes that were copied."""
        with source.open("rb") as reader:
            return self.put_stream(reader)

    def put_stream(self, reader: BinaryIO) -> str:
        """Keep everything that `reader` yields; its digest."""
        hasher = hashlib.sha256()
        with self._incoming() as (stream, temporary):
            while chunk := reader.read(CHUNK_BYTES):
                hasher.update(chunk)
                stream.write(chunk)
            digest = hasher.hexdigest()
            if not self._has(digest):
                self._keep(stream, temporary, digest)
        return digest

    def verified_path(self, digest: str) -> Path:
        """The blob's file after its bytes were checked; `NotFound` or `CorruptBlob`."""
        path = self.path_of(digest)
        try:
            actual = file_digest(path)
        except FileNotFoundError as error:
            raise NotFound(
                f"blob {digest[:12]}… is missing from the blob store; restore it from a backup"
            ) from error
        if actual != digest:
            raise CorruptBlob(
                f"blob {digest[:12]}… is damaged: its bytes have another digest. It is not used; "
                "restore that file of the blob store from a backup"
            )
        return path

    def read_bytes(self, digest: str) -> bytes:
        """A small blob's bytes, verified."""
        return self.verified_path(digest).read_bytes()

    def remove(self, digest: str) -> None:
        """Forget a blob, if it is there. Whoever calls it knows that nothing refers to it."""
        self.path_of(digest).unlink(missing_ok=True)

    def incoming(self) -> list[Path]:
        """Files that are being written, and those whose process died over them."""
        return list(self.root.glob(f"{_INCOMING}*"))

    @contextlib.contextmanager
    def _incoming(self) -> Iterator[tuple[BinaryIO, Path]]:
        temporary = None
        try:
            make_folder(self.root)
            with tempfile.NamedTemporaryFile(
                dir=self.root, prefix=_INCOMING, delete=False
            ) as stream:
                temporary = Path(stream.name)
                yield stream, temporary  # type: ignore[misc]  # a wrapper that is a BinaryIO
        except OSError as error:
            if is_full(error):
                raise DiskFull(
                    "the disk of the blob store is full; nothing was kept: free some space in "
                    "the folder of BAILIWICK_BLOB_URL, then try again"
                ) from error
            if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
                raise Unavailable(
                    "the blob store cannot be written; give this process write access to the "
                    "folder of BAILIWICK_BLOB_URL"
                ) from error
            raise
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    def _keep(self, stream: BinaryIO, temporary: Path, digest: str) -> None:
        stream.flush()
        os.fsync(stream.fileno())
        target = self.path_of(digest)
        make_folder(target.parent)
        temporary.replace(target)
        sync_folder(target.parent)

    def _has(self, digest: str) -> bool:
        """Whether the blob is kept; whoever wrote it may have died before its name was safe."""
        path = self.path_of(digest)
        if not path.exists():
            return False
        sync_folder(path.parent)
        return True
