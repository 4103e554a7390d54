"""How the traffic of a deployment is watched: baselines, judged windows, incidents."""

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from bailiwick.client.capability import Capability
from bailiwick.client.deployments import Deployments
from bailiwick.client.references import path
from bailiwick.client.shapes import Incident, Job, Page, TrafficBaseline, WatchedWindow, Watching
from bailiwick.client.transport import Transport


class Traffic(Capability):
    """Where watching stands, what it is held to, and the changes that it found."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def watching(self, deployment: str) -> Watching:
        """Where the watching of a deployment stands, and what it waits for."""
        return cast("Watching", self._http.get(self._at(deployment, "watching")))

    def windows_page(
        self,
        deployment: str,
        *,
        alarm: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[WatchedWindow]:
        """One page of the windows that were judged, newest first."""
        query = {"alarm": alarm, "limit": limit, "cursor": cursor}
        found = self._http.get(self._at(deployment, "windows"), **query)
        return cast("Page[WatchedWindow]", found)

    def windows(self, deployment: str, *, alarm: bool | None = None) -> Iterator[WatchedWindow]:
        """All windows that were judged, or only those that alarmed; newest first."""
        return self._http.items(self._at(deployment, "windows"), alarm=alarm)

    def baselines_page(
        self, deployment: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[TrafficBaseline]:
        """One page of its baselines, newest first."""
        query = {"limit": limit, "cursor": cursor}
        found = self._http.get(self._at(deployment, "baselines"), **query)
        return cast("Page[TrafficBaseline]", found)

    def make_baseline(
        self, deployment: str, *, first: datetime, end: datetime, reason: str
    ) -> TrafficBaseline:
        """Hold windows to the days from `first` until before `end` (UTC) from now on."""
        body = {"first": first.isoformat(), "end": end.isoformat(), "reason": reason}
        made = self._http.write("POST", self._at(deployment, "baselines"), body)
        return cast("TrafficBaseline", made)

    def compare(
        self,
        deployment: str,
        before: tuple[datetime, datetime],
        after: tuple[datetime, datetime],
        *,
        texts: bool = False,
    ) -> Job:
        """Have a classifier learn to tell two spans of traffic apart; the job's result says how.

        Spans are (start, end) in whole hours, UTC. With `texts` words are compared as well.
        """
        body = {"before": _span(before), "after": _span(after), "texts": texts}
        return cast("Job", self._http.write("POST", self._at(deployment, "comparisons"), body))

    def incidents_page(
        self, deployment: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[Incident]:
        """One page of the changes of its traffic, newest first."""
        query = {"limit": limit, "cursor": cursor}
        found = self._http.get(self._at(deployment, "incidents"), **query)
        return cast("Page[Incident]", found)

    def incidents(self, deployment: str) -> Iterator[Incident]:
        """All changes of its traffic, newest first."""
        return self._http.items(self._at(deployment, "incidents"))

    def incident(self, deployment: str, incident_id: str) -> Incident:
        """One change: what moved, since when, by how much."""
        found = self._http.get(self._at(deployment, "incidents", incident_id))
        return cast("Incident", found)

    def accept(self, deployment: str, incident_id: str, *, reason: str) -> Incident:
        """Call a change the new normal; a baseline of the days since follows."""
        place = self._at(deployment, "incidents", incident_id, "accept")
        return cast("Incident", self._http.write("POST", place, {"reason": reason}))

    def _at(self, deployment: str, *more: str) -> str:
        return path("deployments", self._deployments.id_of(deployment), *more)


def _span(span: tuple[datetime, datetime]) -> dict[str, str]:
    return {"start": span[0].isoformat(), "end": span[1].isoformat()}
