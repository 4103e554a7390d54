"""What everything is called in the story, and how it is labelled."""

from typing import Any

NAMESPACE = "finance"
MODEL = f"{NAMESPACE}/purchase-coder"
DATASET = f"{NAMESPACE}/purchases"
PURPOSE = "accounting"
LABEL = {
    "level": "confidential",
    "compartments": ["finance"],
    "residency": ["eu", "uk"],
    "purposes": [PURPOSE, "fraud-detection"],
}


def deployment_wish(name: str, environment: str, *, pinned: int | None) -> dict[str, Any]:
    """The body by which a deployment of the story's model is asked for."""
    return {
        "namespace": NAMESPACE,
        "name": name,
        "model": MODEL,
        "environment": environment,
        "purpose": PURPOSE,
        "keeps_text": environment == "ledger-uk",
        "pinned_version": pinned,
    }
