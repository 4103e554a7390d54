"""An audit log as one file that anyone can verify without us and without a network.

NDJSON, optionally gzipped: a header, then every leaf in order, each checkpoint standing right
after the last leaf that it covers, so that one pass in bounded memory proves everything:

    {"format": "bailiwick-audit-export/1", "origin": "…", "vkey": "…"}
    {"event": "<canonical JSON of leaf 0, as a string>", "index": 0}
    {"checkpoint": "<signed note>"}

A file cannot prove that nothing follows it: cut off behind an older checkpoint, it is a true
picture of the past. Whoever keeps a checkpoint from elsewhere detects that, too.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import rfc8785

from bailiwick.audit.checkpoint import Checkpoint, Verifier, parse_and_verify
from bailiwick.audit.merkle import Frontier, ProofError, leaf_hash
from bailiwick.core.canonical import canonical_bytes

FORMAT = "bailiwick-audit-export/1"
MAX_LEAF_BYTES = 65_535
#: A leaf may grow sixfold when it is quoted; a longer line is not worth reading.
MAX_LINE_BYTES = 8 * MAX_LEAF_BYTES
GZIP_MAGIC = b"\x1f\x8b"


class VerificationError(ProofError):
    """The export does not prove the log; `index` is the first leaf that is not proved."""

    code = "export-not-proved"

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(f"The export is wrong at leaf {index}: {problem}", index=index)
        self.index = index


@dataclass(frozen=True, slots=True)
class Header:
    """Which log the export is of, and the public key that its checkpoints claim."""

    origin: str
    vkey: str


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What an export proved: all `size` leaves stand under `root` (hexadecimal).

    `key_trusted` is False when the key came from the file itself: then the file agrees with
    itself, but says nothing about who wrote it. `continues_size` is the size of the earlier
    checkpoint that the log was shown to continue.
    """

    origin: str
    vkey: str
    key_trusted: bool
    size: int
    root: str
    checkpoints: int
    continues_size: int | None


def lines(header: Header, leaves: Iterable[bytes], checkpoints: Iterable[str]) -> Iterator[bytes]:
    """The lines of an export, for streaming; leaves end with the last checkpoint.

    `leaves` are the canonical bytes from index 0, `checkpoints` signed notes by rising size.
    Raises `VerificationError` when leaves and checkpoints do not end together.
    """
    yield _line({"format": FORMAT, "origin": header.origin, "vkey": header.vkey})
    index, remaining = 0, iter(leaves)
    for note in checkpoints:
        size = Checkpoint.parse(note).size
        while index < size:
            leaf = next(remaining, None)
            if leaf is None:
                raise VerificationError(index, "it is missing, a checkpoint covers it.")
            yield _line({"event": leaf.decode("utf-8"), "index": index})
            index += 1
        yield _line({"checkpoint": note})
    if next(remaining, None) is not None:
        raise VerificationError(index, "no checkpoint covers it; sign one before exporting.")


def write(
    stream: BinaryIO, header: Header, leaves: Iterable[bytes], checkpoints: Iterable[str]
) -> None:
    """Write an export to a binary stream (a `gzip.GzipFile` for the compressed form)."""
    stream.writelines(lines(header, leaves, checkpoints))


def verify(
    stream: BinaryIO, *, trusted_vkey: str | None = None, earlier_checkpoint: str | None = None
) -> VerificationReport:
    """Prove an export, plain or gzipped, in one pass; raises `VerificationError`.

    Shown: indexes without gaps, canonical bytes, every checkpoint's signature and root, a
    checkpoint over the last leaf, and that the log continues `earlier_checkpoint`, a signed
    note kept by whoever verifies. Without `trusted_vkey` the file's own key is used.
    """
    proof = _Verification(trusted_vkey, earlier_checkpoint)
    try:
        with _opened(stream) as source:
            while line := source.readline(MAX_LINE_BYTES):
                proof.take(line)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise proof.wrong("the compressed file is damaged or ends too early.") from error
    return proof.report()


