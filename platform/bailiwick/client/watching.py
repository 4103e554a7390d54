"""Monitors, checks and alerts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.deployments import Deployments
from bailiwick.client.references import path
from bailiwick.client.shapes import (
    Alert,
    AlertEvent,
    AlertTimeline,
    Check,
    Delivery,
    Monitor,
    Page,
)
from bailiwick.client.transport import Transport


class Monitors(Capability):
    """What is watched, and what the checks found."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def page(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Monitor]:
        """One page of monitors."""
        return cast("Page[Monitor]", self._http.get("/monitors", limit=limit, cursor=cursor))

    def list(self) -> Iterator[Monitor]:
        """All monitors that one may see."""
        return self._http.items("/monitors")

    def get(self, monitor_id: str) -> Monitor:
        """One monitor."""
        return cast("Monitor", self._http.get(path("monitors", monitor_id)))

    def create(
        self,
        deployment: str,
        *,
        acts_as: str,
        cron: str | None = None,
        window_days: int | None = None,
        min_rows: int | None = None,
        max_accuracy_drop: float | None = None,
        statistics: Sequence[Mapping[str, Any]] | None = None,
        alarms_by: str | None = None,
        false_alarms_per_year: float | None = None,
        smallest_change_sd: float | None = None,
        smallest_change_share: float | None = None,
        window_hours: int | None = None,
        baseline_days: int | None = None,
        smallest_change_requests: float | None = None,
        zone: str | None = None,
        label_alarms_ratio: float | None = None,
        costs: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Monitor:
        """Watch a deployment as a service principal.

        Its traffic is watched all the time: `false_alarms_per_year` and the smallest changes
        worth waking somebody for say how.
        Labels have `label_alarms_ratio` of those alarms; `costs`, by true label and answer, say
        what wrong answers cost. `cron` (five fields, UTC): when labels are checked.
        """
        body = given(
            deployment_id=self._deployments.id_of(deployment),
            acts_as=acts_as,
            cron=cron,
            window_days=window_days,
            min_rows=min_rows,
            max_accuracy_drop=max_accuracy_drop,
            statistics=statistics,
            alarms_by=alarms_by,
            false_alarms_per_year=false_alarms_per_year,
            smallest_change_sd=smallest_change_sd,
            smallest_change_share=smallest_change_share,
            window_hours=window_hours,
            baseline_days=baseline_days,
            smallest_change_requests=smallest_change_requests,
            zone=zone,
            label_alarms_ratio=label_alarms_ratio,
            costs=costs,
        )
        return cast("Monitor", self._http.write("POST", "/monitors", body))

    def update(self, monitor_id: str, **changes: Any) -> Monitor:
        """Change settings, named as in `create`, or `enabled`."""
        return cast("Monitor", self._http.write("PATCH", path("monitors", monitor_id), changes))

    def checks_page(
        self, deployment: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[Check]:
        """One page of what the checks of a deployment found."""
        query = {"limit": limit, "cursor": cursor}
        return cast("Page[Check]", self._http.get(self._checks_at(deployment), **query))

    def checks(self, deployment: str) -> Iterator[Check]:
        """All that the checks of a deployment found."""
        return self._http.items(self._checks_at(deployment))

    def _checks_at(self, deployment: str) -> str:
        return path("deployments", self._deployments.id_of(deployment), "checks")


class Alerts(Capability):
    """What moved, since when, and where it stands."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def page(
        self,
        *,
        state: str | None = None,
        deployment: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Alert]:
        """One page of alerts: `open`, `acknowledged`, `resolved`, or all."""
        query = self._query(state, deployment)
        return cast("Page[Alert]", self._http.get("/alerts", **query, limit=limit, cursor=cursor))

    def list(self, *, state: str | None = None, deployment: str | None = None) -> Iterator[Alert]:
        """All alerts that one may see."""
        return self._http.items("/alerts", **self._query(state, deployment))

    def get(self, alert_id: str) -> Alert:
        """One alert."""
        return cast("Alert", self._http.get(path("alerts", alert_id)))

    def acknowledge(self, alert_id: str) -> Alert:
        """Say that somebody is looking."""
        return cast("Alert", self._http.write("POST", path("alerts", alert_id, "acknowledge")))

    def resolve(self, alert_id: str, *, resolution: str) -> Alert:
        """Close an alert with a reason."""
        body = {"resolution": resolution}
        return cast("Alert", self._http.write("POST", path("alerts", alert_id, "resolve"), body))

    def events(self, alert_id: str) -> Iterator[AlertEvent]:
        """How the alert came to where it stands, newest first."""
        return self._http.items(path("alerts", alert_id, "events"))

    def timeline(self, alert_id: str) -> AlertTimeline:
        """From the change to its answer: detection, training, gates, rollout."""
        return cast("AlertTimeline", self._http.get(path("alerts", alert_id, "timeline")))

    def deliveries(self, alert_id: str) -> Iterator[Delivery]:
        """Who was told of the alert, who will be, and what went wrong; newest first."""
        return self._http.items(path("alerts", alert_id, "deliveries"))

    def _query(self, state: str | None, deployment: str | None) -> dict[str, str | None]:
        wanted = None if deployment is None else self._deployments.id_of(deployment)
        return {"state": state, "deployment_id": wanted}
