"""Feedback as clients send it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.intake.records import Short, worded

MAX_JSON_LABELS = 10_000


class Label(msgspec.Struct, forbid_unknown_fields=True):
    """The label that turned out to be right; null withdraws what was said before.

    Give the record's id, or the join key that its records carry.
    """

    label: Short | None
    record_id: Short | None = None
    join_key: Short | None = None


class JsonLabels(msgspec.Struct, forbid_unknown_fields=True):
    """Labels for earlier records."""

    feedback: Annotated[list[Label], Meta(min_length=1, max_length=MAX_JSON_LABELS)]


LABELS_SCHEMA: dict[str, Any] = msgspec.json.schema_components([Label], ref_template="{name}")[1][
    "Label"
]
_label = msgspec.json.Decoder(Label)
_labels = msgspec.json.Decoder(JsonLabels)


def read_labels(content: bytes, *, lines: bool) -> list[Label]:
    """All labels of a body, or `Invalid`: feedback is taken whole or not at all."""
    if lines:
        given = [line for line in content.split(b"\n") if line.strip()]
        labels = [_decoded(_label, line, f"line {place}: ") for place, line in enumerate(given, 1)]
    else:
        labels = _decoded(_labels, content, "").feedback
    if not labels:
        raise Invalid("the body holds no labels; send at least one")
    for place, label in enumerate(labels, 1):
        if (label.record_id is None) == (label.join_key is None):
            raise Invalid(f"label {place} names no record, or two; give record_id or join_key")
        if any("\0" in text for text in (label.label, label.record_id, label.join_key) if text):
            raise Invalid(f"label {place} holds a NUL character; correct it")
    return labels


def _decoded(decoder: Any, content: bytes, where: str) -> Any:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise Invalid(f"the request does not fit: {where}{worded(str(error))}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(f"the request does not fit: {where}this is no JSON") from error
