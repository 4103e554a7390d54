"""Requests that are fine, for tests that change one thing about them."""

from typing import Any

from bailiwick.core.resources import bundled
from bailiwick.policy import read_bundle

LABEL: dict[str, Any] = {
    "level": "confidential",
    "compartments": ["finance"],
    "residency": ["eu"],
    "purposes": ["accounting"],
}
CSV = b"day,merchant,cost_centre,category\n" + b"".join(
    f"2025-01-{1 + number % 28:02},Shop {number},CC{number % 3},Fuel\n".encode()
    for number in range(40)
)
SPEC = {"text": "merchant,cost_centre", "label": "category", "date": "day"}
# The shipped bundle with a comment more.
POLICIES = {name: content.decode() for name, content in read_bundle(bundled("policies")).items()}
POLICIES["duties.cedar"] += "// Another edition.\n"
EXCEPTION = {
    "reason": "figures for planning",
    "evidence": "no names in it",
    "expires_at": "2026-02-01T00:00:00Z",
}
FEATURES = {"merchant": "Shop 1", "cost_centre": "CC1"}


def relabelling(**changes: Any) -> dict[str, Any]:
    """A label that rises to the top, and why."""
    return {"label": LABEL | {"level": "restricted"}, "reason": "learned more"} | changes


def model(name: str = "notes", **changes: Any) -> dict[str, Any]:
    """A new model."""
    return {"namespace": "finance", "name": name, "label": LABEL} | changes


def instances(*record_ids: str | None) -> dict[str, Any]:
    """Rows to classify, one for each record id."""
    rows = [{"features": FEATURES, "record_id": record_id} for record_id in record_ids]
    return {"instances": rows}


def waiver(subject: dict[str, Any], label: dict[str, Any] = LABEL, **more: Any) -> dict[str, Any]:
    """That something may be used for one purpose more, until February."""
    lower = label | {"purposes": [*label["purposes"], "analytics"]}
    return {"subject": subject, "kind": "declassification", "label": lower} | EXCEPTION | more


def excuse(model: str, version: int, gate: str = "min_accuracy") -> dict[str, Any]:
    """That a version need not pass a gate, until February."""
    subject = {"type": "model-version", "model": model, "version": version}
    return {"subject": subject, "kind": "gate", "gate": gate} | EXCEPTION


def delegation(to: str = "steward", **changes: Any) -> dict[str, Any]:
    """A voice lent until February."""
    return {
        "to": to,
        "namespace": "finance",
        "reason": "on leave",
        "until": "2026-02-01T00:00:00Z",
    } | changes


def channel(name: str = "fresh", **changes: Any) -> dict[str, Any]:
    """A webhook that may be told names of what is public."""
    return {
        "name": name,
        "kind": "webhook",
        "address": "https://hooks.example.com/alerts",
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "clearance_level": "public",
    } | changes


def silence(deployment_id: str, /, **changes: Any) -> dict[str, Any]:
    """Quiet about a deployment until the middle of January."""
    return {
        "deployment_id": deployment_id,
        "reason": "maintenance",
        "ends_at": "2026-01-15T00:00:00Z",
    } | changes


def spans_of_days() -> dict[str, Any]:
    """Two weeks, one after the other: the second is the quiet one before `NOW`."""
    return {
        "before": {"start": "2025-12-27T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
        "after": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-05T00:00:00Z"},
    }


def days_to_label() -> dict[str, Any]:
    """Ten requests of the quiet week."""
    return {"start": "2025-12-30T00:00:00Z", "end": "2026-01-04T00:00:00Z", "rows": 10}


def baseline() -> dict[str, Any]:
    """Of the first week of the year."""
    return {"first": "2026-01-01T00:00:00Z", "end": "2026-01-08T00:00:00Z", "reason": "x"}


def spans(deployment: str, *spans: dict[str, Any]) -> dict[str, Any]:
    """An OTLP request of one resource: these spans, or one of a chat."""
    resource = {"attributes": [attribute("bailiwick.deployment", deployment)]}
    scopes = [{"scope": {"name": "app"}, "spans": list(spans) or [span()]}]
    return {"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}


def span(number: int = 1, **attributes: Any) -> dict[str, Any]:
    """A chat of a second on New Year's Day 2026, with these attributes (`.` written `__`)."""
    given = {"gen_ai.operation.name": "chat", "bailiwick.prediction": "Fuel"}
    given |= {name.replace("__", "."): value for name, value in attributes.items()}
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat coder",
        "kind": 3,
        "startTimeUnixNano": "1767225600000000000",
        "endTimeUnixNano": "1767225601250000000",
        "attributes": [attribute(name, value) for name, value in given.items()],
        "status": {},
    }


def attribute(name: str, value: Any) -> dict[str, Any]:
    """As OTLP writes it in JSON."""
    kinds: dict[type, str] = {str: "stringValue", float: "doubleValue", bool: "boolValue"}
    if isinstance(value, list):
        values = [attribute("", one)["value"] for one in value]
        return {"key": name, "value": {"arrayValue": {"values": values}}}
    if type(value) is int:
        return {"key": name, "value": {"intValue": str(value)}}
    return {"key": name, "value": {kinds[type(value)]: value}}
