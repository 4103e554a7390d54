"""An export is proved, and every way of tampering with one is found."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bailiwick.audit import export
from bailiwick.audit.checkpoint import Checkpoint, Signer
from bailiwick.audit.export import Header, VerificationError, VerificationReport, verify
from bailiwick.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of
from bailiwick.core.canonical import canonical_bytes

ORIGIN = "bailiwick.example/audit"


def a_signer(seed: int) -> Signer:
    return Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


SIGNER, STRANGER = a_signer(1), a_signer(2)
HEADER = Header(ORIGIN, SIGNER.vkey)
LEAVES = [canonical_bytes({"action": "model:create", "n": n, "name": "Ä€\n"}) for n in range(10)]


def a_note(size: int, leaves: list[bytes] = LEAVES, signer: Signer = SIGNER) -> str:
    root = root_of(leaf_hash(leaf) for leaf in leaves[:size])
    return signer.sign(Checkpoint(ORIGIN, size, root))


def an_export(
    leaves: list[bytes] = LEAVES, sizes: tuple[int, ...] = (4, 10), signer: Signer = SIGNER
) -> bytes:
    stream = io.BytesIO()
    notes = [a_note(size, leaves, signer) for size in sizes]
    export.write(stream, Header(ORIGIN, signer.vkey), leaves, notes)
    return stream.getvalue()


def check(content: bytes, **options: Any) -> VerificationReport:
    return verify(io.BytesIO(content), **{"trusted_vkey": SIGNER.vkey} | options)


# The lines of an_export(): 0 header, 1-4 leaves 0-3, 5 checkpoint, 6-11 leaves 4-9, 12 checkpoint.
LINES = an_export().splitlines(keepends=True)


def test_an_untouched_export_is_proved() -> None:
    assert check(b"".join(LINES)) == VerificationReport(
        origin=ORIGIN,
        vkey=SIGNER.vkey,
        key_trusted=True,
        size=10,
        root=root_of(map(leaf_hash, LEAVES)).hex(),
        checkpoints=2,
        continues_size=None,
    )


def test_every_leaf_stands_in_the_file_as_its_exact_canonical_text() -> None:
    found = [json.loads(line) for line in LINES if b'"event"' in line]
    assert [entry["index"] for entry in found] == list(range(10))
    assert [entry["event"].encode() for entry in found] == LEAVES


def test_a_compressed_export_is_proved_and_its_stream_left_open() -> None:
    stream = io.BytesIO(gzip.compress(b"".join(LINES)))
    assert verify(stream, trusted_vkey=SIGNER.vkey).size == 10
    assert not stream.closed


def test_a_log_without_leaves_is_proved_by_its_first_checkpoint() -> None:
    report = check(an_export([], (0,)))
    assert (report.size, report.root) == (0, EMPTY_ROOT.hex())


def test_without_a_trusted_key_the_report_says_that_the_key_came_from_the_file() -> None:
    assert not check(b"".join(LINES), trusted_vkey=None).key_trusted
    assert not check(an_export(signer=STRANGER), trusted_vkey=None).key_trusted


@pytest.mark.parametrize("size", [0, 4, 7, 10])
def test_an_export_continues_any_checkpoint_that_was_ever_signed(size: int) -> None:
    report = check(b"".join(LINES), earlier_checkpoint=a_note(size))
    assert report.continues_size == size


def event_of(line: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(json.loads(line)["event"])
    return entry


def a_line(index: int, event: Any) -> bytes:
    text = event if isinstance(event, str) else canonical_bytes(event).decode()
    return canonical_bytes({"event": text, "index": index}) + b"\n"


def changed(lines: list[bytes]) -> list[bytes]:
    lines[8] = a_line(6, event_of(lines[8]) | {"action": "model:update"})
    return lines


def renumbered(lines: list[bytes]) -> list[bytes]:
    """Leaves given the indexes that their places ask for, as a careful forger would."""
    index, result = 0, []
    for line in lines:
        entry = json.loads(line)
        if "event" in entry:
            result.append(a_line(index, entry["event"]))
            index += 1
        else:
            result.append(line)
    return result


def forged_checkpoint(lines: list[bytes]) -> list[bytes]:
    lines = changed(lines)
    leaves = [json.loads(line)["event"].encode() for line in lines if b'"event"' in line]
    note = a_note(10, leaves).split("\n\n")[0] + "\n\n" + a_note(10).split("\n\n")[1]
    return [*lines[:12], canonical_bytes({"checkpoint": note}) + b"\n"]


def unsorted_keys(lines: list[bytes]) -> list[bytes]:
    text = json.dumps(event_of(lines[3]), separators=(",", ":"), ensure_ascii=True)
    return [*lines[:3], a_line(2, text), *lines[4:]]


STRANGERS = an_export(signer=STRANGER).splitlines(keepends=True)
EXTRA = a_line(10, {"n": 10})

TAMPERING: list[tuple[str, Callable[[list[bytes]], list[bytes]], int, str]] = [
    ("a changed leaf", changed, 4, "changed, swapped, inserted or dropped"),
    ("a dropped leaf", lambda x: x[:7] + x[8:], 5, "leaf 6 where 5 should be"),
    ("a dropped leaf, renumbered", lambda x: renumbered(x[:7] + x[8:]), 4, "over 10 .* after 9"),
    ("two swapped leaves", lambda x: [*x[:7], x[8], x[7], *x[9:]], 5, "leaf 6 where 5"),
    ("swapped and renumbered", lambda x: renumbered([*x[:7], x[8], x[7], *x[9:]]), 4, "swapped"),
    ("an inserted leaf", lambda x: [*x[:7], a_line(5, {"n": 5}), *x[7:]], 6, "leaf 5 where 6"),
    ("inserted and renumbered", lambda x: renumbered([*x[:3], EXTRA, *x[3:]]), 0, "4 .* after 5"),
    ("a duplicate index", lambda x: [*x[:3], x[2], *x[3:]], 2, "leaf 1 where 2 should be"),
    ("an appended leaf", lambda x: [*x, EXTRA], 10, "no checkpoint covers it"),
    ("a cut after a leaf", lambda x: x[:9], 4, "no checkpoint covers it"),
    ("a cut within a line", lambda x: [*x[:8], x[8][:20]], 6, "cut off"),
    ("a cut before any checkpoint", lambda x: x[:5], 0, "holds no checkpoint"),
    ("a header alone", lambda x: x[:1], 0, "holds no checkpoint"),
    ("an empty file", lambda x: x[:0], 0, "file is empty"),
    ("no header", lambda x: x[1:], 0, "does not begin with a header"),
    ("a second header", lambda x: [*x[:2], x[0], *x[2:]], 1, "neither a leaf nor a checkpoint"),
    ("another key's export", lambda _: STRANGERS, 0, "the trusted key is"),
    ("another key's checkpoint", lambda x: [*x[:12], STRANGERS[12]], 4, "not signed by"),
    ("a forged checkpoint", forged_checkpoint, 4, "signature is wrong"),
    ("checkpoints swapped", lambda x: [*x[:5], x[12], *x[6:12], x[5]], 0, "10 .* stands after 4"),
    ("a checkpoint out of place", lambda x: [*x[:5], *x[6:], x[5]], 10, "4 leaves stands after 10"),
    ("a garbage line", lambda x: [*x[:5], b"garbage\n", *x[5:]], 4, "not a JSON object"),
    ("an empty line", lambda x: [*x[:5], b"\n", *x[5:]], 4, "not a JSON object"),
    ("binary garbage", lambda x: [*x[:5], b"\xff\xfe\x00\n", *x[5:]], 4, "not a JSON object"),
    ("a list for a line", lambda x: [*x[:5], b'[["event",1]]\n', *x[5:]], 4, "not a JSON object"),
    ("deep nesting", lambda x: [*x[:5], b"[" * 200_000 + b"\n", *x[5:]], 4, "not a JSON object"),
    ("a name twice", lambda x: [*x[:4], b'{"index":9,' + x[4][1:], *x[5:]], 3, "each name once"),
    ("an unknown name", lambda x: [*x[:4], b'{"x":9,' + x[4][1:], *x[5:]], 3, "neither a leaf"),
    ("an endless line", lambda x: [*x[:4], b'{"event":"' + b"x" * 600_000], 3, "too long"),
    ("a spelling that is not canonical", unsorted_keys, 2, "canonical form"),
    ("an event that is no JSON", lambda x: [*x[:4], a_line(3, "{"), *x[5:]], 3, "not JSON"),
    ("an event that is no number", lambda x: [*x[:4], a_line(3, "NaN"), *x[5:]], 3, "canonical"),
    ("an event that is no text", lambda x: [*x[:4], b'{"event":5,"index":3}\n'], 3, "not a text"),
    ("half a character", lambda x: [*x[:4], b'{"event":"\\ud800","index":3}\n'], 3, "not JSON"),
    ("true for an index", lambda x: [*x[:2], x[2].replace(b":1}", b":true}")], 1, "leaf True"),
    ("a checkpoint that is no text", lambda x: [*x[:5], b'{"checkpoint":5}\n'], 4, "not a text"),
    ("a checkpoint that is no note", lambda x: [*x[:5], b'{"checkpoint":"5"}\n'], 0, "signed note"),
    ("a leaf beyond the limit", lambda x: [*x[:4], a_line(3, ["x" * 65_536])], 3, "too long"),
]  # fmt: skip


@pytest.mark.parametrize(("tamper", "index", "says"), [t[1:] for t in TAMPERING],
                         ids=[t[0] for t in TAMPERING])  # fmt: skip
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_tampering_is_found_and_the_first_unproved_leaf_named(
    tamper: Callable[[list[bytes]], list[bytes]],
    index: int,
    says: str,
    compress: Callable[[bytes], bytes],
) -> None:
    content = b"".join(tamper(list(LINES)))
    assert content != b"".join(LINES)
    with pytest.raises(VerificationError, match=says) as info:
        check(compress(content))
    assert info.value.index == info.value.details["index"] == index


def test_a_checkpoint_after_every_leaf_names_exactly_the_changed_one() -> None:
    lines = an_export(sizes=tuple(range(1, 11))).splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if line.endswith(b'"index":6}\n'))
    lines[place] = a_line(6, {"n": "other"})
    with pytest.raises(VerificationError) as info:
        check(b"".join(lines))
    assert info.value.index == 6


def test_every_single_byte_matters() -> None:
    content = bytearray(b"".join(LINES))
    for position in range(len(content)):
        content[position] ^= 1
        with pytest.raises(VerificationError):
            check(bytes(content))
        content[position] ^= 1


def test_a_compressed_file_cut_anywhere_or_damaged_is_refused() -> None:
    content = gzip.compress(b"".join(LINES), mtime=0)
    for end in range(2, len(content), 7):
        with pytest.raises(VerificationError):
            check(content[:end])
    with pytest.raises(VerificationError, match="damaged"):
        check(content[:-8] + bytes(4) + content[-4:])
    with pytest.raises(VerificationError, match="damaged"):
        check(content[:10] + b"\xff" * 20 + content[30:])


def test_a_log_rewritten_and_signed_anew_is_found_by_a_kept_checkpoint() -> None:
    rewritten = [canonical_bytes({"n": -1}), *LEAVES[1:]]
    with pytest.raises(VerificationError, match="rewritten since") as info:
        check(an_export(rewritten), earlier_checkpoint=a_note(4))
    assert info.value.index == 0
    with pytest.raises(VerificationError, match="rewritten since") as info:
        check(an_export([*LEAVES[:5], *rewritten[:5]]), earlier_checkpoint=a_note(7))
    assert info.value.index == 4


def test_a_log_cut_back_to_an_older_checkpoint_is_found_by_a_kept_one_only() -> None:
    older = b"".join(LINES[:6])
    assert check(older).size == 4
    with pytest.raises(VerificationError, match="cut off") as info:
        check(older, earlier_checkpoint=a_note(10))
    assert info.value.index == 4


def test_a_kept_checkpoint_by_another_key_or_log_is_refused() -> None:
    for note in (a_note(4, signer=STRANGER), "nonsense"):
        with pytest.raises(VerificationError):
            check(b"".join(LINES), earlier_checkpoint=note)


@pytest.mark.parametrize("vkey", ["", "nonsense", STRANGER.vkey])
def test_a_wrong_trusted_key_never_falls_back_to_the_key_in_the_file(vkey: str) -> None:
    with pytest.raises(VerificationError):
        check(b"".join(LINES), trusted_vkey=vkey)


@pytest.mark.parametrize("value", [5, None, "x"])
@pytest.mark.parametrize("name", ["format", "origin", "vkey"])
def test_a_header_with_a_wrong_value_is_refused(name: str, value: object) -> None:
    header = canonical_bytes(json.loads(LINES[0]) | {name: value}) + b"\n"
    for trusted in (None, SIGNER.vkey):
        with pytest.raises(VerificationError):
            check(header + b"".join(LINES[1:]), trusted_vkey=trusted)


def test_an_export_is_only_written_when_leaves_and_checkpoints_end_together() -> None:
    with pytest.raises(VerificationError, match="sign one before exporting"):
        an_export(sizes=(4,))
    with pytest.raises(VerificationError, match="missing") as info:
        export.write(io.BytesIO(), HEADER, LEAVES[:9], [a_note(10)])
    assert info.value.index == 9


def test_a_long_log_is_written_and_proved_in_bounded_memory() -> None:
    count = 20_000
    frontier = Frontier()

    def leaves() -> Iterator[bytes]:
        for n in range(count):
            leaf = canonical_bytes({"n": n, "padding": "x" * 500})
            frontier.append(leaf_hash(leaf))
            yield leaf

    for _ in leaves():
        pass
    note = SIGNER.sign(Checkpoint(ORIGIN, count, frontier.root()))

    class Lines(io.RawIOBase):
        """The export, made while it is read: more than 10 MB that nobody holds."""

        source = export.lines(replace(HEADER), leaves(), [note])
        rest = b""

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.rest = self.rest or next(self.source, b"")
            part, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
            buffer[: len(part)] = part
            return len(part)

    tracemalloc.start()
    try:
        report = verify(Lines(), trusted_vkey=SIGNER.vkey)  # type: ignore[arg-type]  # a raw stream
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.size == count
    assert peak_bytes < 1_000_000
