"""What a strategy, or a retraining policy, would have done."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from bailiwick.client.capability import Capability, given
from bailiwick.client.deployments import Deployments
from bailiwick.client.references import path
from bailiwick.client.shapes import Backtest, BacktestResult, Page
from bailiwick.client.transport import Transport


class Backtests(Capability):
    """Histories replayed as jobs: wait for `job_id`, then `get` the result."""

    def __init__(self, transport: Transport, deployments: Deployments) -> None:
        super().__init__(transport)
        self._deployments = deployments

    def page(
        self, *, policy_id: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Backtest]:
        """One page of backtests."""
        query = {"policy_id": policy_id, "limit": limit, "cursor": cursor}
        return cast("Page[Backtest]", self._http.get("/backtests", **query))

    def list(self, *, policy_id: str | None = None) -> Iterator[Backtest]:
        """All backtests that one may see."""
        return self._http.items("/backtests", policy_id=policy_id)

    def get(self, backtest_id: str) -> BacktestResult:
        """One backtest, with all periods of all strategies once it is done."""
        return cast("BacktestResult", self._http.get(path("backtests", backtest_id)))

    def start(
        self,
        *,
        deployment: str | None = None,
        policy_id: str | None = None,
        dataset: str | None = None,
        strategies: Sequence[str] | None = None,
        **settings: Any,
    ) -> Backtest:
        """Replay a deployment (`NAMESPACE/NAME`), a policy, or rows (`NAMESPACE/NAME@NUMBER`).

        Settings: `purpose` (of rows), `period`, `since`, `until`, `label_delay`, `budget`,
        `price_answers`, `recipe_name`, `recipe`, `seed`, `memory_bytes`,
        `time_seconds`; what is left out takes the API's default.
        """
        body = given(
            deployment_id=None if deployment is None else self._deployments.id_of(deployment),
            policy_id=policy_id,
            dataset=dataset,
            strategies=None if strategies is None else list(strategies),
            **settings,
        )
        return cast("Backtest", self._http.write("POST", "/backtests", body))
