"""Requests and labels of a deployment, as numbers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bailiwick.monitoring import (
    Inference,
    Outcome,
    WindowRow,
    log_feedback,
    log_inferences,
    read_window,
)
from bailiwick.registry import Deployment, served_version
from factories import Factory

START = datetime(2026, 1, 1, tzinfo=UTC)
FOREVER = START + timedelta(days=10_000)


def inference(number: int, **changes: Any) -> Inference:
    """The request of hour `number`."""
    values: dict[str, Any] = {
        "record_id": f"r{number:05}",
        "at": START + timedelta(hours=number),
        "prediction": "Fuel" if number % 2 else "Travel",
        "confidence": 0.5 + number / 1_000,
        "characters": number,
        "words": 1,
        "unseen_words_ratio": 0.0,
        "text": None,
    } | changes
    return Inference(**values)


class Traffic:
    """What happens to one deployment."""

    def __init__(self, make: Factory, deployment: Deployment) -> None:
        self.make = make
        self.deployment = deployment
        self.version = served_version(make.session, deployment)

    def ask(self, *inferences: Inference, at: datetime = START) -> tuple[int, int]:
        """Log them; how many were new and how many known."""
        session, identifier = self.make.session, self.deployment.id
        vault = self.make.platform.texts
        accepted = log_inferences(
            session, identifier, self.version.id, inferences, vault=vault, at=at
        )
        return accepted.new, accepted.known

    def tell(self, at: datetime, **labels: str) -> tuple[int, int]:
        """Send labels at a moment; how many were new and how many known."""
        accepted = log_feedback(
            self.make.session,
            self.deployment.id,
            [Outcome(record_id, label) for record_id, label in labels.items()],
            actor_id=self.make.engineer.id,
            at=at,
        )
        return accepted.new, accepted.known

    def window(self, **changes: Any) -> Sequence[WindowRow]:
        """All of it, or what the changes say."""
        options = {"start": START, "end": FOREVER, "known_at": FOREVER} | changes
        return read_window(self.make.session, self.deployment.id, **options)
