"""Requests that are fine, for tests that change one thing about them."""

from typing import Any

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
FEATURES = {"merchant": "Shop 1", "cost_centre": "CC1"}


def model(name: str = "notes", **changes: Any) -> dict[str, Any]:
    """A new model."""
    return {"namespace": "finance", "name": name, "label": LABEL} | changes


def instances(*record_ids: str | None) -> dict[str, Any]:
    """Rows to classify, one for each record id."""
    rows = [{"features": FEATURES, "record_id": record_id} for record_id in record_ids]
    return {"instances": rows}
