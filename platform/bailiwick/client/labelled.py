"""How right a deployment's answers are by labels, and how that is watched."""

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from bailiwick.client.capability import Capability
from bailiwick.client.deployments import Deployments
from bailiwick.client.references import path
from bailiwick.client.shapes import LabelCheck, Labelled, LabelReference, Page
from bailiwick.client.transport import Transport


class LabelledTraffic(Capability):
    """Accuracy over time, figures and classes from labels; judged steps, and what they held to."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def overview(
        self,
        deployment: str,
        *,
        by: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Labelled:
        """By `day`, `week` or `month`; default: the 90 days up to the newest label."""
        query = {
            "by": by,
            "start": start.isoformat() if start else None,
            "end": end.isoformat() if end else None,
        }
        return cast("Labelled", self._http.get(self._at(deployment), **query))

    def windows_page(
        self, deployment: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[LabelCheck]:
        """One page of the steps that were judged, newest first."""
        found = self._http.get(self._at(deployment, "windows"), limit=limit, cursor=cursor)
        return cast("Page[LabelCheck]", found)

    def windows(self, deployment: str) -> Iterator[LabelCheck]:
        """All steps that were judged, newest first."""
        return self._http.items(self._at(deployment, "windows"))

    def make_reference(
        self, deployment: str, *, first: datetime, end: datetime, reason: str
    ) -> LabelReference:
        """Hold labels to the requests from `first` until before `end` from now on."""
        body = {"first": first.isoformat(), "end": end.isoformat(), "reason": reason}
        made = self._http.write("POST", self._at(deployment, "references"), body)
        return cast("LabelReference", made)

    def _at(self, deployment: str, *more: str) -> str:
        return path("deployments", self._deployments.id_of(deployment), "labels", *more)
