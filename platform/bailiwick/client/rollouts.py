"""Rollouts: plans, what is under way, and moving it by hand."""

from collections.abc import Iterator
from typing import Any, cast

from bailiwick.client.capability import Capability
from bailiwick.client.deployments import Deployments
from bailiwick.client.references import path
from bailiwick.client.shapes import Page, Rollout, RolloutDetail, RolloutPlan, RolloutRun
from bailiwick.client.transport import Transport


class Rollouts(Capability):
    """How a deployment comes to a new champion: shadow, canary, full, and back."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def serving(self, deployment: str) -> Rollout:
        """Which version answers now, or should, and which one is being rolled out beside it."""
        return cast("Rollout", self._http.get(self._at(deployment, "rollout")))

    def plan(self, deployment: str) -> RolloutPlan:
        """The deployment's plan; without one it follows promotions at once, and this is a 404."""
        return cast("RolloutPlan", self._http.get(self._at(deployment, "rollout-plan")))

    def set_plan(self, deployment: str, **settings: Any) -> RolloutPlan:
        """Set the plan; what is not named takes its default. It holds from the next promotion."""
        made = self._http.write("PUT", self._at(deployment, "rollout-plan"), settings)
        return cast("RolloutPlan", made)

    def remove_plan(self, deployment: str) -> None:
        """Follow promotions at once from now on."""
        self._http.write("DELETE", self._at(deployment, "rollout-plan"))

    def page(
        self, deployment: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[RolloutRun]:
        """One page of the deployment's rollouts, newest first."""
        found = self._http.get(self._at(deployment, "rollouts"), limit=limit, cursor=cursor)
        return cast("Page[RolloutRun]", found)

    def list(self, deployment: str) -> Iterator[RolloutRun]:
        """All of the deployment's rollouts, newest first."""
        return self._http.items(self._at(deployment, "rollouts"))

    def get(self, deployment: str, rollout_id: str) -> RolloutDetail:
        """One rollout with all its moves."""
        return cast("RolloutDetail", self._http.get(self._at(deployment, "rollouts", rollout_id)))

    def advance(self, deployment: str, *, reason: str) -> RolloutDetail:
        """Go to the next step now; not past a guard that is breached."""
        return self._move(deployment, "advance", reason)

    def stop(self, deployment: str, *, reason: str) -> RolloutDetail:
        """End the rollout that is under way; the champion answers everything."""
        return self._move(deployment, "stop", reason)

    def roll_back(self, deployment: str, *, reason: str) -> RolloutDetail:
        """Go back to the version before, also once it is full, while that one is warm."""
        return self._move(deployment, "rollback", reason)

    def _move(self, deployment: str, move: str, reason: str) -> RolloutDetail:
        address = self._at(deployment, "rollout", move)
        return cast("RolloutDetail", self._http.write("POST", address, {"reason": reason}))

    def _at(self, deployment: str, *more: str) -> str:
        return path("deployments", self._deployments.id_of(deployment), *more)
