"""OpenTelemetry spans of generative AI as records (OTLP/HTTP with JSON).

The attributes are those of OpenTelemetry's semantic conventions for generative AI (`gen_ai.*`),
and a few of ours: `bailiwick.deployment` on the resource; `bailiwick.prediction`,
`bailiwick.segment.NAME` and the names of a record's other fields (`bailiwick.confidence`) on the
span. Prompts and answers are measured here; an answer is never kept, a prompt where text is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from bailiwick.core.errors import Invalid
from bailiwick.monitoring.intake.records import MAX_TEXT
from bailiwick.texts import REFUSALS, is_refusal, measures_of, repetition_ratio

DEPLOYMENT = "bailiwick.deployment"
OURS, GENERATIVE, SEGMENT = "bailiwick.", "gen_ai.", "bailiwick.segment."
# What was asked: by the conventions of today, and by older ones.
PROMPTS = ("gen_ai.input.messages", "gen_ai.prompt")
ANSWERS = ("gen_ai.output.messages", "gen_ai.completion")
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
OUTPUT_TOKENS = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_COPIED = (
    "confidence",
    "join_key",
    "subject",
    "mean_log_probability",
    "language",
    "entropy",
    "embedding",
    "refusal",
    "repetition_ratio",
)
_SPAN_ID = re.compile(r"[0-9a-fA-F]{16}")
_SAID = (
    "the body is no OTLP trace request in JSON: an object with `resourceSpans`, as exporters with "
    "the protocol http/json send it"
)


class Span(msgspec.Struct, rename="camel"):
    """What is looked at of a span; 64-bit integers may come as text."""

    span_id: str = ""
    trace_id: str = ""
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[dict[str, Any]] = []


class _Scope(msgspec.Struct):
    spans: list[Span] = []


class _Resource(msgspec.Struct):
    attributes: list[dict[str, Any]] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_spans: list[_Scope] = []


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] = []


_request = msgspec.json.Decoder(_Request)


@dataclass
class Traces:
    """The generative spans by the deployment that their resource names, and how many others."""

    by_deployment: dict[str, list[Span]] = field(default_factory=dict)
    ignored: int = 0


def read_traces(content: bytes) -> Traces:
    """The spans of an export request; `Invalid` if it is none."""
    try:
        request = _request.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(_SAID) from error
    traces = Traces()
    for one in request.resource_spans:
        named = _attributes(one.resource.attributes).get(DEPLOYMENT)
        for span in (span for scope in one.scope_spans for span in scope.spans):
            if isinstance(named, str) and any(_is_generative(span)):
                traces.by_deployment.setdefault(named, []).append(span)
            else:
                traces.ignored += 1
    return traces


def record_of(span: Span, *, keeps_text: bool, refusals: Sequence[str] = REFUSALS) -> bytes:
    """A span as the JSON record that it stands for; what it lacks, the record lacks.

    What the span says of itself stands before what is measured here.
    """
    given = _attributes(span.attributes)
    start, end = _number(span.start_time_unix_nano), _number(span.end_time_unix_nano)
    prompt = next((_text(given[name]) for name in PROMPTS if name in given), None)
    answer = next((_text(given[name]) for name in ANSWERS if name in given), None)
    reasons = given.get(FINISH_REASONS)
    prediction = given.get(f"{OURS}prediction")
    if prediction is None and isinstance(reasons, list) and reasons:
        prediction = reasons[0]
    record: dict[str, Any] = {
        "record_id": span.span_id.lower() if _SPAN_ID.fullmatch(span.span_id) else "",
        "at": None if end is None else _moment(end),
        "prediction": prediction,
        "latency_ms": None if start is None or end is None else (end - start) / 1e6,
        "tokens": next((given[name] for name in OUTPUT_TOKENS if name in given), None),
        **(_asked(prompt, given) if prompt is not None else {}),
        **(_answered(answer, refusals) if answer else {}),
        "text": prompt[:MAX_TEXT] if keeps_text and prompt else None,
        "segments": {
            name.removeprefix(SEGMENT): value
            for name, value in given.items()
            if name.startswith(SEGMENT)
        },
        "join_key": span.trace_id.lower(),
        **{name: given[OURS + name] for name in _COPIED if OURS + name in given},
    }
    return msgspec.json.encode({name: value for name, value in record.items() if _said(value)})


def _asked(prompt: str, given: Mapping[str, Any]) -> dict[str, Any]:
    measures = measures_of(prompt)
    tokens = next((_number(given[name]) for name in INPUT_TOKENS if name in given), None)
    per_word = tokens / measures.words if tokens is not None and measures.words else None
    return asdict(measures) | {"tokens_per_word": per_word}


def _answered(answer: str, refusals: Sequence[str]) -> dict[str, Any]:
    return {
        "refusal": is_refusal(answer, refusals),
        "repetition_ratio": repetition_ratio(answer),
    }


def _said(value: Any) -> bool:
    return value is not None and value not in ("", {})


def _is_generative(span: Span) -> Iterator[bool]:
    return (str(one.get("key", "")).startswith(GENERATIVE) for one in span.attributes)


def _attributes(given: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        one["key"]: _value(one["value"])
        for one in given
        if isinstance(one.get("key"), str) and isinstance(one.get("value"), dict)
    }


def _value(given: Mapping[str, Any]) -> Any:
    """An `AnyValue`: JSON writes its 64-bit integers as text."""
    match dict(given):
        case {"intValue": value}:
            return _number(value)
        case {"arrayValue": {"values": list(values)}}:
            return [_value(one) for one in values if isinstance(one, dict)]
        case {"kvlistValue": {"values": list(values)}}:
            return _attributes([one for one in values if isinstance(one, dict)])
        case {"stringValue": value} | {"boolValue": value} | {"doubleValue": value}:
            return value
        case _:
            return None


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _moment(nanoseconds: int) -> str | None:
    """To the microsecond; none that no calendar has."""
    try:
        whole = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return whole.replace(microsecond=nanoseconds % 1_000_000_000 // 1_000).isoformat()


def _text(value: Any) -> str:
    """The words of messages, which come as JSON text or as structured values."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.MsgspecError:
            return str(value)
    return "\n".join(_words(value))


def _words(value: Any) -> Iterator[str]:
    """Depth first: `content` of messages and of their parts; a plain string is itself."""
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from _words(one)
        case dict():
            for name in ("parts", "content", "text"):
                if name in value:
                    yield from _words(value[name])
        case _:
            return
