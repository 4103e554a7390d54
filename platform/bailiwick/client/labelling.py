"""Requests that are worth a label: asked for, handed out, labelled or skipped."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.deployments import Deployments
from bailiwick.client.references import path
from bailiwick.client.shapes import LabellingItem, LabellingRound, Page
from bailiwick.client.transport import Transport

State = Literal["open", "labelled", "skipped"]


class Labelling(Capability):
    """The queue of a deployment. Labels themselves are sent as feedback."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def ask(
        self,
        deployment: str,
        start: datetime,
        end: datetime,
        *,
        rows: int | None = None,
        random_ratio: float | None = None,
    ) -> LabellingRound:
        """Choose requests of the span (whole hours, UTC): some at random, others for doubt."""
        body = given(
            start=start.isoformat(), end=end.isoformat(), rows=rows, random_ratio=random_ratio
        )
        return cast("LabellingRound", self._http.write("POST", self._at(deployment), body))

    def page(
        self,
        deployment: str,
        *,
        state: State = "open",
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[LabellingItem]:
        """One page of the queue, those that were asked for last first."""
        query = {"state": state, "limit": limit, "cursor": cursor}
        return cast("Page[LabellingItem]", self._http.get(self._at(deployment), **query))

    def list(self, deployment: str, *, state: State = "open") -> Iterator[LabellingItem]:
        """All requests of the queue in a state."""
        return self._http.items(self._at(deployment), state=state)

    def skip(self, deployment: str, item_id: str) -> LabellingItem:
        """Say that one cannot tell."""
        address = f"{self._at(deployment)}/{item_id}/skip"
        return cast("LabellingItem", self._http.write("POST", address))

    def _at(self, deployment: str) -> str:
        return path("deployments", self._deployments.id_of(deployment), "labelling")
