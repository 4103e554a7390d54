"""The blob store: what comes out is what went in, or an error that says what to do."""

import errno
import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bailiwick.blobs import BlobStore, CorruptBlob
from bailiwick.core.errors import NotFound, Unavailable

MEBIBYTE = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "not" / "made" / "yet")


def files_in(store: BlobStore) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, 3 * MEBIBYTE + 1])
def test_bytes_files_and_streams_come_back_under_their_sha256(
    store: BlobStore, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    source = tmp_path / "source"
    source.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert store.put_bytes(data) == digest
    assert store.put_file(source) == digest
    assert store.put_stream(io.BytesIO(data)) == digest
    assert store.read_bytes(digest) == data
    assert files_in(store) == [store.path_of(digest)]


def test_one_changed_bit_is_found_and_the_blob_is_not_used(store: BlobStore) -> None:
    digest = store.put_bytes(b"weights")
    path = store.path_of(digest)
    path.write_bytes(b"weighty")
    for read in (store.read_bytes, store.verified_path):
        with pytest.raises(CorruptBlob, match=f"{digest[:12]}… is damaged.* restore"):
            read(digest)


def test_a_truncated_blob_is_found(store: BlobStore) -> None:
    digest = store.put_bytes(b"weights")
    store.path_of(digest).write_bytes(b"")
    with pytest.raises(CorruptBlob):
        store.read_bytes(digest)


def test_a_missing_blob_says_to_restore_it(store: BlobStore) -> None:
    with pytest.raises(NotFound, match="missing from the blob store; restore it"):
        store.read_bytes("0" * 64)


def test_what_breaks_off_leaves_nothing_behind(store: BlobStore) -> None:
    class BreaksOff(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise ConnectionResetError
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        store.put_stream(BreaksOff(b"x" * 2 * MEBIBYTE))
    assert files_in(store) == []


def test_concurrent_writers_of_the_same_bytes_all_succeed_and_one_file_stays(
    store: BlobStore,
) -> None:
    data = os.urandom(2 * MEBIBYTE)
    together = threading.Barrier(8)
    digests: list[str] = []

    def write() -> None:
        together.wait()
        digests.append(store.put_stream(io.BytesIO(data)))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests == [hashlib.sha256(data).hexdigest()] * 8
    assert files_in(store) == [store.path_of(digests[0])]
    assert store.read_bytes(digests[0]) == data


def test_a_reader_never_sees_half_a_blob(store: BlobStore) -> None:
    data = os.urandom(MEBIBYTE)
    digest = hashlib.sha256(data).hexdigest()

    class Watches(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert not store.path_of(digest).exists()
            return super().read(size)

    store.put_stream(Watches(data))
    assert store.read_bytes(digest) == data


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of one mebibyte, where one may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="bailiwick-small-disk-"))
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not mount or not umount or subprocess.run([mount, *options], check=False).returncode:
        folder.rmdir()
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run([umount, str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_says_so_and_leaves_it_as_it_was(small_disk: Path) -> None:
    store = BlobStore(small_disk / "blobs")
    kept = store.put_bytes(b"kept")
    with pytest.raises(Unavailable, match=r"full; nothing was kept: free some space"):
        store.put_stream(io.BytesIO(os.urandom(2 * MEBIBYTE)))
    assert files_in(store) == [store.path_of(kept)]
    assert store.read_bytes(kept) == b"kept"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "give this process write access"),
        (errno.EACCES, "give this process write access"),
    ],
)
def test_what_the_disk_refuses_at_the_last_moment_is_explained(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(Unavailable, match=advice):
        store.put_bytes(b"data")
    assert files_in(store) == []
