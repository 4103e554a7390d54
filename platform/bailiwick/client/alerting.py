"""Silences, and the channels through which people are told of alerts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.deployments import Deployments
from bailiwick.client.references import path
from bailiwick.client.shapes import Channel, Delivery, Page, Silence, Weekly
from bailiwick.client.transport import Transport


class Silences(Capability):
    """Times in which nobody is told of some alerts."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def page(
        self,
        *,
        deployment: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Silence]:
        """One page of silences, newest first."""
        query = {"deployment_id": self._id(deployment), "limit": limit, "cursor": cursor}
        return cast("Page[Silence]", self._http.get("/silences", **query))

    def list(self, *, deployment: str | None = None) -> Iterator[Silence]:
        """All silences that one may see."""
        return self._http.items("/silences", deployment_id=self._id(deployment))

    def get(self, silence_id: str) -> Silence:
        """One silence."""
        return cast("Silence", self._http.get(path("silences", silence_id)))

    def create(
        self,
        *,
        reason: str,
        ends_at: datetime,
        deployment: str | None = None,
        namespace: str | None = None,
        cause: str | None = None,
        starts_at: datetime | None = None,
        weekly: Weekly | None = None,
        covers_policy: bool | None = None,
    ) -> Silence:
        """Tell nobody of the alerts of a deployment or a namespace (`*`: all), for a time."""
        body = given(
            deployment_id=self._id(deployment),
            namespace=namespace,
            cause=cause,
            reason=reason,
            ends_at=ends_at.isoformat(),
            starts_at=starts_at.isoformat() if starts_at else None,
            weekly=weekly,
            covers_policy=covers_policy,
        )
        return cast("Silence", self._http.write("POST", "/silences", body))

    def end(self, silence_id: str) -> Silence:
        """End a silence early; what it held back and still stands is told now."""
        return cast("Silence", self._http.write("POST", path("silences", silence_id, "end")))

    def _id(self, deployment: str | None) -> str | None:
        return None if deployment is None else self._deployments.id_of(deployment)


class Channels(Capability):
    """Where people are told of alerts."""

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Channel]:
        """One page of channels, newest first."""
        return cast("Page[Channel]", self._http.get("/channels", limit=limit, cursor=cursor))

    def list(self) -> Iterator[Channel]:
        """All channels."""
        return self._http.items("/channels")

    def get(self, name: str) -> Channel:
        """One channel."""
        return cast("Channel", self._http.get(path("channels", name)))

    def create(
        self,
        name: str,
        *,
        kind: str,
        address: str,
        clearance_level: str,
        secret: str | None = None,
        **terms: Any,
    ) -> Channel:
        """Open a channel: `apprise` with an Apprise URL, or `webhook` with address and secret."""
        body = given(
            name=name,
            kind=kind,
            address=address,
            secret=secret,
            clearance_level=clearance_level,
            **terms,
        )
        return cast("Channel", self._http.write("POST", "/channels", body))

    def update(self, name: str, **changes: Any) -> Channel:
        """Change terms, `enabled`, or the address (with the secret of a webhook)."""
        return cast("Channel", self._http.write("PATCH", path("channels", name), changes))

    def try_it(self, name: str) -> Delivery:
        """Send a message that only says that the channel works."""
        return cast("Delivery", self._http.write("POST", path("channels", name, "trials")))

    def trials(self, name: str) -> Iterator[Delivery]:
        """What became of such messages, newest first."""
        return self._http.items(path("channels", name, "trials"))
