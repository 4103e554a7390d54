"""Reading a request's body piece by piece: JSON, NDJSON, and Arrow IPC streams.

A reader yields batches of bounded size, so that a body of any length needs the memory of one.
What is wrong with one record is a fault of that record; what is wrong with the body as a whole
is `Invalid` and names no values.
"""

from collections.abc import Iterator
from typing import IO, Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.intake.records import Batch, read_lines

MAX_JSON_RECORDS = 10_000
BLOCK_BYTES = 4 * 1024**2  # of NDJSON: what is read, stored and committed together
MAX_LINE_BYTES = 256 * 1024


class JsonBody(msgspec.Struct, forbid_unknown_fields=True):
    """Records, and the version that answered if it is not the one that is served."""

    records: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=MAX_JSON_RECORDS)]
    version_id: UUID | None = None


_body = msgspec.json.Decoder(JsonBody)


def read_json(content: bytes) -> tuple[Batch, UUID | None]:
    """The records of a JSON body, and the version that it names."""
    try:
        body = _body.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(
            "the body is no JSON object with `records`, a list of 1 to "
            f"{MAX_JSON_RECORDS:,} objects, and perhaps `version_id`"
        ) from error
    return read_lines(body.records, 0), body.version_id


def read_ndjson(body: IO[bytes]) -> Iterator[Batch]:
    """The records of a body with one JSON object a line; empty lines are no records."""
    start = 0
    for block in _whole_lines(body):
        lines = [line for line in block.split(b"\n") if line and not line.isspace()]
        if any(len(line) > MAX_LINE_BYTES for line in lines):
            raise Invalid(
                f"a line is longer than {MAX_LINE_BYTES:,} bytes; the records of earlier pieces "
                "were taken, so correct it and send all again"
            )
        if lines:
            yield read_lines(lines, start)
            start += len(lines)
    if start == 0:
        raise Invalid("the body holds no records; send one JSON object a line")


def _whole_lines(body: IO[bytes]) -> Iterator[bytes]:
    """Blocks that end where a line does."""
    rest = b""
    while block := body.read(BLOCK_BYTES):
        if len(block) < BLOCK_BYTES:  # the last
            yield rest + block
            return
        cut = block.rfind(b"\n") + 1
        if cut:
            yield rest + block[:cut]
            rest = block[cut:]
        else:
            rest += block
        if len(rest) > MAX_LINE_BYTES:
            yield rest  # too long to be a record
    if rest:
        yield rest
