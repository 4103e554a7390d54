"""The audit log, and its proof."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from bailiwick.client.capability import Capability
from bailiwick.client.shapes import AuditEvent, Checkpoint, Verification


class Audit(Capability):
    """The log of everything that changed, and the proof that it was not touched."""

    def events(
        self, *, action: str | None = None, subject_id: str | None = None
    ) -> Iterator[AuditEvent]:
        """The log's events, newest first."""
        return self._http.items("/audit/events", action=action, subject_id=subject_id)

    def checkpoint(self) -> Checkpoint:
        """The newest signed checkpoint. Keep it: it proves later that nothing was cut off."""
        return cast("Checkpoint", self._http.get("/audit/checkpoint"))

    def verification(self) -> Verification:
        """Recompute the whole log where it stands."""
        return cast("Verification", self._http.get("/audit/verification"))

    def export(self, file: str | Path) -> Path:
        """Write the whole log to a file that anyone can verify without the API."""
        target = Path(file)
        self._http.download("/audit/export", target)
        return target