class _Verification:
    """What one pass has seen so far."""

    def __init__(self, trusted_vkey: str | None, earlier_checkpoint: str | None) -> None:
        self._trusted_vkey = trusted_vkey
        self._earlier_note = earlier_checkpoint
        self._earlier: Checkpoint | None = None
        self._verifier: Verifier | None = None
        self._frontier = Frontier()
        self._proved = 0
        self._checkpoints = 0

    def wrong(self, problem: str) -> VerificationError:
        """The error for the leaf that comes next."""
        return VerificationError(self._frontier.size, problem)

    def take(self, line: bytes) -> None:
        """One line of the file, newline included."""
        entry = self._parsed(line)
        if self._verifier is None:
            self._verifier = self._take_header(entry)
            self._compare_with_earlier()
        elif set(entry) == {"event", "index"}:
            self._take_leaf(entry["index"], entry["event"])
        elif set(entry) == {"checkpoint"}:
            self._take_checkpoint(self._verifier, entry["checkpoint"])
        else:
            raise self.wrong("a line is neither a leaf nor a checkpoint.")

    def report(self) -> VerificationReport:
        """The result at the end of the file."""
        if self._verifier is None:
            raise self.wrong("the file is empty; it should begin with a header.")
        if not self._checkpoints:
            raise VerificationError(0, "the file holds no checkpoint, so nothing in it is signed.")
        if self._proved < self._frontier.size:
            raise VerificationError(
                self._proved, "no checkpoint covers it and what follows: added, or cut off."
            )
        if self._earlier is not None and self._earlier.size > self._frontier.size:
            raise self.wrong(
                f"it is missing: the earlier checkpoint covers {self._earlier.size} leaves, "
                "so the end of the log was cut off, or the export is older than the checkpoint."
            )
        return VerificationReport(
            self._verifier.name,
            str(self._verifier),
            self._trusted_vkey is not None,
            self._frontier.size,
            self._frontier.root().hex(),
            self._checkpoints,
            None if self._earlier is None else self._earlier.size,
        )

    def _parsed(self, line: bytes) -> dict[str, Any]:
        if not line.endswith(b"\n"):
            raise self.wrong("its line is cut off or too long.")
        try:
            pairs = json.loads(line, object_pairs_hook=list)
            entry = dict(pairs)
        except (ValueError, TypeError, RecursionError) as error:
            raise self.wrong("its line is not a JSON object.") from error
        if not line.startswith(b"{") or len(entry) < len(pairs):
            raise self.wrong("its line is not a JSON object with each name once.")
        return entry

    def _take_header(self, entry: dict[str, Any]) -> Verifier:
        if set(entry) != {"format", "origin", "vkey"} or entry["format"] != FORMAT:
            raise self.wrong(f"the file does not begin with a header of format {FORMAT}.")
        try:
            trusted = self._trusted_vkey
            verifier = Verifier.parse(str(entry["vkey"]) if trusted is None else trusted)
            if self._earlier_note is not None:
                self._earlier = parse_and_verify(self._earlier_note, verifier)
        except ProofError as error:
            raise self.wrong(f"before it, {error.message}") from error
        if (entry["origin"], entry["vkey"]) != (verifier.name, str(verifier)):
            raise self.wrong(
                f"the file claims log {entry['origin']!r} and key {entry['vkey']!r}, "
                f"the trusted key is {verifier}."
            )
        return verifier

    def _take_leaf(self, index: object, event: object) -> None:
        expected = self._frontier.size
        if type(index) is not int or index != expected:
            raise self.wrong(f"the file has leaf {index!r} where {expected} should be.")
        if not isinstance(event, str):
            raise self.wrong("its event is not a text.")
        try:
            leaf = event.encode("utf-8")
            canonical = canonical_bytes(json.loads(leaf))
        except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
            raise self.wrong("its event is not JSON that has a canonical form.") from error
        if canonical != leaf or len(leaf) > MAX_LEAF_BYTES:
            raise self.wrong("its event is not in canonical form (RFC 8785), or too long.")
        self._frontier.append(leaf_hash(leaf))
        self._compare_with_earlier()

    def _take_checkpoint(self, verifier: Verifier, note: object) -> None:
        if not isinstance(note, str):
            raise self.wrong("the checkpoint before it is not a text.")
        try:
            checkpoint = parse_and_verify(note, verifier)
        except ProofError as error:
            raise VerificationError(self._proved, error.message) from error
        size = self._frontier.size
        if checkpoint.size != size:
            raise VerificationError(
                self._proved,
                f"a checkpoint over {checkpoint.size} leaves stands after {size}: "
                "leaves are missing, added, or in the wrong place.",
            )
        if checkpoint.root != self._frontier.root():
            raise VerificationError(
                self._proved,
                f"the signed root over {size} leaves is another: a leaf from {self._proved} to "
                f"{size - 1} was changed, swapped, inserted or dropped.",
            )
        self._proved = size
        self._checkpoints += 1

    def _compare_with_earlier(self) -> None:
        earlier, size = self._earlier, self._frontier.size
        if earlier is None or earlier.size != size or earlier.root == self._frontier.root():
            return
        raise VerificationError(
            self._proved,
            f"the earlier checkpoint has another root over {size} leaves: "
            "the log was rewritten since.",
        )


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[io.BufferedIOBase]:
    """The stream, decompressed if need be; it stays open and is the caller's to close."""
    buffered = io.BufferedReader(cast("io.RawIOBase", stream))
    try:
        is_gzip = buffered.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        yield gzip.GzipFile(fileobj=buffered) if is_gzip else buffered
    finally:
        buffered.detach()


def _line(value: dict[str, Any]) -> bytes:
    return canonical_bytes(value) + b"\n"
