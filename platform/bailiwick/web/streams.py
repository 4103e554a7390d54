"""A request's body as a file that a thread reads: bounded memory, whatever it weighs."""

import gzip
import io
import zlib
from collections.abc import AsyncIterator
from typing import IO, cast

import pyarrow as pa
from anyio import from_thread
from fastapi import Request

from bailiwick.core.errors import Invalid, TooLarge

AHEAD_BYTES = 8 * 1024**2  # what is fetched before a thread is taken for the rest
MAX_READ_BYTES = 64 * 1024**2  # what a body may ask to have in memory at once


class UnsupportedMedia(Invalid):
    """The body is of a kind that this address does not read."""

    code = "unsupported-media-type"


class RequestBody(io.RawIOBase):
    """The bytes as they come. Made in the event loop, read in a worker thread."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._chunks: AsyncIterator[bytes] = request.stream()
        self._kept = bytearray()
        self._ended = False

    async def fetch(self, size: int) -> None:
        """Wait for `size` bytes, or the end."""
        while len(self._kept) < size and not self._ended:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                self._ended = True
            else:
                self._kept += chunk

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """`size` bytes, fewer only at the end; all of them if it is negative."""
        if size < 0:
            parts = []
            while part := self.read(AHEAD_BYTES):
                parts.append(part)
            return b"".join(parts)
        if len(self._kept) < size and not self._ended:
            from_thread.run(self.fetch, size)
        found = bytes(self._kept[:size])
        del self._kept[:size]
        return found


class Decoded(io.RawIOBase):
    """The body without its content encoding, at most `limit_bytes` of it."""

    def __init__(self, source: IO[bytes], limit_bytes: int) -> None:
        super().__init__()
        self._source = source
        self._limit_bytes = self._left_bytes = limit_bytes

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """`size` bytes, fewer only at the end."""
        if size > MAX_READ_BYTES:
            raise TooLarge(
                f"a batch may have {MAX_READ_BYTES:,} bytes; send smaller ones, if this is not "
                "just no Arrow stream"
            )
        size = min(size if size >= 0 else self._left_bytes + 1, self._left_bytes + 1)
        try:
            found = self._source.read(size)
            while len(found) < size and (more := self._source.read(size - len(found))):
                found += more
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            raise Invalid("the body is not encoded as Content-Encoding says") from error
        self._left_bytes -= len(found)
        if self._left_bytes < 0:
            raise TooLarge(
                f"this request may have {self._limit_bytes:,} bytes, decompressed; send it in "
                "several parts"
            )
        return found


async def open_body(request: Request, *, limit_bytes: int) -> IO[bytes]:
    """The body of a request as a file for a thread, decompressed; its beginning is there.

    Raises `UnsupportedMedia` for an encoding that is not known.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    body = RequestBody(request)
    if encoding not in {"identity", "gzip", "zstd"}:
        raise UnsupportedMedia("Content-Encoding can be gzip, zstd or identity")
    await body.fetch(AHEAD_BYTES)
    source = cast("IO[bytes]", body)
    if encoding == "gzip":
        source = cast("IO[bytes]", gzip.GzipFile(fileobj=source))
    elif encoding == "zstd":
        source = cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(body, "r"), "zstd"))
    return cast("IO[bytes]", Decoded(source, limit_bytes))


def media_type(request: Request) -> str:
    """What kind of body the request has, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def read_whole(body: IO[bytes], limit_bytes: int) -> bytes:
    """All of a body that must be held in memory, or `TooLarge`."""
    parts, left = [], limit_bytes
    while part := body.read(AHEAD_BYTES):
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise TooLarge(
                f"a JSON body may have {limit_bytes:,} bytes; send several, or NDJSON, which may "
                "be longer"
            )
    return b"".join(parts)
